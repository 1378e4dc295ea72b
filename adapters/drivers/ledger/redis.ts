/**
 * Ledger of many processes and machines: limits in Redis, exact over all of them; records by each process for itself.
 */
import type { Redis } from 'ioredis'
import * as z from 'zod'
import { shareUsed, tokensOf } from '../../../core/limits/counters.ts'
import { periodOf } from '../../../core/limits/period.ts'
import type { Admission, Admitted, Db, Ledger } from '../../../core/ports.ts'
import { usedByUser } from '../../../core/usage/totals.ts'
import { ADMIT, SEED, SETTLE } from './redis-scripts.ts'
import { type SharedParts, sharedLedger } from './shared.ts'

/** No call is silent for as long, and a hold that outlives its process holds no longer. */
const LEASE_MS = 3_600_000

const Answer = z.union([
  z.tuple([z.literal('seed')]),
  z.tuple([z.literal('ok'), z.number(), z.number()]),
  z.tuple([
    z.literal('no'),
    z.enum(['quota', 'budget', 'requests_per_minute', 'concurrency']),
    z.enum(['user', 'key']),
    z.coerce.number(),
  ]),
])

export function redisLedger({ redis, db, ...parts }: SharedParts & { redis: Redis; db: Db }): Ledger {
  const { period, clock } = parts

  async function admit(call: Admission): Promise<Admitted> {
    const now = clock.now()
    const { start, end } = periodOf(period, now)
    const { id, userId, keyId } = call.begun
    const limits = [call.user, call.key].flatMap((one) => [
      one.quotaTokens,
      one.budgetMicros,
      one.requestsPerMinute,
      one.concurrentRequests,
    ])
    const ask = async () =>
      Answer.parse(
        await redis.eval(
          ADMIT,
          0,
          id,
          userId,
          keyId,
          start,
          end,
          call.tokens,
          call.costMicros,
          LEASE_MS,
          ...limits,
        ),
      )
    let answer = await ask()
    if (answer[0] === 'seed') {
      await seed(userId, keyId, start, end)
      answer = await ask()
    }
    if (answer[0] === 'seed') throw new Error('the use of the period was lost twice')
    if (answer[0] === 'ok') {
      const [, tokens, costMicros] = answer
      return { ok: true, used: shareUsed({ tokens, costMicros }, call.user), resetAt: end }
    }
    const [, limit, scope, waitMs] = answer
    return { ok: false, limit, scope, resetAt: waitMs < 0 ? end : now + waitMs }
  }

  async function seed(userId: number, keyId: number, start: number, end: number) {
    const { user, keys } = await usedByUser(db, userId, start)
    const key = keys.get(keyId) ?? { tokens: 0, costMicros: 0 }
    await redis.eval(SEED, 0, `user:${userId}`, start, end, user.tokens, user.costMicros)
    await redis.eval(SEED, 0, `key:${keyId}`, start, end, key.tokens, key.costMicros)
  }

  return sharedLedger(parts, {
    admit,
    async free(record) {
      const { id, userId, keyId, costMicros, createdAt } = record
      const { start } = periodOf(period, createdAt)
      await redis.eval(SETTLE, 0, id, userId, keyId, start, tokensOf(record), costMicros)
    },
  })
}

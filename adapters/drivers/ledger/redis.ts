/**
 * Ledger for many processes and machines: limits are in Redis, exact over all of them; each process writes its own records.
 * All counters are in one hash slot, so one shard of a cluster has them all.
 */
import * as z from 'zod'
import { HOLD_EXPIRY_MS, refusalOf, type Standing, shareUsed } from '../../../core/limits/decide.ts'
import { periodOf } from '../../../core/limits/period.ts'
import { totalTokens } from '../../../core/metering/tokens.ts'
import type { Admission, Admitted, Db, Ledger } from '../../../core/ports.ts'
import { usedByUser } from '../../../core/reports/totals.ts'
import type { RedisClient } from '../redis/connection.ts'
import { runScript } from '../redis/script.ts'
import { limitKeys, RESERVE, SEED, SETTLE, settledKey } from './redis-scripts.ts'
import { type SharedParts, sharedLedger } from './shared.ts'

const count = z.number()
/** Figures of a user or key from RESERVE: tokens and micro-dollars used, the same held, calls running, ms to wait. */
const Figures = [count, count, count, count, count, count] as const
const Answer = z.union([
  z.tuple([z.literal('seed')]),
  z.tuple([z.literal('ok'), count, count]),
  z.tuple([z.literal('no'), ...Figures, ...Figures]),
])

export function redisLedger({
  redis,
  db,
  ...parts
}: SharedParts & { redis: RedisClient; db: Db }): Promise<Ledger> {
  const { period, clock } = parts

  async function reserve(call: Admission): Promise<Admitted> {
    const now = clock.now()
    const { start, end } = periodOf(period, now)
    const { id, userId, keyId } = call.begun
    const { used, held, running, rate } = limitKeys(userId, keyId, start)
    const estimates = [call.usual, call.worst].flatMap(({ tokens, costMicros }) => [tokens, costMicros])
    const limits = [call.user, call.key].flatMap((one) => [
      one.quotaTokens,
      one.budgetMicros,
      one.requestsPerMinute,
      one.concurrentRequests,
    ])
    const keys = [...used, ...held, ...running, ...rate]
    const args = [id, HOLD_EXPIRY_MS, ...estimates, ...limits]
    const ask = async () => Answer.parse(await runScript(redis, RESERVE, keys, args))
    let answer = await ask()
    if (answer[0] === 'seed') {
      await seed(userId, keyId, used, start, end)
      answer = await ask()
    }
    if (answer[0] === 'seed') throw new Error('the use of the period was lost twice')
    if (answer[0] === 'ok') {
      const [, tokens, costMicros] = answer
      return { ok: true, used: shareUsed({ tokens, costMicros }, call.user), resetAt: end }
    }
    const [, ...figures] = answer
    const refusal = refusalOf(call, standingOf(figures.slice(0, 6)), standingOf(figures.slice(6)), {
      now,
      periodEnd: end,
    })
    if (!refusal) throw new Error('Redis refused a call that is within its limits')
    return refusal
  }

  async function seed(userId: number, keyId: number, used: readonly string[], start: number, end: number) {
    const { user, keys } = await usedByUser(db, userId, start)
    const key = keys.get(keyId) ?? { tokens: 0, costMicros: 0 }
    for (const [at, { tokens, costMicros }] of [user, key].entries()) {
      await runScript(redis, SEED, used.slice(at, at + 1), [end, tokens, costMicros])
    }
  }

  return sharedLedger(parts, {
    reserve,
    async settle(record) {
      const { id, userId, keyId, costMicros, createdAt } = record
      const { used, held, running } = limitKeys(userId, keyId, periodOf(period, createdAt).start)
      const keys = [...used, ...held, ...running, settledKey(id)]
      await runScript(redis, SETTLE, keys, [id, totalTokens(record), costMicros])
    },
  })
}

function standingOf(figures: readonly number[]): Standing {
  const [tokens = 0, costMicros = 0, heldTokens = 0, heldMicros = 0, running = 0, waitMs = 0] = figures
  return { tokens, costMicros, heldTokens, heldMicros, running, waitMs }
}

/**
 * Ledger of many processes and machines: limits in Redis, exact over all of them; records by each process for itself.
 * Without Redis calls pass unlimited and are recorded, or none passes, as `failClosed` says.
 */
import type { Redis } from 'ioredis'
import * as z from 'zod'
import type { Period } from '../../../core/policy.ts'
import type { Admission, Admitted, CallRecord, Clock, Db, Ledger, Logger } from '../../../core/ports.ts'
import { periodOf } from '../../../core/usage/period.ts'
import { usedByUser } from '../../../core/usage/totals.ts'
import type { Records } from './records.ts'
import { ADMIT, SEED, SETTLE } from './redis-scripts.ts'

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

export function redisLedger(parts: {
  redis: Redis
  db: Db
  records: Records
  period: Period
  failClosed: boolean
  clock: Clock
  logger: Logger
}): Ledger {
  const { redis, db, records, period, failClosed, clock, logger } = parts
  let works = true

  function failed(cause: unknown) {
    if (works)
      logger.error('ledger.limits_failed', { cause: String(cause), calls: failClosed ? 'refused' : 'pass' })
    works = false
  }
  function succeeded() {
    if (!works) logger.info('ledger.limits_work_again')
    works = true
  }

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
      const [, tokens, micros] = answer
      return { ok: true, used: shareOf(call, tokens, micros), resetAt: end }
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

  async function free(record: CallRecord) {
    const { start } = periodOf(period, record.createdAt)
    const { id, userId, keyId, costMicros } = record
    try {
      await redis.eval(SETTLE, 0, id, userId, keyId, start, tokensOf(record), costMicros)
      succeeded()
    } catch (cause) {
      // Its lease frees the hold, and what it cost is in the database for the next count.
      failed(cause)
    }
  }

  return {
    async reserve(call) {
      if (failClosed && !records.works()) return { ok: false, limit: 'unavailable' }
      let admitted: Admitted
      try {
        admitted = await admit(call)
        succeeded()
      } catch (cause) {
        failed(cause)
        if (failClosed) return { ok: false, limit: 'unavailable' }
        admitted = { ok: true, used: undefined, resetAt: periodOf(period, clock.now()).end }
      }
      if (admitted.ok) records.begin(call.begun)
      return admitted
    },
    note: records.note,
    async settle(record) {
      // Written before anything is waited for: the last byte leaves right after.
      const written = records.write(record)
      await Promise.all([written, free(record)])
    },
    healthy: () => works && records.healthy(),
    close: records.close,
  }
}

function shareOf({ user }: Admission, tokens: number, micros: number): number | undefined {
  const shares = [
    user.quotaTokens > 0 ? tokens / user.quotaTokens : -1,
    user.budgetMicros > 0 ? micros / user.budgetMicros : -1,
  ]
  const share = Math.max(...shares)
  return share < 0 ? undefined : share
}

function tokensOf(record: CallRecord): number {
  const { inputTokens, outputTokens, cacheReadTokens, cacheWrite5mTokens, cacheWrite1hTokens } = record
  return inputTokens + outputTokens + cacheReadTokens + cacheWrite5mTokens + cacheWrite1hTokens
}

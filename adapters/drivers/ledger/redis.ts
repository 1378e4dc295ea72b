/**
 * Ledger for many processes and machines: limits are in Redis, exact over all of them; each process writes its own records.
 * All counters are in one hash slot, so one shard of a cluster has them all.
 */
import * as z from 'zod'
import { scopesOf } from '../../../core/limits/counters.ts'
import { admitted, type CounterStanding, refusalOf } from '../../../core/limits/decide.ts'
import { periodOf } from '../../../core/limits/period.ts'
import { totalTokens } from '../../../core/metering/tokens.ts'
import type { Admission, Admitted, Counter, Ledger, Scope } from '../../../core/ports.ts'
import { recordText } from '../../../core/reports/stored-record.ts'
import { usedWithCalls } from '../../../core/reports/totals.ts'
import { DAY_MS } from '../../../core/units.ts'
import { createBatch } from '../redis/batch.ts'
import type { RedisClient } from '../redis/connection.ts'
import { runScript } from '../redis/script.ts'
import { LOST, LOST_KEYS, limitKeys, OF_CALLS, SEED } from './redis-scripts.ts'
import { type SharedParts, sharedLedger } from './shared.ts'

const Answer = z.tuple([z.enum(['seed', 'ok', 'no']), z.number()]).rest(z.number())
const Texts = z.array(z.string())
/** Other processes may seed, or settle calls, while the database is read. */
const SEED_ATTEMPTS = 5
/** The last moment that a Date can tell. */
const NEVER = 8.64e15

/** `seedMs`: after this time what was used is taken from the database again, so that no mistake stays. */
export function redisLedger(parts: SharedParts & { redis: RedisClient; seedMs: number }): Promise<Ledger> {
  const { redis, period, clock, seedMs } = parts
  const run = createBatch(redis, OF_CALLS)

  async function reserve(call: Admission): Promise<Admitted> {
    const now = clock.now()
    const { start, end } = periodOf(period, now)
    const { begun, counters } = call
    const keys = limitKeys(counters, start, begun.id).reserve
    const amounts = [call.usual, call.worst].flatMap(({ tokens, costMicros }) => [tokens, costMicros])
    const args = [begun.id, recordText(begun), seedMs, ...amounts, ...counters.flatMap(limitsOf)]
    for (let attempt = 0; attempt < SEED_ATTEMPTS; attempt++) {
      const [answer, stale, ...figures] = Answer.parse(await run('reserve', keys, args))
      const seededAt = figures.slice(0, counters.length)
      const seeding = stale ? seed(parts, call, seededAt) : undefined
      if (answer === 'seed') {
        await seeding
        continue
      }
      // What was used is still known well enough for this call. A failure is met again by the next one.
      seeding?.catch(() => {})
      const standings = standingsOf(counters, figures.slice(counters.length))
      if (answer === 'ok') return admitted(standings, end)
      const refusal = refusalOf(standings, { now, periodEnd: end })
      if (!refusal) throw new Error('Redis refused a call that is within its limits')
      return refusal
    }
    throw new Error('Redis lost the use of the period again and again')
  }

  return sharedLedger(parts, {
    reserve,
    async renew({ begun, counters, usual }) {
      const { renew } = limitKeys(counters, periodOf(period, clock.now()).start, begun.id)
      await run('renew', renew, [begun.id, recordText(begun), usual.tokens, usual.costMicros])
    },
    async settle(record) {
      const { id, costMicros, createdAt } = record
      const { start, end } = periodOf(period, createdAt)
      const { settle } = limitKeys(scopesOf(record), start, id)
      await run('settle', settle, [id, totalTokens(record), costMicros, forgottenAt(end)])
    },
    lost: async () => Texts.parse(await runScript(redis, LOST, LOST_KEYS, [])),
  })
}

/** Takes from the database what the counters of a call have used. `seededAt`: when each was seeded last. */
async function seed(
  { redis, db, period, clock }: SharedParts & { redis: RedisClient },
  { begun, counters }: Admission,
  seededAt: readonly number[],
): Promise<void> {
  const { start, end } = periodOf(period, clock.now())
  const keys = limitKeys(counters, start, begun.id).seed
  let calls: string[] = []
  for (let attempt = 0; attempt < SEED_ATTEMPTS; attempt++) {
    const { used, recorded } = await usedWithCalls(db, begun.userId, start, calls)
    const amounts = counters.flatMap((counter, i) => {
      const { tokens, costMicros } = usedOf(counter, used)
      return [seededAt[i] ?? 0, tokens, costMicros]
    })
    const included = calls.flatMap((id) => [id, recorded.has(id) ? 1 : 0])
    const args = [forgottenAt(end), ...amounts, ...included]
    const unknown = Texts.parse(await runScript(redis, SEED, keys, args))
    if (unknown.length === 0) return
    calls = [...new Set([...calls, ...unknown])]
  }
}

type UsedByKey = Awaited<ReturnType<typeof usedWithCalls>>['used']

function usedOf({ scope, id }: Scope, used: UsedByKey): { tokens: number; costMicros: number } {
  const sum = { tokens: 0, costMicros: 0 }
  for (const { keyId, tokens, costMicros } of used) {
    if (scope === 'key' && keyId !== id) continue
    sum.tokens += tokens
    sum.costMicros += costMicros
  }
  return sum
}

function limitsOf({ limits }: Counter): number[] {
  const { quotaTokens, budgetMicros, requestsPerMinute, concurrentRequests } = limits
  return [quotaTokens, budgetMicros, requestsPerMinute, concurrentRequests]
}

/** `figures`: six for each counter, in the order of the script `reserve`. */
function standingsOf(counters: readonly Counter[], figures: readonly number[]): CounterStanding[] {
  return counters.map((counter, i) => {
    const [tokens = 0, costMicros = 0, heldTokens = 0, heldMicros = 0, running = 0, waitMs = 0] =
      figures.slice(6 * i)
    return { ...counter, standing: { tokens, costMicros, heldTokens, heldMicros, running, waitMs } }
  })
}

/** A day after the period, because calls that began in it may end later. */
function forgottenAt(periodEnd: number): number {
  return Math.min(periodEnd + DAY_MS, NEVER)
}

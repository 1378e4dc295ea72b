/**
 * Ledger for many processes and machines: limits are in Redis, exact over all of them; each process writes its own records.
 * All counters are in one hash slot, so one shard of a cluster has them all.
 */
import * as z from 'zod'
import { ownShare, refusalOf, type Standing } from '../../../core/limits/decide.ts'
import { ownersOf, ownerText } from '../../../core/limits/owner.ts'
import { PERIOD_INDEX } from '../../../core/limits/period.ts'
import { isLimited } from '../../../core/limits/shared-states.ts'
import { minuteTokens, totalTokens } from '../../../core/metering/tokens.ts'
import type { Admission, Admitted, Counter, Ledger, Limits } from '../../../core/ports.ts'
import { recordText } from '../../../core/reports/stored-record.ts'
import { createBatch } from '../redis/batch.ts'
import type { RedisClient } from '../redis/connection.ts'
import { minuteKey, rateKey, recentKey, SHARED_KEYS, settledKey } from './redis-keys.ts'
import { OF_CALLS } from './redis-scripts.ts'
import { createSeedUse, lostCalls, type Stale } from './redis-seed.ts'
import { type SharedParts, sharedLedger } from './shared.ts'

const Answer = z.tuple([z.enum(['seed', 'ok', 'no']), z.number(), z.array(z.number()), z.array(z.number())])
/** Other processes may seed while the database is read. */
const SEED_ATTEMPTS = 5
const FIGURES = 14
const { ends, lost, begun: begunKey, holds, held, used } = SHARED_KEYS
const HOLD_KEYS = [ends, lost, begunKey, holds, held]

/** `seedMs`: after this time what was used is taken from the database again, so that no mistake stays. */
export function redisLedger(parts: SharedParts & { redis: RedisClient; seedMs: number }): Promise<Ledger> {
  const { redis, clock, seedMs } = parts
  const run = createBatch(redis, OF_CALLS)
  const seed = createSeedUse(parts)

  async function reserve(call: Admission): Promise<Admitted> {
    const { begun, counters, periodEnds } = call
    const keys = [
      ...HOLD_KEYS,
      used,
      ...counters.filter(hasMinute).flatMap((one) => [rateKey(one), minuteKey(one)]),
    ]
    const args = reserveArgs(call, seedMs)
    for (let attempt = 0; attempt < SEED_ATTEMPTS; attempt++) {
      const [answer, now, pairs, figures] = Answer.parse(await run('reserve', keys, args))
      const stale = staleOf(counters, pairs)
      const seeding = stale.length > 0 ? seed(stale, begun.userId, now) : undefined
      if (answer === 'seed') {
        await seeding
        continue
      }
      // What was used is still known well enough for this call. A failure is met again by the next one.
      seeding?.catch(() => {})
      const standings = standingsOf(counters, figures)
      if (answer === 'ok') return { ok: true, used: ownShare(counters, standings, periodEnds) }
      const refusal = refusalOf(counters, standings, { now: clock.now(), periodEnds })
      if (!refusal) throw new Error('Redis refused a call that is within its limits')
      return refusal
    }
    throw new Error('Redis lost what was used again and again')
  }

  return sharedLedger(parts, {
    reserve,
    async renew({ begun, counters, usual }) {
      const text = holdText(counters)
      const args = [
        begun.id,
        recordText(begun),
        usual.tokens,
        usual.costMicros,
        text,
        ...counters.map(ownerText),
      ]
      await run('renew', [...HOLD_KEYS, settledKey(begun.id)], args)
    },
    async settle(record) {
      const { id, userId, costMicros, periodStarts } = record
      const owners = ownersOf(record)
      const [user, key] = owners
      const minutes = [user, key].map((owner) => minuteKey(owner))
      const recent = new Set(owners.map((owner) => recentKey(owner, userId)))
      const amounts = [totalTokens(record), costMicros, minuteTokens(record)]
      const keys = [...HOLD_KEYS, used, settledKey(id), ...minutes, ...recent]
      await run('settle', keys, [id, ...amounts, ...periodStarts, ...owners.map(ownerText)])
    },
    lost: () => lostCalls(redis),
  })
}

/** `pairs`: of a counter's place, and when it was seeded. */
function staleOf(counters: readonly Counter[], pairs: readonly number[]): Stale[] {
  return counters.flatMap((owner, place) => {
    const at = pairs.findIndex((value, i) => i % 2 === 0 && value === place)
    return at < 0 ? [] : { owner, seededAt: pairs[at + 1] ?? 0 }
  })
}

function hasMinute({ limits }: Counter): boolean {
  return limits.requestsPerMinute > 0 || limits.tokensPerMinute > 0
}

/** What a hold tells beside its amounts. */
function holdText(counters: readonly Counter[]): string {
  const inMinute = counters.filter(({ limits }) => limits.tokensPerMinute > 0)
  const others = counters.filter(({ limits }) => limits.tokensPerMinute === 0)
  return `${inMinute.length} ${[...inMinute, ...others].map(ownerText).join(' ')}`
}

function reserveArgs({ begun, counters, usual, worst }: Admission, seedMs: number): (string | number)[] {
  const args = [
    begun.id,
    recordText(begun),
    seedMs,
    usual.tokens,
    usual.costMicros,
    worst.tokens,
    worst.costMicros,
  ]
  args.push(...begun.periodStarts, holdText(counters), counters.length, ...counters.map(ownerText))
  for (const [place, counter] of counters.entries()) {
    if (isLimited(counter)) args.push(place, ...limitArgs(counter.limits))
  }
  return args
}

function limitArgs(limits: Limits): (string | number)[] {
  const { amounts, requestsPerMinute, tokensPerMinute, concurrentRequests } = limits
  const args: (string | number)[] = [requestsPerMinute, tokensPerMinute, concurrentRequests, amounts.length]
  for (const { period, tokens = '', micros = '' } of amounts) args.push(PERIOD_INDEX[period], tokens, micros)
  return args
}

const IDLE: Standing = {
  tokens: [],
  micros: [],
  heldTokens: 0,
  heldMicros: 0,
  running: 0,
  waitMs: 0,
  tokensWaitMs: 0,
}

/** `figures`: as the script `reserve` tells them. */
function standingsOf(counters: readonly Counter[], figures: readonly number[]): Standing[] {
  const standings = counters.map(() => IDLE)
  for (let at = 0; at < figures.length; at += FIGURES) {
    const [place = 0, heldTokens = 0, heldMicros = 0, running = 0, waitMs = 0, tokensWaitMs = 0, ...use] =
      figures.slice(at, at + FIGURES)
    const tokens = use.filter((_, i) => i % 2 === 0)
    const micros = use.filter((_, i) => i % 2 === 1)
    standings[place] = { tokens, micros, heldTokens, heldMicros, running, waitMs, tokensWaitMs }
  }
  return standings
}

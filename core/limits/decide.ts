/**
 * Whether a call may begin. Pure, and the one rule of every ledger; the Lua scripts of Redis and the SQL of shared.ts
 * tell the same in their own language.
 *
 * A call passes while anything is left of each limit, and holds what it may cost at most, even if that is more than is
 * left: then nothing else passes until it is settled. So a limit is overspent by one call at most, and a small one
 * still serves a client that always asks for the longest answer.
 *
 * Counters and their standings are lists of the same order, so that counters in memory need no object for each call.
 */
import type { Admission, Counter, Denied, Estimate, Limits, PeriodStarts, UsedShare } from '../ports.ts'
import type { Period } from '../settings.ts'
import { EVER, PERIOD_INDEX } from './period.ts'

/** How busy a counter is. */
export interface Pace {
  /** Calls under way. */
  running: number
  /** Ms until the minute has room for another call; 0 when it has. */
  waitMs: number
  /** Ms until the minute has room for more tokens; 0 when it has. */
  tokensWaitMs: number
}

/** What one counter has used in each period (by PERIOD_INDEX), holds for calls under way, and how busy it is. */
export interface Standing extends Pace {
  tokens: readonly number[]
  micros: readonly number[]
  heldTokens: number
  heldMicros: number
}

/** A hold expires after this time unless its process renews it, because that process may have died. */
export const HOLD_EXPIRY_MS = 75_000
/** How often a process renews the holds of its calls: two attempts may fail. */
export const RENEW_MS = 25_000
/** When to come again after too many calls at once: nobody knows when one ends. */
export const BUSY_RETRY_MS = 1_000
/** While fewer worst cases than this are left of a limit, each call holds its worst case. */
export const SCARCE_CASES = 10
/** The shortest and the longest time after which to come again when only holds are in the way. */
const HELD_RETRY_MS = [1_000, 5_000] as const

export interface Moment {
  /** Ms since 1970. */
  now: number
  /** When the day, week and month of the call end. */
  periodEnds: PeriodStarts
}

/**
 * The refusal of a call, if there is one: of spent limits the one that is renewed last, before one that is only held, that
 * before a rate, and of rates the one with the longest wait.
 */
export function refusalOf(
  counters: readonly Counter[],
  standings: readonly Standing[],
  at: Moment,
): Denied | undefined {
  let isWithinAll = true
  for (let i = 0; i < counters.length && isWithinAll; i++) {
    isWithinAll = isWithin(counters[i]?.limits, standings[i])
  }
  if (isWithinAll) return undefined
  const amounts = counters.flatMap((counter, i) => [...amountRefusals(counter, standings[i], at)])
  const spent = amounts.filter(({ held }) => !held)
  return latest(spent) ?? amounts[0] ?? paceRefusal(counters, standings, at.now)
}

/** How much a call that may begin holds. */
export function holdOf(
  { worst, usual }: Pick<Admission, 'worst' | 'usual'>,
  counters: readonly Counter[],
  standings: readonly Standing[],
): Estimate {
  for (let i = 0; i < counters.length; i++) {
    if (isScarceFor(worst, counters[i]?.limits, standings[i])) return worst
  }
  return usual
}

function isScarceFor(worst: Estimate, limits: Limits | undefined, at: Standing | undefined): boolean {
  if (!limits || !at) return false
  for (const { period, tokens, micros } of limits.amounts) {
    const index = PERIOD_INDEX[period]
    const tokensLeft = (tokens ?? Number.POSITIVE_INFINITY) - (at.tokens[index] ?? 0) - at.heldTokens
    const microsLeft = (micros ?? Number.POSITIVE_INFINITY) - (at.micros[index] ?? 0) - at.heldMicros
    if (tokensLeft < SCARCE_CASES * worst.tokens || microsLeft < SCARCE_CASES * worst.costMicros) return true
  }
  return false
}

function isWithin(limits: Limits | undefined, at: Standing | undefined): boolean {
  if (!limits || !at) return true
  for (const { period, tokens, micros } of limits.amounts) {
    const index = PERIOD_INDEX[period]
    if (tokens !== undefined && (at.tokens[index] ?? 0) + at.heldTokens >= tokens) return false
    if (micros !== undefined && (at.micros[index] ?? 0) + at.heldMicros >= micros) return false
  }
  return isSlowEnough(limits, at)
}

function isSlowEnough({ concurrentRequests }: Limits, at: Pace): boolean {
  const hasPlace = concurrentRequests === 0 || at.running < concurrentRequests
  return hasPlace && at.waitMs <= 0 && at.tokensWaitMs <= 0
}

type AmountDenied = Extract<Denied, { held: boolean }>

/** Every quota and budget that refuses the call. */
function* amountRefusals(
  { scope, id, limits }: Counter,
  at: Standing | undefined,
  { now, periodEnds }: Moment,
): Generator<AmountDenied> {
  if (!at) return
  for (const { period, tokens, micros } of limits.amounts) {
    const index = PERIOD_INDEX[period]
    const amounts = [
      ['quota', tokens, at.tokens[index] ?? 0, at.heldTokens],
      ['budget', micros, at.micros[index] ?? 0, at.heldMicros],
    ] as const
    for (const [limit, most, used, allHeld] of amounts) {
      if (most === undefined || used + allHeld < most) continue
      const held = used < most
      const resetAt = held ? now + heldRetryMs(now) : endOf(period, periodEnds)
      yield { ok: false, scope, id, limit, period, held, resetAt }
    }
  }
}

function* tooBusy({ scope, id, limits }: Counter, at: Pace, now: number): Generator<Denied> {
  const { concurrentRequests } = limits
  const denied = { ok: false, scope, id } as const
  if (concurrentRequests > 0 && at.running >= concurrentRequests) {
    yield { ...denied, limit: 'concurrency', resetAt: now + BUSY_RETRY_MS }
  }
  if (at.waitMs > 0) yield { ...denied, limit: 'requests_per_minute', resetAt: now + at.waitMs }
  if (at.tokensWaitMs > 0) yield { ...denied, limit: 'tokens_per_minute', resetAt: now + at.tokensWaitMs }
}

/** The refusal of a call whose body is not read yet: only calls at once and what a minute allows can be judged. */
export function paceRefusal(
  counters: readonly Counter[],
  paces: readonly Pace[],
  now: number,
): Denied | undefined {
  return latest(
    counters.flatMap((counter, i) => {
      const pace = paces[i]
      return pace ? [...tooBusy(counter, pace, now)] : []
    }),
  )
}

/** The first of those with the latest `resetAt`. */
function latest(refusals: readonly Denied[]): Denied | undefined {
  return refusals.toSorted((a, b) => b.resetAt - a.resetAt)[0]
}

/** By the current ms, so that callers who are refused together do not all come back together. */
function heldRetryMs(now: number): number {
  const [shortest, longest] = HELD_RETRY_MS
  return shortest + (now % (longest - shortest + 1))
}

/**
 * How much is used of the person's own limits: of the fullest, by the larger share of its quota and budget. Undefined
 * where they have none.
 */
export function ownShare(
  counters: readonly Counter[],
  standings: readonly Standing[],
  periodEnds: PeriodStarts,
): UsedShare | undefined {
  const at = counters.findIndex(({ scope }) => scope === 'user')
  const [own, standing] = [counters[at], standings[at]]
  if (!own || !standing) return undefined
  let fullest: UsedShare | undefined
  for (const { period, tokens, micros } of own.limits.amounts) {
    const index = PERIOD_INDEX[period]
    const share = Math.max(
      shareOf(standing.tokens[index] ?? 0, tokens),
      shareOf(standing.micros[index] ?? 0, micros),
    )
    if (share < 0 || (fullest && fullest.share >= share)) continue
    fullest = { share, period, resetAt: endOf(period, periodEnds) }
  }
  return fullest
}

/** -1 without a limit. */
function shareOf(used: number, most: number | undefined): number {
  if (most === undefined) return -1
  return most === 0 ? 1 : used / most
}

/** When the period of a call ends. */
function endOf(period: Period, periodEnds: PeriodStarts): number {
  return period === 'total' ? EVER.end : (periodEnds[PERIOD_INDEX[period]] ?? EVER.end)
}

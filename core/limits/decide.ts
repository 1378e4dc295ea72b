/**
 * Whether a call may begin. Pure, and the one rule of every ledger; the Lua scripts of Redis and the SQL of shared.ts
 * tell the same in their own language.
 *
 * A call passes while anything is left of each limit, and holds what it may cost at most, even if that is more than is
 * left: then nothing else passes until it is settled. So a limit is overspent by one call at most, and a small one
 * still serves a client that always asks for the longest answer.
 */
import type { Admission, Admitted, Counter, Estimate, Limits } from '../ports.ts'

/** What one counter has used in the period, holds for calls under way, and how busy it is. */
export interface Standing {
  tokens: number
  costMicros: number
  heldTokens: number
  heldMicros: number
  /** Calls under way. */
  running: number
  /** Ms until the minute has room for another call; 0 when it has. */
  waitMs: number
}

export interface CounterStanding extends Counter {
  standing: Standing
}

type Denied = Exclude<Extract<Admitted, { ok: false }>, { limit: 'unavailable' }>

/** A hold expires after this time unless its process renews it, because that process may have died. */
export const HOLD_EXPIRY_MS = 75_000
/** How often a process renews the holds of its calls: two attempts may fail. */
export const RENEW_MS = 25_000
/** When to come again after too many calls at once: nobody knows when one ends. */
const BUSY_RETRY_MS = 1_000
/** While fewer worst cases than this are left of a limit, each call holds its worst case. */
export const SCARCE_CASES = 10
/** The shortest and the longest time after which to come again when only holds are in the way. */
const HELD_RETRY_MS = [1_000, 5_000] as const

export interface Moment {
  /** Ms since 1970. */
  now: number
  /** When the period ends. */
  periodEnd: number
}

/** The refusal of a call, if there is one: a spent limit before one that is only held, that before a rate. */
export function refusalOf(counters: readonly CounterStanding[], at: Moment): Denied | undefined {
  if (counters.every(isWithin)) return undefined
  const all = counters.flatMap((counter) => [...refusals(counter, at)])
  const spent = all.find(({ limit, held }) => isAmount(limit) && !held)
  const held = all.find(({ held }) => held)
  const slowest = all.toSorted((a, b) => b.resetAt - a.resetAt)[0]
  return spent ?? held ?? slowest
}

/** How much a call that may begin holds. */
export function holdOf(
  { worst, usual }: Pick<Admission, 'worst' | 'usual'>,
  counters: readonly CounterStanding[],
): Estimate {
  return counters.some((counter) => isScarceFor(worst, counter)) ? worst : usual
}

function isScarceFor(worst: Estimate, { limits, standing: at }: CounterStanding): boolean {
  const { quotaTokens, budgetMicros } = limits
  const tokensLeft = quotaTokens - at.tokens - at.heldTokens
  const microsLeft = budgetMicros - at.costMicros - at.heldMicros
  return (
    (quotaTokens > 0 && tokensLeft < SCARCE_CASES * worst.tokens) ||
    (budgetMicros > 0 && microsLeft < SCARCE_CASES * worst.costMicros)
  )
}

function isWithin({ limits, standing: at }: CounterStanding): boolean {
  const { quotaTokens, budgetMicros, concurrentRequests } = limits
  return (
    (quotaTokens === 0 || at.tokens + at.heldTokens < quotaTokens) &&
    (budgetMicros === 0 || at.costMicros + at.heldMicros < budgetMicros) &&
    (concurrentRequests === 0 || at.running < concurrentRequests) &&
    at.waitMs <= 0
  )
}

/** Every limit that refuses the call. */
function* refusals(counter: CounterStanding, { now, periodEnd }: Moment): Generator<Denied> {
  const { scope, limits, standing: at } = counter
  const amounts = [
    ['quota', limits.quotaTokens, at.tokens, at.heldTokens],
    ['budget', limits.budgetMicros, at.costMicros, at.heldMicros],
  ] as const
  for (const [limit, most, used, held] of amounts) {
    if (most === 0 || used + held < most) continue
    const isHeld = used < most
    yield { ok: false, limit, scope, held: isHeld, resetAt: isHeld ? now + heldRetryMs(now) : periodEnd }
  }
  yield* tooBusy(counter, now)
}

/** A counter, and how busy it is. */
export interface CounterPace extends Counter {
  standing: Pick<Standing, 'running' | 'waitMs'>
}

function* tooBusy({ scope, limits, standing }: CounterPace, now: number): Generator<Denied> {
  const { concurrentRequests } = limits
  const { running, waitMs } = standing
  if (concurrentRequests > 0 && running >= concurrentRequests) {
    yield { ok: false, limit: 'concurrency', scope, held: false, resetAt: now + BUSY_RETRY_MS }
  }
  if (waitMs > 0) yield { ok: false, limit: 'requests_per_minute', scope, held: false, resetAt: now + waitMs }
}

/** The refusal of a call whose body is not read yet: only calls at once and calls a minute can be judged. */
export function paceRefusal(counters: readonly CounterPace[], now: number): Denied | undefined {
  const all = counters.flatMap((counter) => [...tooBusy(counter, now)])
  return all.toSorted((a, b) => b.resetAt - a.resetAt)[0]
}

/** By the current ms, so that callers who are refused together do not all come back together. */
function heldRetryMs(now: number): number {
  const [shortest, longest] = HELD_RETRY_MS
  return shortest + (now % (longest - shortest + 1))
}

function isAmount(limit: Denied['limit']): boolean {
  return limit === 'quota' || limit === 'budget'
}

/** The answer to a call that may begin. Headers tell the caller about their own use, so the user's counter counts. */
export function admitted(counters: readonly CounterStanding[], periodEnd: number): Admitted {
  const own = counters.find(({ scope }) => scope === 'user')
  return { ok: true, used: own && shareUsed(own.standing, own.limits), resetAt: periodEnd }
}

/** The larger share of quota and budget that was used (0..1 and above), or undefined where neither is limited. */
export function shareUsed(used: { tokens: number; costMicros: number }, limits: Limits): number | undefined {
  const shares = [
    limits.quotaTokens > 0 ? used.tokens / limits.quotaTokens : -1,
    limits.budgetMicros > 0 ? used.costMicros / limits.budgetMicros : -1,
  ]
  const share = Math.max(...shares)
  return share < 0 ? undefined : share
}

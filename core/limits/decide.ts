/**
 * Whether a call may begin. Pure, and the one rule of every ledger; the Lua scripts of Redis and the SQL of shared.ts
 * tell the same in their own language.
 *
 * A call passes while anything is left of each limit, and holds what it may cost at most, even if that is more than is
 * left: then nothing else passes until it is settled. So a limit is overspent by one call at most, and a small one
 * still serves a client that always asks for the longest answer.
 */
import type { Admission, Admitted, Estimate, Limits } from '../ports.ts'
import { HOUR_MS } from '../units.ts'

/** What a user or a key has used in the period, holds for calls under way, and how busy it is. */
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

type Denied = Exclude<Extract<Admitted, { ok: false }>, { limit: 'unavailable' }>

/** A hold ends after this time, because the process that took it may have died. Calls do not last as long. */
export const HOLD_EXPIRY_MS = HOUR_MS
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
export function refusalOf(call: Admission, user: Standing, key: Standing, at: Moment): Denied | undefined {
  if (isWithin(call.user, user) && isWithin(call.key, key)) return undefined
  const all = [...refusals('user', call.user, user, at), ...refusals('key', call.key, key, at)]
  const spent = all.find(({ limit, held }) => isAmount(limit) && !held)
  const held = all.find(({ held }) => held)
  const slowest = all.toSorted((a, b) => b.resetAt - a.resetAt)[0]
  return spent ?? held ?? slowest
}

/** How much a call that may begin holds. */
export function holdOf(call: Admission, user: Standing, key: Standing): Estimate {
  const isScarce = isScarceFor(call, call.user, user) || isScarceFor(call, call.key, key)
  return isScarce ? call.worst : call.usual
}

function isScarceFor({ worst }: Admission, { quotaTokens, budgetMicros }: Limits, at: Standing): boolean {
  const tokensLeft = quotaTokens - at.tokens - at.heldTokens
  const microsLeft = budgetMicros - at.costMicros - at.heldMicros
  return (
    (quotaTokens > 0 && tokensLeft < SCARCE_CASES * worst.tokens) ||
    (budgetMicros > 0 && microsLeft < SCARCE_CASES * worst.costMicros)
  )
}

function isWithin(limits: Limits, at: Standing): boolean {
  const { quotaTokens, budgetMicros, concurrentRequests } = limits
  return (
    (quotaTokens === 0 || at.tokens + at.heldTokens < quotaTokens) &&
    (budgetMicros === 0 || at.costMicros + at.heldMicros < budgetMicros) &&
    (concurrentRequests === 0 || at.running < concurrentRequests) &&
    at.waitMs <= 0
  )
}

/** Every limit that refuses the call. */
function* refusals(
  scope: Denied['scope'],
  limits: Limits,
  at: Standing,
  { now, periodEnd }: Moment,
): Generator<Denied> {
  const amounts = [
    ['quota', limits.quotaTokens, at.tokens, at.heldTokens],
    ['budget', limits.budgetMicros, at.costMicros, at.heldMicros],
  ] as const
  for (const [limit, most, used, held] of amounts) {
    if (most === 0 || used + held < most) continue
    const isHeld = used < most
    yield { ok: false, limit, scope, held: isHeld, resetAt: isHeld ? now + heldRetryMs(now) : periodEnd }
  }
  yield* tooBusy(scope, limits, at, now)
}

/** How busy a user or a key is. */
type Pace = Pick<Standing, 'running' | 'waitMs'>

function* tooBusy(
  scope: Denied['scope'],
  { concurrentRequests }: Limits,
  { running, waitMs }: Pace,
  now: number,
): Generator<Denied> {
  if (concurrentRequests > 0 && running >= concurrentRequests) {
    yield { ok: false, limit: 'concurrency', scope, held: false, resetAt: now + BUSY_RETRY_MS }
  }
  if (waitMs > 0) yield { ok: false, limit: 'requests_per_minute', scope, held: false, resetAt: now + waitMs }
}

/** The refusal of a call whose body is not read yet: only calls at once and calls a minute can be judged. */
export function paceRefusal(
  [userLimits, user]: readonly [Limits, Pace],
  [keyLimits, key]: readonly [Limits, Pace],
  now: number,
): Denied | undefined {
  const all = [...tooBusy('user', userLimits, user, now), ...tooBusy('key', keyLimits, key, now)]
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

/** The larger share of quota and budget that was used (0..1 and above), or undefined where neither is limited. */
export function shareUsed(used: { tokens: number; costMicros: number }, limits: Limits): number | undefined {
  const shares = [
    limits.quotaTokens > 0 ? used.tokens / limits.quotaTokens : -1,
    limits.budgetMicros > 0 ? used.costMicros / limits.budgetMicros : -1,
  ]
  const share = Math.max(...shares)
  return share < 0 ? undefined : share
}

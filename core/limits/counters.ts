/**
 * Limits of users and keys, in the memory of one process: what is used, what is held for calls under way, how many
 * calls run and when the last ones came. Synchronous, so that no two calls can be admitted on the same last token.
 */
import type { Period } from '../policy.ts'
import type { Admission, Admitted, CallRecord, Clock, LimitName, Limits } from '../ports.ts'
import { periodOf, type Span } from './period.ts'

export const MINUTE_MS = 60_000
/** When to come again after too many calls at once: nobody knows when one ends. */
export const BUSY_RETRY_MS = 1_000

/** Use in the current period, as the rollup tells it. */
export interface Used {
  userId: number
  keyId: number
  tokens: number
  costMicros: number
}

export interface Holds {
  admit(call: Admission): Admitted
  /** Frees the hold of a call and counts what it really used. Does nothing for a call that holds nothing. */
  settle(record: CallRecord): void
  /** Starts the count from what is recorded already. */
  seed(used: readonly Used[]): void
  /** The period that is counted now. */
  span(): Span
}

interface Account {
  tokens: number
  costMicros: number
  heldTokens: number
  heldMicros: number
  running: number
  /** Arrival times of the last calls, as a ring of `requestsPerMinute` entries. */
  arrivals: Float64Array
  next: number
}
interface Hold {
  user: Account
  key: Account
  tokens: number
  costMicros: number
}

export function createHolds(clock: Clock, period: Period): Holds {
  let span = periodOf(period, clock.now())
  const users = new Map<number, Account>()
  const keys = new Map<number, Account>()
  const holds = new Map<string, Hold>()

  function roll(now: number) {
    if (now < span.end && now >= span.start) return
    const next = periodOf(period, now)
    // A clock that was set back must not give the budget out twice.
    if (next.start < span.start) return
    span = next
    for (const account of [...users.values(), ...keys.values()]) account.tokens = account.costMicros = 0
  }

  return {
    span: () => span,
    seed(used) {
      for (const { userId, keyId, tokens, costMicros } of used) {
        add(accountOf(users, userId), tokens, costMicros)
        add(accountOf(keys, keyId), tokens, costMicros)
      }
    },
    admit(call) {
      const now = clock.now()
      roll(now)
      const user = accountOf(users, call.begun.userId)
      const key = accountOf(keys, call.begun.keyId)
      const elapsed = clock.elapsed()
      for (const [scope, account, limits] of [
        ['user', user, call.user],
        ['key', key, call.key],
      ] as const) {
        const exceeded = exceededBy(account, limits, call, elapsed)
        if (exceeded) {
          const waitMs = exceeded.waitMs
          return {
            ok: false,
            limit: exceeded.limit,
            scope,
            resetAt: waitMs === undefined ? span.end : now + waitMs,
          }
        }
      }
      take(user, call, call.user.requestsPerMinute, elapsed)
      take(key, call, call.key.requestsPerMinute, elapsed)
      holds.set(call.begun.id, { user, key, tokens: call.tokens, costMicros: call.costMicros })
      return { ok: true, used: shareUsed(user, call.user), resetAt: span.end }
    },
    settle(record) {
      const hold = holds.get(record.id)
      if (!hold) return
      holds.delete(record.id)
      const counts = record.createdAt >= span.start
      const tokens = counts ? tokensOf(record) : 0
      const costMicros = counts ? record.costMicros : 0
      for (const account of [hold.user, hold.key]) {
        account.running -= 1
        account.heldTokens -= hold.tokens
        account.heldMicros -= hold.costMicros
        add(account, tokens, costMicros)
      }
    },
  }
}

function exceededBy(
  account: Account,
  limits: Limits,
  call: Admission,
  elapsed: number,
): { limit: LimitName; waitMs: number | undefined } | undefined {
  const { quotaTokens, budgetMicros, concurrentRequests, requestsPerMinute } = limits
  if (quotaTokens > 0 && account.tokens + account.heldTokens + call.tokens > quotaTokens) {
    return { limit: 'quota', waitMs: undefined }
  }
  if (budgetMicros > 0 && account.costMicros + account.heldMicros + call.costMicros > budgetMicros) {
    return { limit: 'budget', waitMs: undefined }
  }
  if (concurrentRequests > 0 && account.running >= concurrentRequests) {
    return { limit: 'concurrency', waitMs: BUSY_RETRY_MS }
  }
  if (requestsPerMinute > 0) {
    const age = elapsed - oldestOf(account, requestsPerMinute)
    if (age < MINUTE_MS) return { limit: 'requests_per_minute', waitMs: MINUTE_MS - age }
  }
  return undefined
}

/** When the call came that leaves the window first: with a full ring nothing may come until it is a minute old. */
function oldestOf(account: Account, size: number): number {
  if (account.arrivals.length !== size) {
    const latest = Array.from(
      account.arrivals,
      (_, i, all = account.arrivals) => all[(account.next + i) % all.length] ?? 0,
    )
    account.arrivals = new Float64Array(size).fill(Number.NEGATIVE_INFINITY)
    account.arrivals.set(latest.slice(-size), Math.max(0, size - latest.length))
    account.next = 0
  }
  return account.arrivals[account.next] ?? Number.NEGATIVE_INFINITY
}

function take(account: Account, call: Admission, requestsPerMinute: number, elapsed: number) {
  account.running += 1
  account.heldTokens += call.tokens
  account.heldMicros += call.costMicros
  if (requestsPerMinute === 0) return
  account.arrivals[account.next] = elapsed
  account.next = (account.next + 1) % account.arrivals.length
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

function accountOf(accounts: Map<number, Account>, id: number): Account {
  let account = accounts.get(id)
  if (!account) {
    account = {
      tokens: 0,
      costMicros: 0,
      heldTokens: 0,
      heldMicros: 0,
      running: 0,
      arrivals: new Float64Array(0),
      next: 0,
    }
    accounts.set(id, account)
  }
  return account
}

function add(account: Account, tokens: number, costMicros: number) {
  account.tokens += tokens
  account.costMicros += costMicros
}

/** All tokens of a call, of whatever kind, as quotas count them. */
export function tokensOf(record: CallRecord): number {
  const { inputTokens, outputTokens, cacheReadTokens, cacheWrite5mTokens, cacheWrite1hTokens } = record
  return inputTokens + outputTokens + cacheReadTokens + cacheWrite5mTokens + cacheWrite1hTokens
}

/**
 * Limits of users and keys, in the memory of one process: what is used, what is held for calls under way, how many
 * calls run and when the last ones came. Synchronous, so that no two calls can be admitted on the same last token.
 */

import { totalTokens } from '../metering/tokens.ts'
import type { Admission, Admitted, CallRecord, Clock, Estimate, Ledger, Limits } from '../ports.ts'
import type { Period } from '../settings.ts'
import { MINUTE_MS } from '../units.ts'
import { holdOf, paceRefusal, refusalOf, type Standing, shareUsed } from './decide.ts'
import { type PeriodSpan, periodOf } from './period.ts'
import { type CallWindow, createCallWindow } from './window.ts'

/** What was used in the current period, as the sums in the database tell it. */
export interface Used {
  userId: number
  keyId: number
  tokens: number
  costMicros: number
}

export interface LimitCounters {
  reserve(call: Admission): Admitted
  /** Counts a call that a shared store has just admitted. */
  count(call: Admission): void
  /** As in Ledger. */
  peek: Ledger['peek']
  /** Holds the worst case of a call that was admitted before these counters were made. */
  restore(call: Admission): void
  /** Frees the hold of a call and counts what it really used. Does nothing for a call that holds nothing. */
  settle(record: CallRecord): void
  /** Counts what a call used that these counters never held: one of another process. */
  addUse(record: CallRecord): void
  /** Starts the count from what is recorded already. */
  seed(used: readonly Used[]): void
  /** The period that is counted now. */
  span(): PeriodSpan
  /** How many users and keys are remembered. */
  size(): number
}

interface Account {
  tokens: number
  costMicros: number
  heldTokens: number
  heldMicros: number
  running: number
  /** Only of those whose requests per minute are limited. */
  calls: CallWindow | undefined
}
interface Hold extends Estimate {
  user: Account
  key: Account
}

export function createLimitCounters(clock: Clock, period: Period): LimitCounters {
  let span = periodOf(period, clock.now())
  let sweptAt = clock.elapsed()
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
  /** Once a minute, forgets empty windows, and whoever has no call under way and no use in this period. */
  function sweep(elapsed: number) {
    if (elapsed - sweptAt < MINUTE_MS) return
    sweptAt = elapsed
    for (const accounts of [users, keys]) {
      for (const [id, account] of accounts) {
        if (account.calls?.isEmpty(elapsed)) account.calls = undefined
        const { tokens, costMicros, running, calls } = account
        if (!calls && running === 0 && tokens === 0 && costMicros === 0) accounts.delete(id)
      }
    }
  }
  function hold({ begun: { id, userId, keyId } }: Admission, { tokens, costMicros }: Estimate) {
    const user = accountOf(users, userId)
    const key = accountOf(keys, keyId)
    for (const account of [user, key]) {
      account.running += 1
      account.heldTokens += tokens
      account.heldMicros += costMicros
    }
    holds.set(id, { user, key, tokens, costMicros })
  }

  function count(call: Admission, held: Estimate) {
    const { userId, keyId } = call.begun
    hold(call, held)
    if (call.user.requestsPerMinute > 0) remember(accountOf(users, userId), clock.elapsed())
    if (call.key.requestsPerMinute > 0) remember(accountOf(keys, keyId), clock.elapsed())
  }

  return {
    span: () => span,
    size: () => users.size + keys.size,
    seed(used) {
      for (const { userId, keyId, tokens, costMicros } of used) {
        for (const account of [accountOf(users, userId), accountOf(keys, keyId)]) {
          account.tokens += tokens
          account.costMicros += costMicros
        }
      }
    },
    reserve(call) {
      const now = clock.now()
      const elapsed = clock.elapsed()
      roll(now)
      sweep(elapsed)
      const user = accountOf(users, call.begun.userId)
      const key = accountOf(keys, call.begun.keyId)
      const ofUser = standingOf(user, call.user.requestsPerMinute, elapsed)
      const ofKey = standingOf(key, call.key.requestsPerMinute, elapsed)
      const refusal = refusalOf(call, ofUser, ofKey, { now, periodEnd: span.end })
      if (refusal) return refusal
      count(call, holdOf(call, ofUser, ofKey))
      return { ok: true, used: shareUsed(user, call.user), resetAt: span.end }
    },
    count(call) {
      sweep(clock.elapsed())
      count(call, call.worst)
    },
    peek({ userId, keyId, userLimits, keyLimits }, reading) {
      if (!hasPace(userLimits) && !hasPace(keyLimits)) return undefined
      const elapsed = clock.elapsed()
      const pace = (account: Account | undefined, limits: Limits, more: number) => {
        const places = limits.requestsPerMinute - more
        const isLimited = limits.requestsPerMinute > 0
        const full = places > 0 ? (account?.calls?.waitMs(places, elapsed) ?? 0) : MINUTE_MS
        return { running: (account?.running ?? 0) + more, waitMs: isLimited ? full : 0 }
      }
      const user = pace(users.get(userId), userLimits, reading.user)
      const key = pace(keys.get(keyId), keyLimits, reading.key)
      return paceRefusal([userLimits, user], [keyLimits, key], clock.now())
    },
    restore: (call) => hold(call, call.worst),
    addUse: (record) => addUse(record, span, accountOf(users, record.userId), accountOf(keys, record.keyId)),
    settle(record) {
      const held = holds.get(record.id)
      if (!held) return
      holds.delete(record.id)
      for (const account of [held.user, held.key]) {
        account.running -= 1
        account.heldTokens -= held.tokens
        account.heldMicros -= held.costMicros
      }
      addUse(record, span, held.user, held.key)
    },
  }
}

function addUse(record: CallRecord, { start }: PeriodSpan, ...accounts: Account[]) {
  if (record.createdAt < start) return
  for (const account of accounts) {
    account.tokens += totalTokens(record)
    account.costMicros += record.costMicros
  }
}

function hasPace({ concurrentRequests, requestsPerMinute }: Limits): boolean {
  return concurrentRequests > 0 || requestsPerMinute > 0
}

function standingOf(account: Account, requestsPerMinute: number, elapsed: number): Standing {
  const { tokens, costMicros, heldTokens, heldMicros, running, calls } = account
  const waitMs = requestsPerMinute > 0 ? (calls?.waitMs(requestsPerMinute, elapsed) ?? 0) : 0
  return { tokens, costMicros, heldTokens, heldMicros, running, waitMs }
}

function remember(account: Account, elapsed: number) {
  account.calls ??= createCallWindow()
  account.calls.add(elapsed)
}

function accountOf(accounts: Map<number, Account>, id: number): Account {
  let account = accounts.get(id)
  if (!account) {
    account = { tokens: 0, costMicros: 0, heldTokens: 0, heldMicros: 0, running: 0, calls: undefined }
    accounts.set(id, account)
  }
  return account
}

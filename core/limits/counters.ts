/**
 * Limit counters in the memory of one process: what is used, what is held for calls under way, how many calls run and when
 * the last ones came. Synchronous, so that no two calls can be admitted on the same last token.
 */

import { totalTokens } from '../metering/tokens.ts'
import type {
  Admission,
  Admitted,
  CallRecord,
  Clock,
  Counter,
  Estimate,
  Ledger,
  Limits,
  Scope,
} from '../ports.ts'
import type { Period } from '../settings.ts'
import { MINUTE_MS } from '../units.ts'
import { admitted, type CounterStanding, holdOf, paceRefusal, refusalOf, type Standing } from './decide.ts'
import { type PeriodSpan, periodOf } from './period.ts'
import { type CallWindow, createCallWindow } from './window.ts'

/** What was used in the current period, as the sums in the database tell it. */
export interface Used {
  userId: number
  keyId: number
  tokens: number
  costMicros: number
}

/** What counters need of a call that asks for admission. */
type Asking = Omit<Admission, 'begun'> & { begun: Pick<CallRecord, 'id'> }
/** What they need of one that is over, and where they never held anything for it. */
type Ended = Parameters<typeof totalTokens>[0] & Pick<CallRecord, 'id' | 'createdAt' | 'costMicros'>
type EndedElsewhere = Ended & Pick<CallRecord, 'userId' | 'keyId'>

export interface LimitCounters {
  reserve(call: Asking): Admitted
  /** Counts a call that a shared store has just admitted. */
  count(call: Asking): void
  /** As in Ledger. */
  peek: Ledger['peek']
  /** Holds the worst case of a call that was admitted before these counters were made. */
  restore(call: Asking): void
  /** Frees the hold of a call and counts what it really used. False, and nothing is done, for a call that holds nothing. */
  settle(record: Ended): boolean
  /** Counts what a call used that these counters never held: one of another process. */
  addUse(record: EndedElsewhere): void
  /** Starts the count from what is recorded already. */
  seed(used: readonly Used[]): void
  /** Replaces what was used in the period. Holds and times of calls stay. */
  reseed(used: readonly Used[]): void
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
  accounts: readonly Account[]
}

export function createLimitCounters(clock: Clock, period: Period): LimitCounters {
  let span = periodOf(period, clock.now())
  let sweptAt = clock.elapsed()
  const accounts = createAccounts()
  const holds = new Map<string, Hold>()

  function roll(now: number) {
    if (now < span.end && now >= span.start) return
    const next = periodOf(period, now)
    // A clock that was set back must not give the budget out twice.
    if (next.start < span.start) return
    span = next
    accounts.forgetUse()
  }
  function sweep(elapsed: number) {
    if (elapsed - sweptAt < MINUTE_MS) return
    sweptAt = elapsed
    accounts.sweep(elapsed)
  }
  function hold({ begun, counters }: Asking, { tokens, costMicros }: Estimate) {
    const held = counters.map(accounts.of)
    for (const account of held) {
      account.running += 1
      account.heldTokens += tokens
      account.heldMicros += costMicros
    }
    holds.set(begun.id, { accounts: held, tokens, costMicros })
  }

  function count(call: Asking, held: Estimate, elapsed: number) {
    hold(call, held)
    for (const counter of call.counters) {
      if (counter.limits.requestsPerMinute > 0) remember(accounts.of(counter), elapsed)
    }
  }

  return {
    span: () => span,
    size: accounts.size,
    seed: accounts.seed,
    reseed(used) {
      accounts.forgetUse()
      accounts.seed(used)
    },
    reserve(call) {
      const now = clock.now()
      const elapsed = clock.elapsed()
      roll(now)
      sweep(elapsed)
      const standings = call.counters.map((counter) => standingOf(counter, accounts.of(counter), elapsed))
      const refusal = refusalOf(standings, { now, periodEnd: span.end })
      if (refusal) return refusal
      count(call, holdOf(call, standings), elapsed)
      return admitted(standings, span.end)
    },
    count(call) {
      const elapsed = clock.elapsed()
      sweep(elapsed)
      count(call, call.worst, elapsed)
    },
    peek(counters, reading) {
      if (!counters.some(hasPace)) return undefined
      const elapsed = clock.elapsed()
      const paces = counters.map((counter) => {
        const standing = paceOf(counter.limits, accounts.known(counter), reading(counter), elapsed)
        return { ...counter, standing }
      })
      return paceRefusal(paces, clock.now())
    },
    restore: (call) => hold(call, call.worst),
    addUse: (record) => addUse(record, span, scopesOf(record).map(accounts.of)),
    settle(record) {
      const held = holds.get(record.id)
      if (!held) return false
      holds.delete(record.id)
      for (const account of held.accounts) {
        account.running -= 1
        account.heldTokens -= held.tokens
        account.heldMicros -= held.costMicros
      }
      addUse(record, span, held.accounts)
      return true
    },
  }
}

/** What a call counts against, as its record tells it. */
export function scopesOf({ userId, keyId }: Pick<CallRecord, 'userId' | 'keyId'>): Scope[] {
  return [
    { scope: 'user', id: userId },
    { scope: 'key', id: keyId },
  ]
}

function addUse(record: Ended, { start }: PeriodSpan, accounts: readonly Account[]) {
  if (record.createdAt < start) return
  for (const account of accounts) {
    account.tokens += totalTokens(record)
    account.costMicros += record.costMicros
  }
}

function hasPace({ limits }: Counter): boolean {
  return limits.concurrentRequests > 0 || limits.requestsPerMinute > 0
}

/** How busy an account is once `more` calls have arrived. */
function paceOf(limits: Limits, account: Account | undefined, more: number, elapsed: number) {
  const places = limits.requestsPerMinute - more
  const full = places > 0 ? (account?.calls?.waitMs(places, elapsed) ?? 0) : MINUTE_MS
  return { running: (account?.running ?? 0) + more, waitMs: limits.requestsPerMinute > 0 ? full : 0 }
}

function standingOf({ scope, id, limits }: Counter, account: Account, elapsed: number): CounterStanding {
  const { tokens, costMicros, heldTokens, heldMicros, running, calls } = account
  const { requestsPerMinute } = limits
  const waitMs = requestsPerMinute > 0 ? (calls?.waitMs(requestsPerMinute, elapsed) ?? 0) : 0
  const standing: Standing = { tokens, costMicros, heldTokens, heldMicros, running, waitMs }
  return { scope, id, limits, standing }
}

function remember(account: Account, elapsed: number) {
  account.calls ??= createCallWindow()
  account.calls.add(elapsed)
}

function createAccounts() {
  const all = { user: new Map<number, Account>(), key: new Map<number, Account>() }
  function of({ scope, id }: Scope): Account {
    const known = all[scope].get(id)
    if (known) return known
    const account = { tokens: 0, costMicros: 0, heldTokens: 0, heldMicros: 0, running: 0, calls: undefined }
    all[scope].set(id, account)
    return account
  }
  return {
    of,
    known: ({ scope, id }: Scope) => all[scope].get(id),
    size: () => all.user.size + all.key.size,
    forgetUse() {
      for (const accounts of Object.values(all)) {
        for (const account of accounts.values()) account.tokens = account.costMicros = 0
      }
    },
    seed(used: readonly Used[]) {
      for (const { userId, keyId, tokens, costMicros } of used) {
        for (const account of scopesOf({ userId, keyId }).map(of)) {
          account.tokens += tokens
          account.costMicros += costMicros
        }
      }
    },
    /** Forgets empty windows, and whoever has no call under way and no use in this period. */
    sweep(elapsed: number) {
      for (const accounts of Object.values(all)) {
        for (const [id, account] of accounts) {
          if (account.calls?.isEmpty(elapsed)) account.calls = undefined
          const { tokens, costMicros, running, calls } = account
          if (!calls && running === 0 && tokens === 0 && costMicros === 0) accounts.delete(id)
        }
      }
    },
  }
}

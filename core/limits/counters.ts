/**
 * Limit counters in the memory of one process: what is used, what is held for calls under way, how many calls run and when
 * the last ones came. Synchronous, so that no two calls can be admitted on the same last token.
 *
 * They know no calendar: each call tells when its periods began, and what was used in an earlier one is then forgotten.
 */

import { minuteTokens, totalTokens } from '../metering/tokens.ts'
import type { Admission, Admitted, CallRecord, Clock, Counter, Estimate, Ledger } from '../ports.ts'
import { MINUTE_MS } from '../units.ts'
import { type Account, type Accounts, createAccounts, type Spent } from './accounts.ts'
import { holdOf, ownShare, paceRefusal, refusalOf } from './decide.ts'
import { ownersOf } from './owner.ts'

/** What counters need of a call that asks for admission. */
type Asking = Omit<Admission, 'begun'> & { begun: Pick<CallRecord, 'id' | 'periodStarts'> }
/** What they need of one that is over, and where they never held anything for it. */
type Ended = Parameters<typeof totalTokens>[0] & Pick<CallRecord, 'id' | 'periodStarts' | 'costMicros'>
type EndedElsewhere = Ended & Parameters<typeof ownersOf>[0]

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
  /** Starts the count from what is recorded already; of several periods of a kind the latest counts. */
  seed(spent: readonly Spent[]): void
  /** Replaces what was used. Holds and times of calls stay. */
  reseed(spent: readonly Spent[]): void
  /** How many owners are remembered. */
  size(): number
}

interface Hold extends Estimate {
  accounts: readonly Account[]
}

export function createLimitCounters(clock: Clock): LimitCounters {
  const accounts = createAccounts()
  const holds = new Map<string, Hold>()
  const sweep = createSweep(clock, accounts)

  function hold({ begun }: Asking, held: readonly Account[], { tokens, costMicros }: Estimate) {
    for (const account of held) {
      account.running += 1
      account.heldTokens += tokens
      account.heldMicros += costMicros
    }
    holds.set(begun.id, { accounts: held, tokens, costMicros })
  }
  function count(call: Asking, held: readonly Account[], amount: Estimate, elapsed: number) {
    hold(call, held, amount)
    for (let i = 0; i < held.length; i++) held[i]?.remember(call.counters[i]?.limits, elapsed)
  }
  const accountsOf = ({ begun, counters }: Asking) => {
    const held = counters.map(accounts.of)
    const now = clock.now()
    for (const account of held) account.roll(begun.periodStarts, now)
    return held
  }

  return {
    size: accounts.size,
    seed: (spent) => accounts.seed(spent, clock.now()),
    reseed(spent) {
      accounts.forgetUse()
      accounts.seed(spent, clock.now())
    },
    reserve(call) {
      const elapsed = clock.elapsed()
      sweep(elapsed)
      const { counters, periodEnds } = call
      const asked = accountsOf(call)
      for (let i = 0; i < asked.length; i++) asked[i]?.measure(counters[i]?.limits, 0, elapsed)
      const refusal = refusalOf(counters, asked, { now: clock.now(), periodEnds })
      if (refusal) return refusal
      const used = ownShare(counters, asked, periodEnds)
      count(call, asked, holdOf(call, counters, asked), elapsed)
      return { ok: true, used }
    },
    count(call) {
      const elapsed = clock.elapsed()
      sweep(elapsed)
      count(call, accountsOf(call), call.worst, elapsed)
    },
    peek(counters, reading) {
      if (!counters.some(hasPace)) return undefined
      const elapsed = clock.elapsed()
      const paces = counters.map((counter) => accounts.paceOf(counter, reading(counter), elapsed))
      return paceRefusal(counters, paces, clock.now())
    },
    restore: (call) => hold(call, accountsOf(call), call.worst),
    addUse: (record) => addUse(record, ownersOf(record).map(accounts.of), clock),
    settle(record) {
      const held = holds.get(record.id)
      if (!held) return false
      holds.delete(record.id)
      for (const account of held.accounts) {
        account.running -= 1
        account.heldTokens -= held.tokens
        account.heldMicros -= held.costMicros
      }
      addUse(record, held.accounts, clock)
      return true
    },
  }
}

function addUse(record: Ended, accounts: readonly Account[], clock: Clock) {
  const elapsed = clock.elapsed()
  const now = clock.now()
  const used = { tokens: totalTokens(record), micros: record.costMicros }
  const inMinute = minuteTokens(record)
  for (const account of accounts) {
    account.use(record.periodStarts, used, now)
    account.minute?.add(inMinute, elapsed)
  }
}

function hasPace({ limits }: Counter): boolean {
  return limits.concurrentRequests > 0 || limits.requestsPerMinute > 0 || limits.tokensPerMinute > 0
}

/** Forgets once a minute who has nothing to be remembered. */
function createSweep(clock: Clock, accounts: Accounts): (elapsed: number) => void {
  let sweptAt = clock.elapsed()
  return (elapsed) => {
    if (elapsed - sweptAt < MINUTE_MS) return
    sweptAt = elapsed
    accounts.sweep(elapsed)
  }
}

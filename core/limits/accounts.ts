/** What limit counters in memory remember of each owner. */
import type { Counter, Limits, Owner, PeriodStarts } from '../ports.ts'
import type { Period } from '../settings.ts'
import { isAhead } from '../skew.ts'
import { MINUTE_MS } from '../units.ts'
import { BUSY_RETRY_MS, type Pace, type Standing } from './decide.ts'
import { parseOwner } from './owner.ts'
import { PERIOD_INDEX } from './period.ts'
import { createTokenWindow, type TokenWindow } from './token-window.ts'
import { type CallWindow, createCallWindow } from './window.ts'

/** What an owner used in a period, as limit_spent tells it. */
export interface Spent {
  /** As ownerText has it. */
  owner: string
  period: Period
  /** First ms of the period. */
  start: number
  micros: number
  tokens: number
}

const TOTAL = PERIOD_INDEX.total

/** A standing that is kept up to date. */
export class Account implements Standing {
  /** Of the day, week and month that are counted. */
  readonly starts = [0, 0, 0]
  readonly tokens = [0, 0, 0, 0]
  readonly micros = [0, 0, 0, 0]
  heldTokens = 0
  heldMicros = 0
  running = 0
  waitMs = 0
  tokensWaitMs = 0
  /** Only of those whose requests per minute are limited. */
  calls: CallWindow | undefined = undefined
  /** Only of those whose tokens per minute are limited. */
  minute: TokenWindow | undefined = undefined

  /**
   * Forgets the use of periods before these. Earlier ones change nothing, so that a clock that was set back gives nothing out
   * twice, unless the known one lies ahead of `now`: use would not count until it comes.
   */
  roll(starts: PeriodStarts, now: number) {
    for (let i = 0; i < TOTAL; i++) {
      const start = starts[i] ?? 0
      const known = this.starts[i] ?? 0
      if (start === known || (start < known && !isAhead(known, now))) continue
      this.starts[i] = start
      this.tokens[i] = this.micros[i] = 0
    }
  }

  /** Counts use in the periods that began then, unless they are over. */
  use(starts: PeriodStarts, { tokens, micros }: { tokens: number; micros: number }, now: number) {
    this.roll(starts, now)
    for (let i = 0; i <= TOTAL; i++) {
      if (i !== TOTAL && starts[i] !== this.starts[i]) continue
      this.tokens[i] = (this.tokens[i] ?? 0) + tokens
      this.micros[i] = (this.micros[i] ?? 0) + micros
    }
  }

  /** Sets how long the minute has no room, once `more` calls have arrived. */
  measure(limits: Limits | undefined, more: number, elapsed: number) {
    const pace = limits && paceOf(this, limits, more, elapsed)
    this.waitMs = pace?.waitMs ?? 0
    this.tokensWaitMs = pace?.tokensWaitMs ?? 0
  }

  /** A call begins now. */
  remember(limits: Limits | undefined, elapsed: number) {
    if (!limits) return
    if (limits.requestsPerMinute > 0) {
      this.calls ??= createCallWindow()
      this.calls.add(elapsed)
    }
    if (limits.tokensPerMinute > 0) this.minute ??= createTokenWindow()
  }

  /** Forgets empty windows. Whether nothing is left to be remembered. */
  isIdle(elapsed: number): boolean {
    if (this.calls?.isEmpty(elapsed)) this.calls = undefined
    if (this.running === 0 && this.minute?.isEmpty(elapsed)) this.minute = undefined
    if (this.running > 0 || this.calls || this.minute) return false
    return this.tokens.every((tokens) => tokens === 0) && this.micros.every((micros) => micros === 0)
  }
}

const UNLIMITED_PACE = { waitMs: 0, tokensWaitMs: 0 }

/** How long the minute of an account (undefined: nobody called before) has no room once `more` calls have arrived. */
function paceOf(account: Account | undefined, limits: Limits, more: number, elapsed: number) {
  const { requestsPerMinute, tokensPerMinute } = limits
  if (requestsPerMinute === 0 && tokensPerMinute === 0) return UNLIMITED_PACE
  const places = requestsPerMinute - more
  const full = places > 0 ? (account?.calls?.waitMs(places, elapsed) ?? 0) : MINUTE_MS
  const tokensLeft = tokensPerMinute - (account?.heldTokens ?? 0)
  // What is held becomes use at any time.
  const spent = tokensLeft > 0 ? (account?.minute?.waitMs(tokensLeft, elapsed) ?? 0) : BUSY_RETRY_MS
  return { waitMs: requestsPerMinute > 0 ? full : 0, tokensWaitMs: tokensPerMinute > 0 ? spent : 0 }
}

export type Accounts = ReturnType<typeof createAccounts>

export function createAccounts() {
  const all = {
    user: new Map<number, Account>(),
    key: new Map<number, Account>(),
    group: new Map<number, Account>(),
    organisation: new Map<number, Account>(),
  }
  const scopes = Object.values(all)
  function of({ scope, id }: Owner): Account {
    const known = all[scope].get(id)
    if (known) return known
    const account = new Account()
    all[scope].set(id, account)
    return account
  }
  return {
    of,
    /** How busy an owner is once `more` calls have arrived. Remembers nothing. */
    paceOf(counter: Counter, more: number, elapsed: number): Pace {
      const account = all[counter.scope].get(counter.id)
      const { waitMs, tokensWaitMs } = paceOf(account, counter.limits, more, elapsed)
      return { running: (account?.running ?? 0) + more, waitMs, tokensWaitMs }
    },
    size: () => scopes.reduce((sum, accounts) => sum + accounts.size, 0),
    forgetUse() {
      for (const accounts of scopes) {
        for (const account of accounts.values()) {
          account.tokens.fill(0)
          account.micros.fill(0)
        }
      }
    },
    seed(spent: readonly Spent[], now: number) {
      for (const { owner, period, start, tokens, micros } of spent) {
        const account = of(parseOwner(owner))
        const index = PERIOD_INDEX[period]
        if (index !== TOTAL) {
          const known = account.starts[index] ?? 0
          if (start < known && !isAhead(known, now)) continue
          account.starts[index] = start
        }
        account.tokens[index] = tokens
        account.micros[index] = micros
      }
    },
    /** Forgets whoever has no call under way and no use. */
    sweep(elapsed: number) {
      for (const accounts of scopes) {
        for (const [id, account] of accounts) if (account.isIdle(elapsed)) accounts.delete(id)
      }
    },
  }
}

/** What limits are, what a call that asks for admission tells, and what it is answered. */
import type { CallRecord, PeriodStarts } from '../record.ts'
import type { Period } from '../settings.ts'

/** What may be used in each period of a kind: tokens and micro-dollars. undefined = any amount; 0 = nothing may be used. */
export interface AmountLimit {
  period: Period
  tokens?: number | undefined
  micros?: number | undefined
}

/** What an owner of limits may use. Of rates, 0 means no limit. */
export interface Limits {
  /** At most one of each period. */
  amounts: readonly AmountLimit[]
  requestsPerMinute: number
  /** Input without cache reads, and output. */
  tokensPerMinute: number
  concurrentRequests: number
}
type RateName = 'requests_per_minute' | 'tokens_per_minute' | 'concurrency'

/** Tokens of all kinds together and what they cost in micro-dollars. */
export interface Estimate {
  tokens: number
  costMicros: number
}

/**
 * Who or what has limits. Ids are those of users, keys and groups; 0 for the organisation. The limits of a group and of the
 * organisation are pools, which all calls that are booked to them share.
 */
export interface Owner {
  scope: 'user' | 'key' | 'group' | 'organisation'
  id: number
}
/** What a call counts against, and its limits. */
export interface Counter extends Owner {
  limits: Limits
  /** Of a group. */
  name?: string
}

/** A call that asks for admission, with what is held against its limits until it is settled. */
export interface Admission {
  /** The row to write if this process dies before the call is settled: outcome `interrupted`, figures estimated. */
  begun: CallRecord
  /** When the periods of `begun.periodStarts` end, ms since 1970. */
  periodEnds: PeriodStarts
  /**
   * The user, the key, the booked group, its parents and the organisation, in this order, whether limited or not. All of them
   * admit the call, or none holds anything for it.
   */
  counters: readonly Counter[]
  /** The most that the call can use; held when a limit is nearly used up. */
  worst: Estimate
  /** Held instead of `worst` while much of every limit is left; never more than `worst`. */
  usual: Estimate
}
/** How much of a limit is used. `share`: 0..1 and above. `resetAt`: when its period ends, ms since 1970. */
export interface UsedShare {
  share: number
  period: Period
  resetAt: number
}
/** `resetAt`: ms since 1970. */
export type Denied = Owner & { ok: false; resetAt: number } & (
    | { limit: RateName }
    /** `held`: the limit is not used up, but calls under way hold what is left of it. */
    | { limit: 'quota' | 'budget'; period: Period; held: boolean }
  )
export type Admitted =
  /** `used`: of the person's own limits the one of which the largest share is used; undefined without any. */
  { ok: true; used: UsedShare | undefined } | Denied | { ok: false; limit: 'unavailable' }

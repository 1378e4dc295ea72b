/** Both sides of a change, as the audit writes them. */
import { usdOf } from '../units.ts'

/** Only the fields that differ. Those that `after` leaves undefined did not change. */
export function changeOf<T extends object>(before: T, after: T): { before: Partial<T>; after: Partial<T> } {
  const isChanged = ([name]: [string, unknown]) => {
    const now = Reflect.get(after, name)
    // By their text, because lists are equal if their items are.
    return now !== undefined && JSON.stringify(now) !== JSON.stringify(Reflect.get(before, name))
  }
  const only = (from: T) => Object.fromEntries(Object.entries(from).filter(isChanged))
  // The casts hold because both are objects of type T less some fields.
  return { before: only(before) as Partial<T>, after: only(after) as Partial<T> }
}

/** Limits of a user or key; null = as configured, undefined = unchanged. */
interface GivenLimits {
  quotaTokens?: number | undefined
  budgetMicros?: number | undefined
  requestsPerMinute?: number | null | undefined
  tokensPerMinute?: number | null | undefined
  concurrentRequests?: number | null | undefined
}

export function auditedLimits(limits: GivenLimits) {
  const { quotaTokens, budgetMicros } = limits
  return {
    quota_tokens: quotaTokens,
    budget_usd: budgetMicros === undefined ? undefined : usdOf(budgetMicros),
    ...auditedRates(limits),
  }
}

/** Rates of a user, key or group; undefined = unchanged. */
export function auditedRates({ requestsPerMinute, tokensPerMinute, concurrentRequests }: GivenLimits) {
  return {
    requests_per_minute: requestsPerMinute,
    tokens_per_minute: tokensPerMinute,
    concurrent_requests: concurrentRequests,
  }
}

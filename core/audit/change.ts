/** Both sides of a change, as the audit spells them. */
import { usdOf } from '../units.ts'

/** What differs: fields that `after` leaves out (undefined) or that are as they were stand on neither side. */
export function changeOf<T extends object>(before: T, after: T): { before: Partial<T>; after: Partial<T> } {
  const isChanged = ([name]: [string, unknown]) => {
    const now = Reflect.get(after, name)
    return now !== undefined && now !== Reflect.get(before, name)
  }
  const only = (from: T) => Object.fromEntries(Object.entries(from).filter(isChanged))
  // Both are objects of T with fields left out.
  return { before: only(before) as Partial<T>, after: only(after) as Partial<T> }
}

/** Limits of a user or a key; null is as configured. */
interface GivenLimits {
  quotaTokens?: number | undefined
  budgetMicros?: number | undefined
  requestsPerMinute?: number | null | undefined
  concurrentRequests?: number | null | undefined
}

export function auditedLimits(limits: GivenLimits) {
  const { quotaTokens, budgetMicros, requestsPerMinute, concurrentRequests } = limits
  return {
    quota_tokens: quotaTokens,
    budget_usd: budgetMicros === undefined ? undefined : usdOf(budgetMicros),
    requests_per_minute: requestsPerMinute,
    concurrent_requests: concurrentRequests,
  }
}

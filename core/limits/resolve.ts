/** From a person, their groups and the organisation to what a call counts against. Pure: the key cache calls it. */
import { type BillingGroup, billingGroupIds } from '../organisation/billing-group.ts'
import type { AmountLimit, Limits } from '../ports.ts'
import type { Period, Settings } from '../settings.ts'

/** A row of spend_limits. */
export interface LimitRow {
  period: Period
  /** Micro-dollars; null = unlimited. */
  amountMicros: number | null
  /** False: only the temporary amount says anything. */
  isSet: boolean
  temporaryMicros: number | null
  /** Ms since 1970. */
  temporaryUntil: number | null
}

type RateName = 'requestsPerMinute' | 'tokensPerMinute' | 'concurrentRequests'
/** null = nothing is said; 0 = no limit. */
type GivenRates = Record<RateName, number | null>

export interface LimitedGroup extends BillingGroup, GivenRates {
  /** What each member may spend, and what all calls that are booked to it may cost together. */
  each: readonly LimitRow[]
  pool: readonly LimitRow[]
}

export interface LimitedUser extends GivenRates {
  id: number
  kind: 'person' | 'service'
  /** Tokens per limits.period; 0 = no limit. */
  quotaTokens: number
  own: readonly LimitRow[]
  groupIds: readonly number[]
  billingGroupId: number | null
  /** The group of their department in the directory. */
  directoryGroupId: number | null
}

export interface Organisation {
  readonly groups: ReadonlyMap<number, LimitedGroup>
  each: readonly LimitRow[]
  pool: readonly LimitRow[]
}

export interface Cap {
  period: Period
  /** Micro-dollars; null = unlimited. */
  micros: number | null
  /** Whose limit it is. */
  source: 'user' | 'group' | 'organisation' | 'configuration' | 'service'
  /** Of the source `group`: which one. */
  groupId?: number
}

type Rules = Pick<Settings['limits'], 'period' | 'groupRule' | 'defaultBudgetMicros' | RateName>

const PERIODS: readonly Period[] = ['daily', 'weekly', 'monthly', 'total']
const RATES: readonly RateName[] = ['requestsPerMinute', 'tokensPerMinute', 'concurrentRequests']
const NO_RATES = { requestsPerMinute: 0, tokensPerMinute: 0, concurrentRequests: 0 }

/** What a limit says at a time: micro-dollars, null = unlimited, undefined = nothing. */
function amountAt(rows: readonly LimitRow[], period: Period, now: number): number | null | undefined {
  const row = rows.find((one) => one.period === period)
  if (!row) return undefined
  if (row.temporaryMicros !== null && now < (row.temporaryUntil ?? 0)) return row.temporaryMicros
  return row.isSet ? row.amountMicros : undefined
}

/**
 * What a person may spend in each period for which anything is said: by their own limit; else by the lowest (or highest) of
 * all their groups' limits for each member; else by the organisation's; else by limits.default_budget_usd. A service account
 * has its own limit only, and may spend nothing without one.
 */
export function capsAt(rules: Rules, organisation: Organisation, user: LimitedUser, now: number): Cap[] {
  const caps = PERIODS.flatMap((period) => capOf({ rules, organisation, user, now }, period) ?? [])
  if (user.kind === 'service' && caps.length === 0) return [{ period: 'total', micros: 0, source: 'service' }]
  return caps
}

interface Question {
  rules: Rules
  organisation: Organisation
  user: LimitedUser
  now: number
}

function capOf({ rules, organisation, user, now }: Question, period: Period): Cap | undefined {
  const own = amountAt(user.own, period, now)
  if (own !== undefined) return { period, micros: own, source: 'user' }
  if (user.kind === 'service') return undefined
  const ofGroups = user.groupIds.flatMap((id) => {
    const amount = amountAt(organisation.groups.get(id)?.each ?? [], period, now)
    return amount === undefined ? [] : [{ groupId: id, micros: amount ?? Number.POSITIVE_INFINITY }]
  })
  const isLowest = rules.groupRule === 'lowest'
  const [first] = ofGroups.toSorted((a, b) => (isLowest ? a.micros - b.micros : b.micros - a.micros))
  if (first) {
    const { groupId, micros } = first
    return { period, micros: Number.isFinite(micros) ? micros : null, source: 'group', groupId }
  }
  const ofAll = amountAt(organisation.each, period, now)
  if (ofAll !== undefined) return { period, micros: ofAll, source: 'organisation' }
  const isConfigured = period === rules.period && rules.defaultBudgetMicros > 0
  return isConfigured ? { period, micros: rules.defaultBudgetMicros, source: 'configuration' } : undefined
}

/** The limits of a person. */
export function userLimits(rules: Rules, organisation: Organisation, user: LimitedUser, now: number): Limits {
  const micros = capsAt(rules, organisation, user, now).flatMap(({ period, micros }) =>
    micros === null ? [] : [{ period, micros }],
  )
  const groups = user.groupIds.flatMap((id) => organisation.groups.get(id) ?? [])
  const rates = RATES.map((name) => [name, user[name] ?? lowestRate(groups, name) ?? rules[name]])
  // The cast holds because each name of a rate is there.
  return {
    ...(Object.fromEntries(rates) as typeof NO_RATES),
    amounts: withQuota(micros, user.quotaTokens, rules),
  }
}

/** The lowest of what the groups say, where 0 is no limit; undefined if none says anything. */
function lowestRate(groups: readonly GivenRates[], name: RateName): number | undefined {
  const said = groups.flatMap((group) => group[name] ?? [])
  if (said.length === 0) return undefined
  const limits = said.filter((rate) => rate > 0)
  return limits.length > 0 ? Math.min(...limits) : 0
}

/** Adds a quota of tokens per limits.period; 0 = none. */
export function withQuota(
  amounts: readonly AmountLimit[],
  quotaTokens: number,
  { period }: Pick<Rules, 'period'>,
): AmountLimit[] {
  if (quotaTokens === 0) return [...amounts]
  const others = amounts.filter((amount) => amount.period !== period)
  return [...others, { ...amounts.find((amount) => amount.period === period), period, tokens: quotaTokens }]
}

/** The limits of a pool. */
export function poolLimits(rows: readonly LimitRow[], now: number): Limits {
  const amounts = rows.flatMap(({ period }) => {
    const micros = amountAt(rows, period, now)
    return micros === undefined || micros === null ? [] : [{ period, micros }]
  })
  return { amounts, ...NO_RATES }
}

/** When, after `now`, the next of these limits ends by time; Infinity for none. Both in ms since 1970. */
export function nextEnd(rows: readonly LimitRow[], now: number): number {
  return rows.reduce((next, { temporaryUntil: end }) => {
    return end !== null && end > now && end < next ? end : next
  }, Number.POSITIVE_INFINITY)
}

/** The group that a key's calls are booked to, then its parents. */
export function bookedTo(organisation: Organisation, user: LimitedUser, keysGroupId: number | null) {
  return billingGroupIds(organisation.groups, user, keysGroupId)
}

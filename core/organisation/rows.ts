/** People, groups and limits as `read.ts` has them from the database: JSON lists, in the order of its columns. */
import type { LimitedGroup, LimitedUser, LimitRow } from '../limits/resolve.ts'
import type { Period } from '../settings.ts'
import type { ModelLists } from './models.ts'

const NONE: readonly never[] = []

export interface ReadUser extends LimitedUser {
  itcode: string
  /** Beside the name; null = the name says it. */
  email: string | null
  isActive: boolean
  /** Whether their keys wait for them to sign in again. */
  isPaused: boolean
  /** Canonical names of the models granted to them. */
  grants: readonly string[]
}

export type ReadGroup = LimitedGroup & ModelLists & { name: string }

export type LimitValues = [
  period: Period,
  amountMicros: number | null,
  isSet: 0 | 1,
  temporaryMicros: number | null,
  temporaryUntil: number | null,
]
type Rates = [perMinute: number | null, tokens: number | null, atOnce: number | null]
/** In the order of the columns above. */
export type GroupValues = [
  id: number,
  name: string,
  bills: 0 | 1,
  priority: number,
  parentId: number | null,
  ...Rates,
  models: [model: string, access: 'allow' | 'deny'][],
  each: LimitValues[],
  pool: LimitValues[],
]
export type UserValues = [
  id: number,
  itcode: string,
  email: string | null,
  status: string,
  kind: ReadUser['kind'],
  quotaTokens: number,
  ...Rates,
  billingGroupId: number | null,
  directoryGroupId: number | null,
  isPaused: 0 | 1,
]

function limitRow([period, amountMicros, isSet, temporaryMicros, temporaryUntil]: LimitValues): LimitRow {
  return { period, amountMicros, isSet: isSet === 1, temporaryMicros, temporaryUntil }
}

export function groupOf(values: GroupValues): ReadGroup {
  const [
    id,
    name,
    bills,
    priority,
    parentId,
    requestsPerMinute,
    tokensPerMinute,
    concurrentRequests,
    models,
    each,
    pool,
  ] = values
  const named = (wanted: string) => models.filter(([, access]) => access === wanted).map(([model]) => model)
  return {
    id,
    name,
    bills: bills === 1,
    priority,
    parentId,
    requestsPerMinute,
    tokensPerMinute,
    concurrentRequests,
    allow: named('allow'),
    deny: named('deny'),
    each: each.map(limitRow),
    pool: pool.map(limitRow),
  }
}

/** Most people have none of these lists: one empty list is theirs. */
export function userOf(
  values: UserValues,
  grants: readonly string[] = NONE,
  groupIds: readonly number[] = NONE,
  own: readonly LimitValues[] = NONE,
): ReadUser {
  const [
    id,
    itcode,
    email,
    status,
    kind,
    quotaTokens,
    requestsPerMinute,
    tokensPerMinute,
    concurrentRequests,
    billingGroupId,
    directoryGroupId,
    isPaused,
  ] = values
  return {
    id,
    itcode,
    email,
    isActive: status === 'active',
    isPaused: isPaused === 1,
    kind,
    quotaTokens,
    requestsPerMinute,
    tokensPerMinute,
    concurrentRequests,
    billingGroupId,
    directoryGroupId,
    grants,
    groupIds,
    own: own.length === 0 ? NONE : own.map(limitRow),
  }
}

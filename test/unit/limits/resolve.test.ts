import { describe, expect, test } from 'vitest'
import {
  capsAt,
  type LimitedGroup,
  type LimitedUser,
  type LimitRow,
  nextEnd,
  poolLimits,
  userLimits,
  withQuota,
} from '../../../core/limits/resolve.ts'
import type { Period } from '../../../core/settings.ts'

const NO_RATES = { requestsPerMinute: null, tokensPerMinute: null, concurrentRequests: null }
const RULES = {
  period: 'monthly',
  groupRule: 'lowest',
  defaultBudgetMicros: 0,
  requestsPerMinute: 60,
  tokensPerMinute: 0,
  concurrentRequests: 8,
} as const

const row = (amountMicros: number | null, given: Partial<LimitRow> = {}): LimitRow => ({
  period: 'monthly',
  amountMicros,
  isSet: true,
  temporaryMicros: null,
  temporaryUntil: null,
  ...given,
})
const group = (id: number, each: LimitRow[], given: Partial<LimitedGroup> = {}): LimitedGroup => ({
  id,
  bills: true,
  priority: 100,
  parentId: null,
  ...NO_RATES,
  each,
  pool: [],
  ...given,
})
const user = (given: Partial<LimitedUser> = {}): LimitedUser => ({
  id: 7,
  kind: 'person',
  quotaTokens: 0,
  own: [],
  groupIds: [],
  billingGroupId: null,
  directoryGroupId: null,
  ...NO_RATES,
  ...given,
})
const organisation = (groups: LimitedGroup[] = [], each: LimitRow[] = []) => ({
  groups: new Map(groups.map((one) => [one.id, one])),
  each,
  pool: [],
})

describe('what a person may spend', () => {
  const groups = [group(1, [row(300)]), group(2, [row(200)]), group(3, [row(null)]), group(4, [])]
  const monthly = (given: Partial<LimitedUser>, rules: object = {}, all = organisation(groups, [row(900)])) =>
    capsAt({ ...RULES, ...rules }, all, user(given), 0).find(({ period }) => period === 'monthly')

  test('is their own limit, whatever else is said', () => {
    expect(monthly({ own: [row(5000)], groupIds: [1] })).toMatchObject({ micros: 5000, source: 'user' })
    expect(monthly({ own: [row(0)], groupIds: [3] })).toMatchObject({ micros: 0, source: 'user' })
    expect(monthly({ own: [row(null)], groupIds: [2] })).toMatchObject({ micros: null, source: 'user' })
  })

  test('else the lowest or highest of all their groups, of which an unlimited one is the highest', () => {
    expect(monthly({ groupIds: [1, 2, 3, 4] })).toMatchObject({ micros: 200, source: 'group' })
    expect(monthly({ groupIds: [1, 2, 4] }, { groupRule: 'highest' })).toMatchObject({ micros: 300 })
    expect(monthly({ groupIds: [1, 2, 3] }, { groupRule: 'highest' })).toMatchObject({
      micros: null,
      source: 'group',
    })
    expect(monthly({ groupIds: [3] })).toMatchObject({ micros: null, source: 'group' })
  })

  test("else the organisation's, else the configuration's for its period, else anything", () => {
    expect(monthly({ groupIds: [4] })).toMatchObject({ micros: 900, source: 'organisation' })
    const rules = { defaultBudgetMicros: 7 }
    expect(capsAt({ ...RULES, ...rules }, organisation(), user(), 0)).toEqual([
      { period: 'monthly', micros: 7, source: 'configuration' },
    ])
    expect(monthly({}, rules)).toMatchObject({ micros: 900, source: 'organisation' })
    expect(capsAt(RULES, organisation(), user(), 0)).toEqual([])
  })

  test('is resolved for each period by itself', () => {
    const daily = (amount: number) => row(amount, { period: 'daily' })
    const all = organisation([group(1, [daily(3)])], [row(900)])
    expect(capsAt(RULES, all, user({ groupIds: [1], own: [row(5, { period: 'weekly' })] }), 0)).toEqual([
      { period: 'daily', micros: 3, source: 'group', groupId: 1 },
      { period: 'weekly', micros: 5, source: 'user' },
      { period: 'monthly', micros: 900, source: 'organisation' },
    ])
  })

  test('is a temporary amount until its time, and then what held before or the next rule says', () => {
    const temporary = { temporaryMicros: 50, temporaryUntil: 1_000 }
    const at = (now: number, own: LimitRow) =>
      capsAt(RULES, organisation([], [row(900)]), user({ own: [own] }), now)[0]?.micros
    expect([at(999, row(20, temporary)), at(1_000, row(20, temporary))]).toEqual([50, 20])
    const alone = row(null, { ...temporary, isSet: false })
    expect([at(999, alone), at(1_000, alone)]).toEqual([50, 900])
  })

  test('is nothing for a service account without a limit of its own', () => {
    const service = user({ kind: 'service', groupIds: [1] })
    const all = organisation(groups, [row(900)])
    expect(capsAt({ ...RULES, defaultBudgetMicros: 9 }, all, service, 0)).toEqual([
      { period: 'total', micros: 0, source: 'service' },
    ])
    const own = [row(null, { period: 'daily' })]
    expect(userLimits(RULES, all, { ...service, own }, 0).amounts).toEqual([])
  })
})

test('rates are those of the user, else the lowest of their groups where 0 is none, else those of the configuration', () => {
  const rated = (id: number, requestsPerMinute: number | null, concurrentRequests: number | null) =>
    group(id, [], { requestsPerMinute, concurrentRequests })
  const all = organisation([rated(1, 30, 0), rated(2, 20, 0), rated(3, 0, null), rated(4, null, null)])
  const of = (given: Partial<LimitedUser>) => {
    const { requestsPerMinute, concurrentRequests } = userLimits(RULES, all, user(given), 0)
    return [requestsPerMinute, concurrentRequests]
  }
  expect(of({ requestsPerMinute: 0, groupIds: [1] })).toEqual([0, 0])
  expect(of({ groupIds: [1, 2, 3, 4] })).toEqual([20, 0])
  expect(of({ groupIds: [3] })).toEqual([0, 8])
  expect(of({ groupIds: [4] })).toEqual([60, 8])
})

test('a quota of tokens joins the amount of its period', () => {
  const micros = (period: Period) => ({ period, micros: 5 })
  expect(withQuota([micros('daily')], 9, RULES)).toEqual([micros('daily'), { period: 'monthly', tokens: 9 }])
  expect(withQuota([micros('monthly')], 9, RULES)).toEqual([{ period: 'monthly', micros: 5, tokens: 9 }])
  expect(withQuota([micros('monthly')], 0, RULES)).toEqual([micros('monthly')])
})

test('a pool has what is set for it, and no rates', () => {
  const pool = [row(5), row(null, { period: 'daily' }), row(0, { period: 'weekly' })]
  const rates = { requestsPerMinute: 0, tokensPerMinute: 0, concurrentRequests: 0 }
  const amounts = [
    { period: 'monthly', micros: 5 },
    { period: 'weekly', micros: 0 },
  ]
  expect(poolLimits(pool, 0)).toEqual({ amounts, ...rates })
})

test('the next limit to end by time is the earliest that is not over', () => {
  const until = (temporaryUntil: number) => row(1, { temporaryMicros: 2, temporaryUntil })
  expect(nextEnd([until(30), until(20), until(10), row(1)], 10)).toBe(20)
  expect(nextEnd([row(1), until(10)], 10)).toBe(Number.POSITIVE_INFINITY)
})

import { describe, expect, test } from 'vitest'
import {
  type CounterStanding,
  holdOf,
  paceRefusal,
  refusalOf,
  type Standing,
  shareUsed,
} from '../../../core/limits/decide.ts'
import { NO_LIMITS } from '../../support/records.ts'

const IDLE: Standing = { tokens: 0, costMicros: 0, heldTokens: 0, heldMicros: 0, running: 0, waitMs: 0 }
const AT = { now: 10_000, periodEnd: 99_000 }
const counter = (scope: 'user' | 'key', limits: object, standing: Partial<Standing>): CounterStanding => ({
  ...{ scope, id: 1, limits: { ...NO_LIMITS, ...limits }, standing: { ...IDLE, ...standing } },
})
const refused = (
  limits: object,
  standing: Partial<Standing>,
  ofKey: object = {},
  key: Partial<Standing> = {},
) => refusalOf([counter('user', limits, standing), counter('key', ofKey, key)], AT)

describe('a call', () => {
  test('passes while anything is left of each limit, whatever it may cost', () => {
    expect(refused({}, { tokens: 1e9, costMicros: 1e9, running: 1e3 })).toBeUndefined()
    expect(refused({ quotaTokens: 100 }, { tokens: 99 })).toBeUndefined()
    expect(refused({ budgetMicros: 100 }, { costMicros: 60, heldMicros: 39 })).toBeUndefined()
    expect(refused({ concurrentRequests: 2 }, { running: 1 })).toBeUndefined()
  })

  test('that comes while too many run may come again in a second', () => {
    const expected = { ok: false, limit: 'concurrency', held: false, resetAt: AT.now + 1_000 }
    expect(refused({ concurrentRequests: 2 }, { running: 2 })).toEqual({ ...expected, scope: 'user' })
    expect(refused({}, {}, { concurrentRequests: 1 }, { running: 3 })).toEqual({ ...expected, scope: 'key' })
  })

  test('is refused for nothing but what is reached', () => {
    const limits = { quotaTokens: 10, budgetMicros: 10, concurrentRequests: 2 }
    expect(refused(limits, { tokens: 10, running: 1 })?.limit).toBe('quota')
    expect(refused(limits, { running: 1, waitMs: 500 })).toMatchObject({
      limit: 'requests_per_minute',
      resetAt: AT.now + 500,
    })
  })

  test.each([
    ['quota', { quotaTokens: 100 }, { tokens: 100 }],
    ['budget', { budgetMicros: 100 }, { costMicros: 101, heldMicros: 5 }],
  ] as const)('over a spent %s is refused until the period ends', (limit, limits, standing) => {
    const expected = { ok: false, limit, held: false, resetAt: AT.periodEnd }
    expect(refused(limits, standing)).toEqual({ ...expected, scope: 'user' })
    expect(refused({}, {}, limits, standing)).toEqual({ ...expected, scope: 'key' })
  })

  test('whose limit is only held by others may come again in one to five seconds', () => {
    const refusal = refused({ budgetMicros: 100 }, { costMicros: 99, heldMicros: 1 })
    expect(refusal).toMatchObject({ limit: 'budget', held: true })
    expect(refusal?.resetAt).toBeGreaterThanOrEqual(AT.now + 1_000)
    expect(refusal?.resetAt).toBeLessThanOrEqual(AT.now + 5_000)
  })

  test('learns of a spent limit before one that is held, and of that before a rate', () => {
    const limits = { quotaTokens: 10, budgetMicros: 10, concurrentRequests: 1 }
    const standing = { tokens: 10, heldMicros: 10, running: 1, waitMs: 30_000 }
    expect(refused(limits, standing)).toMatchObject({ limit: 'quota', held: false })
    expect(refused(limits, { ...standing, tokens: 0 })).toMatchObject({ limit: 'budget', held: true })
    expect(refused(limits, { ...standing, tokens: 0, heldMicros: 0 })).toMatchObject({
      limit: 'requests_per_minute',
      resetAt: AT.now + 30_000,
    })
  })

  test('of which only its owner is known is refused for its pace, by the longer wait', () => {
    const busy = { running: 2, waitMs: 0 }
    const fast = { running: 0, waitMs: 7_000 }
    const limits = { ...NO_LIMITS, concurrentRequests: 2 }
    const paced = (user: object, ofUser: Partial<Standing>, ofKey: Partial<Standing>) =>
      paceRefusal([counter('user', user, ofUser), counter('key', NO_LIMITS, ofKey)], 0)
    expect(paced(limits, busy, fast)).toMatchObject({ scope: 'key', resetAt: 7_000 })
    expect(paced(limits, busy, busy)).toMatchObject({ limit: 'concurrency', scope: 'user' })
    expect(paced(NO_LIMITS, busy, busy)).toBeUndefined()
  })
})

describe('what a call holds', () => {
  const worst = { tokens: 100, costMicros: 1_000 }
  const usual = { tokens: 10, costMicros: 100 }
  const held = (limits: object, standing: Partial<Standing> = {}) =>
    holdOf({ worst, usual }, [counter('user', limits, standing), counter('key', {}, IDLE)])

  test('is the usual where ten of the worst are left, and the worst where there are fewer', () => {
    expect(held({})).toBe(usual)
    expect(held({ budgetMicros: 10_000 })).toBe(usual)
    expect(held({ budgetMicros: 10_000 }, { costMicros: 1 })).toBe(worst)
    expect(held({ budgetMicros: 10_000 }, { heldMicros: 1 })).toBe(worst)
    expect(held({ quotaTokens: 1_000 })).toBe(usual)
    expect(held({ quotaTokens: 999 })).toBe(worst)
    expect(held({ quotaTokens: 1_000 }, { tokens: 1 })).toBe(worst)
    expect(held({ quotaTokens: 1_000 }, { heldTokens: 1 })).toBe(worst)
  })
})

test('the share used is the larger of quota and budget, if either is limited', () => {
  const used = { tokens: 50, costMicros: 80 }
  expect(shareUsed(used, NO_LIMITS)).toBeUndefined()
  expect(shareUsed(used, { ...NO_LIMITS, quotaTokens: 100 })).toBe(0.5)
  expect(shareUsed(used, { ...NO_LIMITS, quotaTokens: 100, budgetMicros: 100 })).toBe(0.8)
  expect(shareUsed(used, { ...NO_LIMITS, budgetMicros: 40 })).toBe(2)
})

import { describe, expect, test } from 'vitest'
import { holdOf, ownShare, paceRefusal, refusalOf, type Standing } from '../../../core/limits/decide.ts'
import type { Counter, PeriodStarts } from '../../../core/ports.ts'
import { type GivenLimits, limitsOf } from '../../support/records.ts'

const IDLE: Standing = {
  tokens: [0, 0, 0, 0],
  micros: [0, 0, 0, 0],
  heldTokens: 0,
  heldMicros: 0,
  running: 0,
  waitMs: 0,
  tokensWaitMs: 0,
}
const ENDS: PeriodStarts = [50_000, 70_000, 99_000]
const AT = { now: 10_000, periodEnds: ENDS }
type Given = [limits: GivenLimits, standing: Partial<Standing>]
const SCOPES = ['user', 'key', 'group', 'organisation'] as const
const listsOf = (given: Given[]): [Counter[], Standing[]] => [
  given.map(([limits], i) => ({ scope: SCOPES[i] ?? 'group', id: 1, limits: limitsOf(limits) })),
  given.map(([, standing]) => ({ ...IDLE, ...standing })),
]
const refusedOf = (...given: Given[]) => refusalOf(...listsOf(given), AT)
const refused = (limits: GivenLimits, standing: Partial<Standing>) => refusedOf([limits, standing])
const monthly = (used: number) => [0, 0, used, 0]

describe('a call', () => {
  test('passes while anything is left of each limit, whatever it may cost', () => {
    expect(refused({}, { tokens: monthly(1e9), micros: monthly(1e9), running: 1e3 })).toBeUndefined()
    expect(refused({ quotaTokens: 100 }, { tokens: monthly(99) })).toBeUndefined()
    expect(refused({ budgetMicros: 100 }, { micros: monthly(60), heldMicros: 39 })).toBeUndefined()
    expect(refused({ concurrentRequests: 2 }, { running: 1 })).toBeUndefined()
  })

  test('counts in each period for itself, and what is held in all of them', () => {
    const daily = { amounts: [{ period: 'daily', micros: 100 }] } as const
    expect(refused(daily, { micros: [99, 500, 500, 500] })).toBeUndefined()
    expect(refused(daily, { micros: [100, 0, 0, 0] })).toMatchObject({ period: 'daily', resetAt: ENDS[0] })
    const both = { amounts: [{ period: 'weekly', tokens: 9 }, ...daily.amounts] } as const
    expect(refused(both, { tokens: [0, 9, 0, 0] })).toMatchObject({ limit: 'quota', period: 'weekly' })
    expect(refused(both, { heldMicros: 100 })).toMatchObject({ limit: 'budget', period: 'daily', held: true })
    const ever = { amounts: [{ period: 'total', micros: 5 }] } as const
    expect(refused(ever, { micros: [0, 0, 0, 5] })).toMatchObject({ resetAt: Number.MAX_SAFE_INTEGER })
  })

  test('never passes where nothing may be spent', () => {
    expect(refused({ budgetMicros: 0 }, {})).toMatchObject({ limit: 'budget', held: false, resetAt: ENDS[2] })
    expect(refused({ budgetMicros: 0 }, { heldMicros: 5 })).toMatchObject({ held: false })
  })

  test('that comes while too many run may come again in a second', () => {
    const expected = { ok: false, limit: 'concurrency', id: 1, resetAt: AT.now + 1_000 }
    expect(refused({ concurrentRequests: 2 }, { running: 2 })).toEqual({ ...expected, scope: 'user' })
    const ofKey: Given = [{ concurrentRequests: 1 }, { running: 3 }]
    expect(refusedOf([{}, {}], ofKey)).toEqual({ ...expected, scope: 'key' })
  })

  test('is refused for nothing but what is reached', () => {
    const limits = { quotaTokens: 10, budgetMicros: 10, concurrentRequests: 2 }
    expect(refused(limits, { tokens: monthly(10), running: 1 })?.limit).toBe('quota')
    const slow = { limit: 'requests_per_minute', resetAt: AT.now + 500 }
    expect(refused(limits, { running: 1, waitMs: 500 })).toMatchObject(slow)
    const large = { limit: 'tokens_per_minute', resetAt: AT.now + 700 }
    expect(refused(limits, { waitMs: 500, tokensWaitMs: 700 })).toMatchObject(large)
  })

  test.each([
    ['quota', { quotaTokens: 100 }, { tokens: monthly(100) }],
    ['budget', { budgetMicros: 100 }, { micros: monthly(101), heldMicros: 5 }],
  ] as const)('over a spent %s is refused until the period ends', (limit, limits, standing) => {
    const expected = { ok: false, id: 1, limit, period: 'monthly', held: false, resetAt: ENDS[2] }
    expect(refused(limits, standing)).toEqual({ ...expected, scope: 'user' })
    for (const [i, scope] of SCOPES.entries()) {
      const given = SCOPES.map((_, at): Given => (at === i ? [limits, standing] : [{}, standing]))
      expect(refusedOf(...given)).toEqual({ ...expected, scope })
    }
  })

  test('whose limit is only held by others may come again in one to five seconds', () => {
    const refusal = refused({ budgetMicros: 100 }, { micros: monthly(99), heldMicros: 1 })
    expect(refusal).toMatchObject({ limit: 'budget', held: true })
    expect(refusal?.resetAt).toBeGreaterThanOrEqual(AT.now + 1_000)
    expect(refusal?.resetAt).toBeLessThanOrEqual(AT.now + 5_000)
  })

  test('learns of a spent limit before one that is held, and of that before a rate', () => {
    const limits = { quotaTokens: 10, budgetMicros: 10, concurrentRequests: 1 }
    const standing = { tokens: monthly(10), heldMicros: 10, running: 1, waitMs: 30_000 }
    expect(refused(limits, standing)).toMatchObject({ limit: 'quota', held: false })
    const held = { ...standing, tokens: monthly(0) }
    expect(refused(limits, held)).toMatchObject({ limit: 'budget', held: true })
    const slow = { limit: 'requests_per_minute', resetAt: AT.now + 30_000 }
    expect(refused(limits, { ...held, heldMicros: 0 })).toMatchObject(slow)
  })

  test('learns of the spent limit that is renewed last, of two the one that is nearer to the person', () => {
    const daily: Given = [{ amounts: [{ period: 'daily', micros: 5 }] }, { micros: [9, 9, 9, 9] }]
    const month: Given = [{ budgetMicros: 5 }, { micros: monthly(9) }]
    expect(refusedOf(daily, [{}, {}], month)).toMatchObject({ scope: 'group', period: 'monthly' })
    expect(refusedOf(month, [{}, {}], month)).toMatchObject({ scope: 'user' })
    expect(refusedOf([{ concurrentRequests: 1 }, { running: 1 }], [{}, {}], daily)).toMatchObject({
      scope: 'group',
      period: 'daily',
    })
  })

  test('of which only its owner is known is refused for its pace, by the longer wait', () => {
    const busy = { running: 2 }
    const fast = { waitMs: 7_000 }
    const limits = { concurrentRequests: 2 }
    const paced = (user: GivenLimits, ofUser: Partial<Standing>, ofKey: Partial<Standing>) => {
      const [counters, standings] = listsOf([
        [user, ofUser],
        [{}, ofKey],
      ])
      return paceRefusal(counters, standings, 0)
    }
    expect(paced(limits, busy, fast)).toMatchObject({ scope: 'key', resetAt: 7_000 })
    expect(paced(limits, busy, busy)).toMatchObject({ limit: 'concurrency', scope: 'user' })
    expect(paced({}, busy, busy)).toBeUndefined()
  })
})

describe('what a call holds', () => {
  const worst = { tokens: 100, costMicros: 1_000 }
  const usual = { tokens: 10, costMicros: 100 }
  const held = (limits: GivenLimits, standing: Partial<Standing> = {}) => {
    const [counters, standings] = listsOf([
      [{}, {}],
      [limits, standing],
    ])
    return holdOf({ worst, usual }, counters, standings)
  }

  test('is the usual where ten of the worst are left, and the worst where there are fewer', () => {
    expect(held({})).toBe(usual)
    expect(held({ budgetMicros: 10_000 })).toBe(usual)
    expect(held({ budgetMicros: 10_000 }, { micros: monthly(1) })).toBe(worst)
    expect(held({ budgetMicros: 10_000 }, { heldMicros: 1 })).toBe(worst)
    expect(held({ quotaTokens: 1_000 })).toBe(usual)
    expect(held({ quotaTokens: 999 })).toBe(worst)
    expect(held({ quotaTokens: 1_000 }, { tokens: monthly(1) })).toBe(worst)
    expect(held({ quotaTokens: 1_000 }, { heldTokens: 1 })).toBe(worst)
    expect(held({ quotaTokens: 1_000 }, { tokens: [1, 1, 0, 1] })).toBe(usual)
  })
})

describe('the share that a person is told', () => {
  const share = (limits: GivenLimits, pool: GivenLimits = {}) => {
    const standing = { tokens: [10, 20, 50, 50], micros: [10, 20, 80, 80] }
    return ownShare(
      ...listsOf([
        [limits, standing],
        [pool, standing],
      ]),
      ENDS,
    )
  }
  const MONTHLY = { period: 'monthly', resetAt: ENDS[2] }

  test('is the larger of quota and budget, if either is limited', () => {
    expect(share({})).toBeUndefined()
    expect(share({ amounts: [{ period: 'daily' }] })).toBeUndefined()
    expect(share({ quotaTokens: 100 })).toEqual({ share: 0.5, ...MONTHLY })
    expect(share({ quotaTokens: 100, budgetMicros: 100 })).toEqual({ share: 0.8, ...MONTHLY })
    expect(share({ budgetMicros: 40 })).toEqual({ share: 2, ...MONTHLY })
  })

  test('is all of a limit that allows nothing', () => {
    expect(share({ quotaTokens: 0 })).toEqual({ share: 1, ...MONTHLY })
  })

  test('is that of their fullest period, and never that of a pool', () => {
    const amounts = [
      { period: 'daily', micros: 11 },
      { period: 'weekly', micros: 40 },
      { period: 'monthly', micros: 100 },
    ] as const
    expect(share({ amounts })).toEqual({ share: 10 / 11, period: 'daily', resetAt: ENDS[0] })
    expect(share({}, { budgetMicros: 100 })).toBeUndefined()
  })
})

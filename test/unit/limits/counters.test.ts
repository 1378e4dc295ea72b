import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { createLimitCounters } from '../../../core/limits/counters.ts'
import { holdOf, refusalOf, type Standing } from '../../../core/limits/decide.ts'
import { periodOf } from '../../../core/limits/period.ts'
import { createCallWindow } from '../../../core/limits/window.ts'
import type { CallRecord } from '../../../core/ports.ts'
import { fakeClock } from '../../support/clock.ts'
import { admission, callRecord, NO_LIMITS } from '../../support/records.ts'

const DAY_MS = 86_400_000
const NO_TOKENS = {
  inputTokens: 0,
  outputTokens: 0,
  cacheReadTokens: 0,
  cacheWrite5mTokens: 0,
  cacheWrite1hTokens: 0,
}

describe('limits', () => {
  test('let exactly as many calls in as the budget covers, and what is given back lets more in', () => {
    const counters = createLimitCounters(fakeClock(), 'monthly')
    const user = { ...NO_LIMITS, budgetMicros: 100 * 500 }
    const calls = Array.from({ length: 500 }, () => admission({ user }))
    const admitted = calls.filter((call) => counters.reserve(call).ok)
    expect(admitted).toHaveLength(100)
    expect(counters.reserve(admission({ user }))).toMatchObject({ ok: false, limit: 'budget', scope: 'user' })
    const [first] = admitted
    counters.settle({ ...(first?.begun ?? callRecord()), costMicros: 0 })
    expect(counters.reserve(admission({ user })).ok).toBe(true)
    expect(counters.reserve(admission({ user })).ok).toBe(false)
  })

  test('count what a call really used, once, however often it is settled', () => {
    const counters = createLimitCounters(fakeClock(), 'monthly')
    const user = { ...NO_LIMITS, quotaTokens: 1000 }
    const call = admission({ user, tokens: 900 })
    counters.reserve(call)
    for (let i = 0; i < 3; i++) counters.settle({ ...call.begun, inputTokens: 70, outputTokens: 24 })
    const next = counters.reserve(admission({ user, tokens: 900 }))
    expect(next).toMatchObject({ ok: true, used: 0.1 })
    const refused = { ok: false, limit: 'quota', held: true }
    expect(counters.reserve(admission({ user, tokens: 1 }))).toMatchObject(refused)
  })

  test('of the key hold beside those of its user', () => {
    const counters = createLimitCounters(fakeClock(), 'monthly')
    const key = { ...NO_LIMITS, quotaTokens: 50 }
    expect(counters.reserve(admission({ key, tokens: 49 })).ok).toBe(true)
    expect(counters.reserve(admission({ key, tokens: 1 })).ok).toBe(true)
    const refused = { ok: false, limit: 'quota', scope: 'key', held: true }
    expect(counters.reserve(admission({ key, tokens: 1 }))).toMatchObject(refused)
  })

  test('on concurrency free a slot when a call ends', () => {
    const counters = createLimitCounters(fakeClock(), 'monthly')
    const user = { ...NO_LIMITS, concurrentRequests: 2 }
    const [one, two] = [admission({ user }), admission({ user })]
    expect([counters.reserve(one).ok, counters.reserve(two).ok]).toEqual([true, true])
    expect(counters.reserve(admission({ user }))).toMatchObject({ ok: false, limit: 'concurrency' })
    counters.settle(one.begun)
    expect(counters.reserve(admission({ user })).ok).toBe(true)
  })

  test('on requests per minute hold in every window of a minute, and tell when the next may come', () => {
    const clock = fakeClock()
    const counters = createLimitCounters(clock, 'monthly')
    const user = { ...NO_LIMITS, requestsPerMinute: 3 }
    const times: number[] = []
    for (let second = 0; second < 300; second++) {
      if (counters.reserve(admission({ user })).ok) times.push(clock.elapsed())
      clock.advance(1_000)
    }
    for (const start of times) {
      expect(times.filter((at) => at >= start && at < start + 60_000).length).toBeLessThanOrEqual(3)
    }
    expect(times).toHaveLength(15)
    const denied = counters.reserve(admission({ user: { ...user, requestsPerMinute: 1 } }))
    expect(denied).toMatchObject({ ok: false, limit: 'requests_per_minute' })
    if (!denied.ok && denied.limit === 'requests_per_minute') {
      clock.advance(denied.resetAt - clock.now())
      expect(counters.reserve(admission({ user: { ...user, requestsPerMinute: 1 } })).ok).toBe(true)
    }
  })

  test('a limit of requests per minute that is raised or lowered keeps what it knows', () => {
    const counters = createLimitCounters(fakeClock(), 'monthly')
    const withLimit = (requestsPerMinute: number) => admission({ user: { ...NO_LIMITS, requestsPerMinute } })
    for (let i = 0; i < 3; i++) expect(counters.reserve(withLimit(3)).ok).toBe(true)
    expect(counters.reserve(withLimit(4)).ok).toBe(true)
    expect(counters.reserve(withLimit(4)).ok).toBe(false)
    expect(counters.reserve(withLimit(2)).ok).toBe(false)
  })

  test('start again with the next period; a call of the old one no longer counts', () => {
    const clock = fakeClock(Date.UTC(2026, 10, 30, 23, 59))
    const counters = createLimitCounters(clock, 'monthly')
    const user = { ...NO_LIMITS, budgetMicros: 500 }
    const call = admission({ user, record: { createdAt: clock.now() } })
    expect(counters.reserve(call)).toMatchObject({ ok: true, resetAt: Date.UTC(2026, 11, 1) })
    expect(counters.reserve(admission({ user })).ok).toBe(false)
    clock.advance(60_000)
    counters.settle(call.begun)
    expect(counters.reserve(admission({ user }))).toMatchObject({
      ok: true,
      used: 0,
      resetAt: Date.UTC(2027, 0, 1),
    })
  })

  test('start from what is recorded already', () => {
    const counters = createLimitCounters(fakeClock(), 'monthly')
    counters.seed([
      { userId: 1, keyId: 1, tokens: 10, costMicros: 300 },
      { userId: 1, keyId: 2, tokens: 10, costMicros: 300 },
    ])
    const of = (budgetMicros: number) => ({ ...NO_LIMITS, budgetMicros })
    expect(counters.reserve(admission({ user: of(600) }))).toMatchObject({ ok: false, held: false })
    expect(counters.reserve(admission({ key: of(600) }))).toMatchObject({ ok: true })
  })
})

describe('what is remembered', () => {
  test('of a limit of a million a minute follows the calls that came', () => {
    const window = createCallWindow()
    for (let i = 0; i < 1000; i++) window.add(i)
    expect(window.waitMs(1001, 1000)).toBe(0)
    expect(window.waitMs(1000, 1000)).toBe(59_000)
    expect(window.waitMs(1, 1000)).toBe(59_999)
    expect(window.isEmpty(60_998)).toBe(false)
    expect(window.isEmpty(60_999)).toBe(true)
  })

  test('of a window is what came in the minute before, however many that were', () => {
    const steps = fc.array(fc.tuple(fc.integer({ min: 0, max: 30_000 }), fc.integer({ min: 1, max: 40 })), {
      maxLength: 40,
    })
    fc.assert(
      fc.property(steps, fc.integer({ min: 1, max: 60 }), (steps, most) => {
        const window = createCallWindow()
        const times: number[] = []
        let at = 0
        for (const [pause, calls] of steps) {
          at += pause
          const recent = times.filter((time) => time > at - 60_000)
          const wait = recent.length < most ? 0 : (recent.at(-most) ?? 0) + 60_000 - at
          expect(window.waitMs(most, at)).toBe(wait)
          for (let i = 0; i < calls; i++) {
            window.add(at)
            times.push(at)
          }
        }
        expect(window.isEmpty(at + 60_000)).toBe(true)
      }),
      { numRuns: 300 },
    )
  })

  test('of users and keys that were quiet for a minute is their use, and nothing of those without any', () => {
    const clock = fakeClock(Date.UTC(2026, 10, 30, 23, 50))
    const counters = createLimitCounters(clock, 'monthly')
    const user = { ...NO_LIMITS, requestsPerMinute: 1_000_000, budgetMicros: 1_000_000 }
    const calls = Array.from({ length: 100 }, (_, id) =>
      admission({ user, record: { userId: id, keyId: id, createdAt: clock.now() } }),
    )
    for (const [id, call] of calls.entries()) {
      counters.reserve(call)
      if (id > 0) counters.settle({ ...call.begun, ...(id > 1 && { costMicros: 0, ...NO_TOKENS }) })
    }
    const ask = () => counters.reserve(admission({ record: { userId: 200, keyId: 200 } }))
    clock.advance(60_000)
    ask()
    // One that still runs and one with use, by user and key, beside who asks.
    expect(counters.size()).toBe(6)
    const again = admission({ user, record: { userId: 1, keyId: 1, createdAt: clock.now() } })
    expect(counters.reserve(again)).toMatchObject({ ok: true, used: 500 / 1_000_000 })
    counters.settle({ ...again.begun, costMicros: 0 })
    clock.advance(10 * 60_000)
    ask()
    clock.advance(60_000)
    ask()
    expect(counters.size()).toBe(4)
  })
})

describe('a call that is refused', () => {
  const at = { now: 4_321, periodEnd: 99_999 }
  const standing = (given: Partial<Standing> = {}): Standing => {
    return { tokens: 0, costMicros: 0, heldTokens: 0, heldMicros: 0, running: 0, waitMs: 0, ...given }
  }
  const limits = { quotaTokens: 100, budgetMicros: 100, requestsPerMinute: 5, concurrentRequests: 2 }
  const call = admission({ user: limits, key: limits })

  test.each<[string, Partial<Standing>, Partial<Standing>, object | undefined]>([
    ['for nothing while anything is left', { tokens: 99 }, { heldMicros: 99 }, undefined],
    [
      'for a spent limit before anything else',
      { heldTokens: 100, running: 2, waitMs: 50_000 },
      { costMicros: 100 },
      { limit: 'budget', scope: 'key', held: false, resetAt: 99_999 },
    ],
    [
      'for what is only held before any rate, to come back within seconds',
      { running: 2, waitMs: 50_000 },
      { tokens: 60, heldTokens: 40 },
      { limit: 'quota', scope: 'key', held: true, resetAt: 4_321 + 1_000 + (4_321 % 4_001) },
    ],
    [
      'for the rate with the longest wait',
      { running: 2 },
      { waitMs: 7_000 },
      { limit: 'requests_per_minute', scope: 'key', resetAt: 11_321 },
    ],
  ])('is refused %s', (_, user, key, expected) => {
    const refusal = refusalOf(call, standing(user), standing(key), at)
    if (expected) expect(refusal).toMatchObject({ ok: false, ...expected })
    else expect(refusal).toBeUndefined()
  })

  test('holds its worst case when fewer than ten of them are left of any limit', () => {
    const usual = { tokens: 1, costMicros: 1 }
    const worst = { tokens: 10, costMicros: 10 }
    const held = (user: Partial<Standing>, key: Partial<Standing> = {}) =>
      holdOf(admission({ user: limits, key: limits, usual, worst }), standing(user), standing(key))
    expect(held({})).toBe(usual)
    expect(held({ tokens: 1 })).toBe(worst)
    expect(held({}, { heldMicros: 1 })).toBe(worst)
  })
})

test('a limit is overspent by one call at most, whatever calls come and end in whatever order', () => {
  const calls = fc.array(
    fc.record({
      worst: fc.integer({ min: 1, max: 60 }),
      share: fc.integer({ min: 0, max: 100 }),
      ends: fc.nat(9),
    }),
    { minLength: 1, maxLength: 60 },
  )
  fc.assert(
    fc.property(calls, fc.integer({ min: 1, max: 300 }), (calls, budgetMicros) => {
      const counters = createLimitCounters(fakeClock(), 'monthly')
      const user = { ...NO_LIMITS, budgetMicros }
      const running: CallRecord[] = []
      let spent = 0
      let largest = 0
      const end = (record: CallRecord | undefined) => {
        if (!record) return
        counters.settle(record)
        spent += record.costMicros
      }
      for (const { worst, share, ends } of calls) {
        const call = admission({ user, costMicros: worst })
        if (counters.reserve(call).ok) {
          running.push({ ...call.begun, costMicros: Math.floor((worst * share) / 100) })
          largest = Math.max(largest, worst)
        }
        if (ends > 4) end(running.splice(ends % running.length, 1)[0])
      }
      for (const record of running) end(record)
      expect(spent).toBeLessThanOrEqual(budgetMicros + largest - 1)
    }),
    { numRuns: 500 },
  )
})

describe('a period', () => {
  const at = Date.UTC(2026, 1, 25, 13, 14, 15) // a Wednesday
  test.each([
    ['daily', Date.UTC(2026, 1, 25), Date.UTC(2026, 1, 26)],
    ['weekly', Date.UTC(2026, 1, 23), Date.UTC(2026, 2, 2)],
    ['monthly', Date.UTC(2026, 1, 1), Date.UTC(2026, 2, 1)],
    ['total', 0, Number.MAX_SAFE_INTEGER],
  ] as const)('%s begins and ends on the UTC calendar', (period, start, end) => {
    expect(periodOf(period, at)).toEqual({ start, end })
  })
  test.each(['daily', 'weekly', 'monthly'] as const)('%s: each ms belongs to exactly one', (period) => {
    let span = periodOf(period, Date.UTC(2024, 1, 27))
    for (let i = 0; i < 60; i++) {
      expect(periodOf(period, span.end - 1)).toEqual(span)
      const next = periodOf(period, span.end)
      expect(next.start).toBe(span.end)
      expect(next.start % DAY_MS).toBe(0)
      span = next
    }
  })
})

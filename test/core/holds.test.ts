import { describe, expect, test } from 'vitest'
import { createHolds } from '../../core/limits/counters.ts'
import { periodOf } from '../../core/limits/period.ts'
import { fakeClock } from '../support/clock.ts'
import { admission, callRecord, NO_LIMITS } from '../support/records.ts'

const DAY_MS = 86_400_000

describe('limits', () => {
  test('let exactly as many calls in as the budget covers, and what is given back lets more in', () => {
    const holds = createHolds(fakeClock(), 'monthly')
    const user = { ...NO_LIMITS, budgetMicros: 100 * 500 }
    const calls = Array.from({ length: 500 }, () => admission({ user }))
    const admitted = calls.filter((call) => holds.admit(call).ok)
    expect(admitted).toHaveLength(100)
    expect(holds.admit(admission({ user }))).toMatchObject({ ok: false, limit: 'budget', scope: 'user' })
    const [first] = admitted
    holds.settle({ ...(first?.begun ?? callRecord()), costMicros: 0 })
    expect(holds.admit(admission({ user })).ok).toBe(true)
    expect(holds.admit(admission({ user })).ok).toBe(false)
  })

  test('count what a call really used, once, however often it is settled', () => {
    const holds = createHolds(fakeClock(), 'monthly')
    const user = { ...NO_LIMITS, quotaTokens: 1000 }
    const call = admission({ user, tokens: 900 })
    holds.admit(call)
    for (let i = 0; i < 3; i++) holds.settle({ ...call.begun, inputTokens: 70, outputTokens: 24 })
    const next = holds.admit(admission({ user, tokens: 900 }))
    expect(next).toMatchObject({ ok: true, used: 0.1 })
    expect(holds.admit(admission({ user, tokens: 1 }))).toMatchObject({ ok: false, limit: 'quota' })
  })

  test('of the key hold beside those of its user', () => {
    const holds = createHolds(fakeClock(), 'monthly')
    const key = { ...NO_LIMITS, quotaTokens: 50 }
    expect(holds.admit(admission({ key, tokens: 51 }))).toMatchObject({
      ok: false,
      limit: 'quota',
      scope: 'key',
    })
    expect(holds.admit(admission({ key, tokens: 50 })).ok).toBe(true)
  })

  test('on concurrency free a slot when a call ends', () => {
    const holds = createHolds(fakeClock(), 'monthly')
    const user = { ...NO_LIMITS, concurrentRequests: 2 }
    const [one, two] = [admission({ user }), admission({ user })]
    expect([holds.admit(one).ok, holds.admit(two).ok]).toEqual([true, true])
    expect(holds.admit(admission({ user }))).toMatchObject({ ok: false, limit: 'concurrency' })
    holds.settle(one.begun)
    expect(holds.admit(admission({ user })).ok).toBe(true)
  })

  test('on requests per minute hold in every window of a minute, and tell when the next may come', () => {
    const clock = fakeClock()
    const holds = createHolds(clock, 'monthly')
    const user = { ...NO_LIMITS, requestsPerMinute: 3 }
    const times: number[] = []
    for (let second = 0; second < 300; second++) {
      if (holds.admit(admission({ user })).ok) times.push(clock.elapsed())
      clock.advance(1_000)
    }
    for (const start of times) {
      expect(times.filter((at) => at >= start && at < start + 60_000).length).toBeLessThanOrEqual(3)
    }
    expect(times).toHaveLength(15)
    const denied = holds.admit(admission({ user: { ...user, requestsPerMinute: 1 } }))
    expect(denied).toMatchObject({ ok: false, limit: 'requests_per_minute' })
    if (!denied.ok && denied.limit === 'requests_per_minute') {
      clock.advance(denied.resetAt - clock.now())
      expect(holds.admit(admission({ user: { ...user, requestsPerMinute: 1 } })).ok).toBe(true)
    }
  })

  test('a limit of requests per minute that is raised or lowered keeps what it knows', () => {
    const holds = createHolds(fakeClock(), 'monthly')
    const withLimit = (requestsPerMinute: number) => admission({ user: { ...NO_LIMITS, requestsPerMinute } })
    for (let i = 0; i < 3; i++) expect(holds.admit(withLimit(3)).ok).toBe(true)
    expect(holds.admit(withLimit(4)).ok).toBe(true)
    expect(holds.admit(withLimit(4)).ok).toBe(false)
    expect(holds.admit(withLimit(2)).ok).toBe(false)
  })

  test('start again with the next period; a call of the old one no longer counts', () => {
    const clock = fakeClock(Date.UTC(2026, 10, 30, 23, 59))
    const holds = createHolds(clock, 'monthly')
    const user = { ...NO_LIMITS, budgetMicros: 500 }
    const call = admission({ user, record: { createdAt: clock.now() } })
    expect(holds.admit(call)).toMatchObject({ ok: true, resetAt: Date.UTC(2026, 11, 1) })
    expect(holds.admit(admission({ user })).ok).toBe(false)
    clock.advance(60_000)
    holds.settle(call.begun)
    expect(holds.admit(admission({ user }))).toMatchObject({
      ok: true,
      used: 0,
      resetAt: Date.UTC(2027, 0, 1),
    })
  })

  test('start from what is recorded already', () => {
    const holds = createHolds(fakeClock(), 'monthly')
    holds.seed([
      { userId: 1, keyId: 1, tokens: 10, costMicros: 300 },
      { userId: 1, keyId: 2, tokens: 10, costMicros: 300 },
    ])
    expect(holds.admit(admission({ user: { ...NO_LIMITS, budgetMicros: 1000 } }))).toMatchObject({
      ok: false,
    })
    expect(holds.admit(admission({ key: { ...NO_LIMITS, budgetMicros: 1000 } }))).toMatchObject({ ok: true })
  })
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

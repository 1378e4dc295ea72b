import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { createLimitCounters } from '../../../core/limits/counters.ts'
import { createCallWindow } from '../../../core/limits/window.ts'
import type { CallRecord, Counter } from '../../../core/ports.ts'
import { DAY_MS } from '../../../core/units.ts'
import { fakeClock } from '../../support/clock.ts'
import { admission, callRecord, NO_LIMITS } from '../../support/records.ts'

const NO_TOKENS = {
  inputTokens: 0,
  outputTokens: 0,
  cacheReadTokens: 0,
  cacheWrite5mTokens: 0,
  cacheWrite1hTokens: 0,
}

describe('limits', () => {
  test('let exactly as many calls in as the budget covers, and what is given back lets more in', () => {
    const counters = createLimitCounters(fakeClock())
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
    const counters = createLimitCounters(fakeClock())
    const user = { ...NO_LIMITS, quotaTokens: 1000 }
    const call = admission({ user, tokens: 900 })
    counters.reserve(call)
    for (let i = 0; i < 3; i++) counters.settle({ ...call.begun, inputTokens: 70, outputTokens: 24 })
    const next = counters.reserve(admission({ user, tokens: 900 }))
    expect(next).toMatchObject({ ok: true, used: { share: 0.1 } })
    const refused = { ok: false, limit: 'quota', held: true }
    expect(counters.reserve(admission({ user, tokens: 1 }))).toMatchObject(refused)
  })

  test('of the key hold beside those of its user', () => {
    const counters = createLimitCounters(fakeClock())
    const key = { ...NO_LIMITS, quotaTokens: 50 }
    expect(counters.reserve(admission({ key, tokens: 49 })).ok).toBe(true)
    expect(counters.reserve(admission({ key, tokens: 1 })).ok).toBe(true)
    const refused = { ok: false, limit: 'quota', scope: 'key', held: true }
    expect(counters.reserve(admission({ key, tokens: 1 }))).toMatchObject(refused)
  })

  test('on concurrency free a slot when a call ends', () => {
    const counters = createLimitCounters(fakeClock())
    const user = { ...NO_LIMITS, concurrentRequests: 2 }
    const [one, two] = [admission({ user }), admission({ user })]
    expect([counters.reserve(one).ok, counters.reserve(two).ok]).toEqual([true, true])
    expect(counters.reserve(admission({ user }))).toMatchObject({ ok: false, limit: 'concurrency' })
    counters.settle(one.begun)
    expect(counters.reserve(admission({ user })).ok).toBe(true)
  })

  test('a limit of requests per minute that is raised or lowered keeps what it knows', () => {
    const counters = createLimitCounters(fakeClock())
    const withLimit = (requestsPerMinute: number) => admission({ user: { ...NO_LIMITS, requestsPerMinute } })
    for (let i = 0; i < 3; i++) expect(counters.reserve(withLimit(3)).ok).toBe(true)
    expect(counters.reserve(withLimit(4)).ok).toBe(true)
    expect(counters.reserve(withLimit(4)).ok).toBe(false)
    expect(counters.reserve(withLimit(2)).ok).toBe(false)
  })

  test('start again with the next period; a call of the old one no longer counts', () => {
    const clock = fakeClock(Date.UTC(2026, 10, 30, 23, 59))
    const counters = createLimitCounters(clock)
    const user = { ...NO_LIMITS, budgetMicros: 500 }
    const call = admission({ user, record: { createdAt: clock.now() } })
    expect(counters.reserve(call)).toMatchObject({ ok: true, used: { resetAt: Date.UTC(2026, 11, 1) } })
    expect(counters.reserve(admission({ user })).ok).toBe(false)
    clock.advance(60_000)
    counters.settle(call.begun)
    const next = admission({ user, record: { createdAt: clock.now() } })
    expect(counters.reserve(next)).toMatchObject({
      ok: true,
      used: { share: 0, resetAt: Date.UTC(2027, 0, 1) },
    })
  })

  test('are not given out again by a clock that was set back', () => {
    const start = Date.UTC(2026, 11, 1)
    const counters = createLimitCounters(fakeClock(start))
    const user = { ...NO_LIMITS, budgetMicros: 500 }
    const at = (createdAt: number) => admission({ user, record: { createdAt } })
    const call = at(start)
    counters.reserve(call)
    counters.settle(call.begun)
    expect(counters.reserve(at(start - 1))).toMatchObject({ ok: false, limit: 'budget', held: false })
    expect(counters.reserve(at(start))).toMatchObject({ ok: false, limit: 'budget', held: false })
  })

  test('hold again once a clock is right that was ahead', () => {
    const clock = fakeClock()
    const counters = createLimitCounters(clock)
    const user = { ...NO_LIMITS, budgetMicros: 500 }
    const now = () => admission({ user, record: { createdAt: clock.now() } })
    const used = () => {
      const call = now()
      counters.reserve(call)
      counters.settle(call.begun)
    }
    clock.set(40 * DAY_MS)
    used()
    clock.set(-40 * DAY_MS)
    used()
    expect(counters.reserve(now())).toMatchObject({
      ok: false,
      held: false,
      resetAt: Date.UTC(2026, 11, 1),
    })
    clock.set(10 * DAY_MS)
    expect(counters.reserve(now())).toMatchObject({ ok: true })
  })

  test('on requests per minute count calls of one that has such a limit alone', () => {
    const counters = createLimitCounters(fakeClock())
    const rated = (requestsPerMinute: number) => ({ ...NO_LIMITS, requestsPerMinute })
    counters.reserve(admission({ user: rated(5) }))
    expect(counters.reserve(admission({ key: rated(1) })).ok).toBe(true)
    expect(counters.reserve(admission({ key: rated(1) }))).toMatchObject({ ok: false, scope: 'key' })
    expect(counters.reserve(admission({ user: rated(2) })).ok).toBe(true)
    expect(counters.reserve(admission({ user: rated(2) }))).toMatchObject({ ok: false, scope: 'user' })
  })

  const MONTH = { period: 'monthly', start: Date.UTC(2026, 10, 1) } as const

  test('are seeded with tokens as with costs', () => {
    const counters = createLimitCounters(fakeClock())
    counters.seed([{ owner: 'key:1', ...MONTH, tokens: 100, micros: 0 }])
    const spent = admission({ key: { ...NO_LIMITS, quotaTokens: 100 } })
    const expected = { ok: false, limit: 'quota', held: false, resetAt: Date.UTC(2026, 11, 1) }
    expect(counters.reserve(spent)).toMatchObject(expected)
  })

  test('start from what is recorded already, of the latest period', () => {
    const counters = createLimitCounters(fakeClock())
    const earlier = { ...MONTH, start: Date.UTC(2026, 9, 1) }
    counters.seed([
      { owner: 'user:1', ...MONTH, tokens: 10, micros: 600 },
      { owner: 'user:1', ...earlier, tokens: 10, micros: 900 },
      { owner: 'key:1', ...MONTH, tokens: 10, micros: 300 },
    ])
    const of = (budgetMicros: number) => ({ ...NO_LIMITS, budgetMicros })
    expect(counters.reserve(admission({ user: of(600) }))).toMatchObject({ ok: false, held: false })
    expect(counters.reserve(admission({ user: of(601), key: of(301) }))).toMatchObject({ ok: true })
  })
})

describe('limits of a process that others share the work with', () => {
  test('count a call that a shared store admitted, with the most that it may cost', () => {
    const counters = createLimitCounters(fakeClock())
    const user = { ...NO_LIMITS, budgetMicros: 100 }
    const call = admission({ user, costMicros: 100, usual: { tokens: 1, costMicros: 1 } })
    counters.count(call)
    expect(counters.reserve(admission({ user, costMicros: 1 }))).toMatchObject({
      limit: 'budget',
      held: true,
    })
    counters.settle({ ...call.begun, costMicros: 10 })
    expect(counters.reserve(admission({ user, costMicros: 1 }))).toMatchObject({
      ok: true,
      used: { share: 0.1 },
    })
  })

  test('hold the most that a call may cost which was admitted before', () => {
    const counters = createLimitCounters(fakeClock())
    const limits = { ...NO_LIMITS, budgetMicros: 100, requestsPerMinute: 2 }
    counters.restore(admission({ costMicros: 100, usual: { tokens: 1, costMicros: 1 } }))
    expect(counters.reserve(admission({ user: limits }))).toMatchObject({ limit: 'budget', held: true })
    // It does not count as a request of the last minute.
    const rated = () => admission({ user: { ...NO_LIMITS, requestsPerMinute: 2 } })
    expect([counters.reserve(rated()).ok, counters.reserve(rated()).ok]).toEqual([true, true])
  })
})

describe('before the body of a call is read', () => {
  const limits = (given: object) => ({ ...NO_LIMITS, ...given })
  const NOBODY = () => 0
  const caller = (user: object, key: object = {}, id = 1): Counter[] => [
    { scope: 'user', id, limits: limits(user) },
    { scope: 'key', id, limits: limits(key) },
  ]
  const calls = (scope: string, count: number) => (counter: Counter) => (counter.scope === scope ? count : 0)
  function withCalls(...calls: object[]) {
    const clock = fakeClock()
    const counters = createLimitCounters(clock)
    for (const limit of calls) counters.reserve(admission({ user: limits(limit), key: limits(limit) }))
    return { clock, peek: counters.peek }
  }

  test.each([
    ['user', (limit: object) => caller(limit)],
    ['key', (limit: object) => caller({}, limit)],
  ] as const)('it is refused for too many calls at once of its %s', (scope, callerWith) => {
    const { peek, clock } = withCalls({})
    const refused = { ok: false, limit: 'concurrency', scope, id: 1, resetAt: clock.now() + 1_000 }
    expect(peek(callerWith({ concurrentRequests: 1 }), NOBODY)).toEqual(refused)
    expect(peek(callerWith({ concurrentRequests: 2 }), NOBODY)).toBeUndefined()
    expect(peek(callerWith({ concurrentRequests: 2 }), calls(scope, 1))).toEqual(refused)
  })

  test.each([
    ['user', (limit: object) => caller(limit)],
    ['key', (limit: object) => caller({}, limit)],
  ] as const)('it is refused for too many calls a minute of its %s', (scope, callerWith) => {
    const { peek, clock } = withCalls({ requestsPerMinute: 9 })
    clock.advance(20_000)
    const refused = { ok: false, limit: 'requests_per_minute', scope, id: 1 }
    const peekWith = (requestsPerMinute: number, reading: number) =>
      peek(callerWith({ requestsPerMinute }), calls(scope, reading))
    expect(peekWith(1, 0)).toEqual({ ...refused, resetAt: clock.now() + 40_000 })
    expect(peekWith(2, 0)).toBeUndefined()
    expect(peekWith(2, 1)).toEqual({ ...refused, resetAt: clock.now() + 40_000 })
    // Bodies that are being read take all places that there are.
    expect(peekWith(2, 2)).toEqual({ ...refused, resetAt: clock.now() + 60_000 })
  })

  test('it passes where nothing limits its pace, or nobody called before', () => {
    const { peek } = withCalls({})
    expect(peek(caller({ amounts: [{ period: 'monthly', tokens: 1, micros: 1 }] }), () => 99)).toBeUndefined()
    const other = caller({ concurrentRequests: 1, requestsPerMinute: 1 }, {}, 8)
    expect(peek(other, NOBODY)).toBeUndefined()
  })

  test('it reserves nothing', () => {
    const { peek } = withCalls()
    const once = caller({ concurrentRequests: 1, requestsPerMinute: 1 })
    expect([peek(once, NOBODY), peek(once, NOBODY)]).toEqual([undefined, undefined])
  })
})

describe('what is remembered', () => {
  test('of few calls is when each came', () => {
    const window = createCallWindow()
    for (const at of [0, 999, 1_000]) window.add(at)
    expect(window.waitMs(4, 1_000)).toBe(0)
    expect(window.waitMs(3, 1_000)).toBe(59_000)
    expect(window.waitMs(2, 1_000)).toBe(59_999)
    expect(window.waitMs(1, 1_000)).toBe(60_000)
    expect(window.isEmpty(60_999)).toBe(false)
    expect(window.isEmpty(61_000)).toBe(true)
  })

  test('of any number of calls lets no more than the limit into a minute, and makes nobody wait a second too long', () => {
    const steps = fc.array(fc.tuple(fc.integer({ min: 0, max: 2_000 }), fc.integer({ min: 1, max: 40 })), {
      maxLength: 200,
    })
    fc.assert(
      fc.property(steps, fc.integer({ min: 1, max: 500 }), (steps, most) => {
        const window = createCallWindow()
        const times: number[] = []
        let at = 0
        for (const [pause, calls] of steps) {
          at += pause
          const exact = Math.max(0, (times.at(-most) ?? Number.NEGATIVE_INFINITY) + 60_000 - at)
          const wait = window.waitMs(most, at)
          expect(wait).toBeGreaterThanOrEqual(exact)
          const fewCame = times.filter((time) => time > at - 61_000).length <= 64
          expect(wait).toBeLessThan(fewCame ? exact + 1 : exact + 1_000)
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

  test('of two thousand callers with a thousand calls a minute each takes less than 10 MB', () => {
    setFlagsFromString('--expose-gc')
    const collect: () => void = runInNewContext('gc')
    const bytes = () => {
      collect()
      const { heapUsed, arrayBuffers } = process.memoryUsage()
      return heapUsed + arrayBuffers
    }
    const before = bytes()
    const windows = Array.from({ length: 2_000 }, createCallWindow)
    // 17 calls in each of a hundred seconds; more in a second change nothing.
    for (let at = 0; at < 100_000; at += 60) for (const window of windows) window.add(at)
    expect(bytes() - before).toBeLessThan(10 * 2 ** 20)
    expect(windows.every((window) => window.waitMs(901, 100_000) > 0)).toBe(true)
  })

  test('of users and keys that were quiet for a minute is their use, and nothing of those without any', () => {
    const clock = fakeClock(Date.UTC(2026, 10, 30, 23, 50))
    const counters = createLimitCounters(clock)
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
    // One that still runs and one with use, by user and key, beside who asks; and what all of them are booked to.
    expect(counters.size()).toBe(8)
    const again = admission({ user, record: { userId: 1, keyId: 1, createdAt: clock.now() } })
    expect(counters.reserve(again)).toMatchObject({ ok: true, used: { share: 500 / 1_000_000 } })
    counters.settle({ ...again.begun, costMicros: 0 })
    clock.advance(10 * 60_000)
    ask()
    clock.advance(60_000)
    ask()
    expect(counters.size()).toBe(8)
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
      const counters = createLimitCounters(fakeClock())
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

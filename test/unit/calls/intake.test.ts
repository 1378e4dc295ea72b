import { describe, expect, test } from 'vitest'
import { createIntake } from '../../../core/calls/intake.ts'
import { Refusal } from '../../../core/errors.ts'
import { createLimitCounters } from '../../../core/limits/counters.ts'
import type { Admission, Counter, Limits } from '../../../core/ports.ts'
import { fakeClock } from '../../support/clock.ts'
import { callRecord, NO_LIMITS } from '../../support/records.ts'

const MB = 2 ** 20
const refusal = (action: () => unknown) => {
  try {
    action()
  } catch (thrown) {
    return thrown instanceof Refusal ? [thrown.code, thrown.retryAfterMs] : thrown
  }
}

describe('before a body is read', () => {
  const opened = (user: Partial<Limits>, key: Partial<Limits> = {}) => {
    const clock = fakeClock()
    const counters = createLimitCounters(clock)
    const ledger = { peek: counters.peek } as never // nothing else is asked
    const settings = { limits: { bodyMemoryBytes: 100 * MB, period: 'monthly' }, publicUrl: '' } as never // nor is more of it
    const intake = createIntake({ settings, ledger, clock })
    const of: Counter[] = [
      { scope: 'user', id: 1, limits: { ...NO_LIMITS, ...user } },
      { scope: 'key', id: 2, limits: { ...NO_LIMITS, ...key } },
    ]
    const caller = { userId: 1, keyId: 2, counters: of } as never // whose name and rights do not matter here
    const admission = (id: string): Admission => ({
      begun: callRecord({ id, userId: 1, keyId: 2, createdAt: clock.now() }),
      periodEnds: [0, 0, 0],
      counters: of,
      worst: { tokens: 1, costMicros: 1 },
      usual: { tokens: 1, costMicros: 1 },
    })
    const begin = (limited = true) => intake.begin(caller, 10, limited)
    return { clock, counters, begin, admission }
  }

  test.each([
    ['the user', { concurrentRequests: 2 }, {}],
    ['the key', {}, { concurrentRequests: 2 }],
  ])('calls at once of %s are counted, those whose bodies are coming too', (_whose, user, key) => {
    const { counters, begin, admission } = opened(user, key)
    const first = begin()
    first.read()
    expect(counters.reserve(admission('a'))).toMatchObject({ ok: true })
    const second = begin()
    expect(refusal(begin)).toEqual(['rate_limited', 1_000])
    second.end()
    const third = begin()
    expect(refusal(begin)).toEqual(['rate_limited', 1_000])
    counters.settle(admission('a').begun)
    expect(refusal(begin)).toBeUndefined()
    third.end()
    third.end()
    expect(refusal(begin)).toBeUndefined()
    expect(refusal(begin)).toEqual(['rate_limited', 1_000])
  })

  test.each([
    ['the user', { requestsPerMinute: 2 }, {}],
    ['the key', {}, { requestsPerMinute: 2 }],
  ])('so are calls a minute of %s, and nothing is taken', (_whose, user, key) => {
    const { clock, counters, begin, admission } = opened(user, key)
    for (let i = 0; i < 5; i++) begin().end()
    expect(counters.reserve(admission('a'))).toMatchObject({ ok: true })
    clock.advance(20_000)
    const reading = begin()
    expect(refusal(begin)).toEqual(['rate_limited', 40_000])
    reading.read()
    expect(counters.reserve(admission('b'))).toMatchObject({ ok: true })
    expect(refusal(begin)).toEqual(['rate_limited', 40_000])
    clock.advance(40_000)
    expect(refusal(begin)).toBeUndefined()
  })

  test('what is not limited takes memory and nothing else', () => {
    const { begin } = opened({ concurrentRequests: 1, requestsPerMinute: 1 })
    for (let i = 0; i < 5; i++) begin(false)
    expect(refusal(begin)).toBeUndefined()
  })
})

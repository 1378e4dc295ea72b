import { describe, expect, test } from 'vitest'
import { createPersonLimits, type Doing } from '../../../core/limits/person.ts'
import { fakeClock } from '../../support/clock.ts'
import { refusalFrom } from '../../support/refusals.ts'

const ANN = 1
const BOB = 2
const TOO_FAST = 'You are too fast. Please try again in a moment.'
const TOO_MANY = 'Too many requests of yours are under way. Please try again in a moment.'

function setUp() {
  const clock = fakeClock()
  const limits = createPersonLimits(clock)
  /** How many pass one after the other, 5,000 at most. */
  const passes = (doing: Doing, thing?: string) => {
    for (let count = 0; count < 5_000; count++) {
      try {
        limits.begin(ANN, doing, thing)()
      } catch {
        return count
      }
    }
    return 5_000
  }
  return { clock, ...limits, passes }
}

describe('a person', () => {
  test.each([
    ['read', 1_200, 50],
    ['change', 2_400, 18_000],
  ] as const)('may %s %i times, and then once every %i ms', (doing, burst, everyMs) => {
    const { passes, clock, begin } = setUp()
    expect(passes(doing)).toBe(burst)
    expect(refusalFrom(() => begin(ANN, doing))).toMatchObject({
      code: 'rate_limited',
      retryAfterMs: everyMs,
      message: TOO_FAST,
    })
    clock.advance(everyMs)
    expect(passes(doing)).toBe(1)
  })

  test('may change one thing 120 times, and then once every five seconds', () => {
    const { passes, clock, begin } = setUp()
    expect(passes('change', 'key:1')).toBe(120)
    expect(refusalFrom(() => begin(ANN, 'change', 'key:1')).retryAfterMs).toBe(5_000)
    begin(ANN, 'change', 'key:2')
    clock.advance(5_000)
    expect(passes('change', 'key:1')).toBe(1)
  })

  test('counts files with changes and not with reading', () => {
    const { passes } = setUp()
    expect(passes('file')).toBe(2_400)
    expect([passes('change'), passes('read')]).toEqual([0, 1_200])
  })

  test.each([
    ['read', 64],
    ['change', 64],
    ['file', 3],
  ] as const)('may %s %i times at once', (doing, most) => {
    const { begin } = setUp()
    const ends = Array.from({ length: most }, () => begin(ANN, doing))
    expect(refusalFrom(() => begin(ANN, doing))).toMatchObject({
      code: 'rate_limited',
      retryAfterMs: 1_000,
      message: TOO_MANY,
    })
    // An end counts once.
    ends[0]?.()
    ends[0]?.()
    begin(ANN, doing)
    expect(refusalFrom(() => begin(ANN, doing)).message).toBe(TOO_MANY)
    for (const end of ends) end()
    for (let i = 1; i < most; i++) begin(ANN, doing)
    expect(refusalFrom(() => begin(ANN, doing)).message).toBe(TOO_MANY)
  })

  test('has places for files beside those for everything else', () => {
    const { begin } = setUp()
    for (let i = 0; i < 64; i++) begin(ANN, 'read')
    begin(ANN, 'file')
  })

  test('takes up no place when they are too fast', () => {
    const { begin, passes } = setUp()
    passes('read')
    for (let i = 0; i < 100; i++) expect(refusalFrom(() => begin(ANN, 'read')).message).toBe(TOO_FAST)
  })

  test('never takes up what belongs to another person', () => {
    const { begin, passes } = setUp()
    for (let i = 0; i < 120; i++) begin(BOB, 'change', 'key:1')()
    for (let i = 0; i < 64; i++) begin(BOB, 'read')
    expect([passes('change', 'key:1'), passes('read')]).toEqual([120, 1_200])
  })
})

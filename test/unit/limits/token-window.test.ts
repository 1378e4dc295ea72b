import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { createTokenWindow } from '../../../core/limits/token-window.ts'

describe('the tokens of the last minute', () => {
  test('count until all of their second is a minute ago', () => {
    const window = createTokenWindow()
    window.add(60, 1_500)
    window.add(40, 2_000)
    expect(window.waitMs(101, 2_000)).toBe(0)
    // Those of second 1 are over at 62 s, those of second 2 at 63 s.
    expect(window.waitMs(100, 2_000)).toBe(60_000)
    expect(window.waitMs(40, 2_000)).toBe(61_000)
    expect(window.waitMs(100, 61_999)).toBe(1)
    expect(window.waitMs(100, 62_000)).toBe(0)
    expect(window.isEmpty(62_999)).toBe(false)
    expect(window.isEmpty(63_000)).toBe(true)
  })

  test('are never more than the limit in any minute, and nobody waits a second too long', () => {
    const steps = fc.array(fc.tuple(fc.nat(20_000), fc.integer({ min: 1, max: 50 })), { maxLength: 100 })
    fc.assert(
      fc.property(steps, fc.integer({ min: 1, max: 200 }), (steps, most) => {
        const window = createTokenWindow()
        const used: [at: number, tokens: number][] = []
        let at = 0
        const since = (from: number) =>
          used.reduce((sum, [when, tokens]) => sum + (when > from ? tokens : 0), 0)
        for (const [pause, tokens] of steps) {
          at += pause
          const waitMs = window.waitMs(most, at)
          if (since(at - 60_000) >= most) expect(waitMs).toBeGreaterThan(0)
          if (waitMs > 1_000) expect(since(at + waitMs - 1_001 - 60_000)).toBeGreaterThanOrEqual(most)
          expect(since(at + waitMs - 60_000)).toBeLessThan(most)
          window.add(tokens, at)
          used.push([at, tokens])
        }
      }),
      { numRuns: 200 },
    )
  })
})

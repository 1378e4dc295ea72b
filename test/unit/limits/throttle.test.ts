import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { createThrottle } from '../../../core/limits/throttle.ts'
import { fakeClock } from '../../support/clock.ts'

describe('a throttle', () => {
  test('lets a burst pass and then one at a time, and tells how long to wait', () => {
    const clock = fakeClock()
    const throttle = createThrottle(clock, { burst: 3, everyMs: 1_000 })
    const take = () => throttle.take('a')
    expect([take(), take(), take(), take(), take()]).toEqual([0, 0, 0, 1_000, 1_000])
    clock.advance(999)
    expect(take()).toBe(1)
    clock.advance(1)
    expect([take(), take()]).toEqual([0, 1_000])
    clock.advance(60_000)
    expect([take(), take(), take(), take()]).toEqual([0, 0, 0, 1_000])
    expect(throttle.take('b')).toBe(0)
  })

  test('never lets more pass in any time than it says, and always after the wait that it told', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(3_000), { maxLength: 60 }), (pauses) => {
        const clock = fakeClock()
        const throttle = createThrottle(clock, { burst: 4, everyMs: 500 })
        const passed: number[] = []
        for (const pause of pauses) {
          clock.advance(pause)
          const waitMs = throttle.take('a')
          if (waitMs > 0) {
            clock.advance(waitMs)
            expect(throttle.take('a')).toBe(0)
          }
          passed.push(clock.elapsed())
        }
        for (const [i, from] of passed.entries()) {
          for (const [j, to] of passed.entries()) {
            if (j >= i) expect(j - i + 1).toBeLessThanOrEqual(4 + (to - from) / 500)
          }
        }
      }),
      { numRuns: 100 },
    )
  })

  test('remembers so many and no more, the latest of them', () => {
    const throttle = createThrottle(fakeClock(), { burst: 1, everyMs: 1_000, keys: 3 })
    for (const key of ['a', 'b', 'c', 'd']) expect(throttle.take(key)).toBe(0)
    expect(throttle.take('d')).toBe(1_000)
    expect(throttle.take('a')).toBe(0)
  })

  test('remembers those that came again, and forgets those that did not', () => {
    const throttle = createThrottle(fakeClock(), { burst: 2, everyMs: 1_000, keys: 3 })
    for (const key of ['a', 'b', 'c', 'a', 'd']) throttle.take(key)
    expect(throttle.take('a')).toBe(1_000)
    expect(throttle.take('c')).toBe(0)
    expect(throttle.take('c')).toBe(1_000)
  })
})

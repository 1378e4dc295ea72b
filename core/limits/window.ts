/** The times of a caller's calls in the last minute, in a ring that grows and shrinks with their number. */

import { MINUTE_MS } from '../units.ts'

const SMALLEST = 8

export interface CallWindow {
  /** A call came at this time of the clock that never runs backwards. */
  add(at: number): void
  /** Ms from `at` until fewer than `most` calls lie in the minute before; 0 when that is so. */
  waitMs(most: number, at: number): number
  /** No call came in the minute before `at`. */
  isEmpty(at: number): boolean
}

export function createCallWindow(): CallWindow {
  /** A ring: as long as the calls that are in it need, and at most four times that. */
  let times = new Float64Array(SMALLEST)
  let first = 0
  let count = 0
  const timeOf = (nth: number) => times[(first + nth) % times.length] ?? 0

  function resize(length: number) {
    const moved = new Float64Array(length)
    for (let i = 0; i < count; i++) moved[i] = timeOf(i)
    times = moved
    first = 0
  }
  function drop(at: number) {
    while (count > 0 && timeOf(0) <= at - MINUTE_MS) {
      first = (first + 1) % times.length
      count -= 1
    }
    if (times.length > SMALLEST && count < times.length / 4) resize(Math.max(SMALLEST, times.length / 2))
  }

  return {
    add(at) {
      drop(at)
      if (count === times.length) resize(2 * times.length)
      times[(first + count) % times.length] = at
      count += 1
    },
    waitMs(most, at) {
      drop(at)
      return count < most ? 0 : timeOf(count - most) + MINUTE_MS - at
    },
    isEmpty(at) {
      drop(at)
      return count === 0
    },
  }
}

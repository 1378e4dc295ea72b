/**
 * When a caller's calls of the last minute came. Each has a time of its own while they are few. Of many, those that came within
 * a second leave the minute together with the last of them, so that a limit of a hundred thousand calls needs no more memory than
 * one of sixty: never more than the limit pass in any minute, and a call waits at most a second longer than it had to.
 */

import { MINUTE_MS } from '../units.ts'

const SECOND_MS = 1_000
const SMALLEST = 8
/** More than the seconds that touch a minute, of which each begins at least one second after the one before. */
const LARGEST = 64

export interface CallWindow {
  /** A call came at this time of the clock that never runs backwards. */
  add(at: number): void
  /** Ms from `at` until fewer than `most` calls lie in the minute before; 0 when that is so. */
  waitMs(most: number, at: number): number
  /** No call came in the minute before `at`. */
  isEmpty(at: number): boolean
}

export function createCallWindow(): CallWindow {
  const groups = createGroups()
  /** Of all groups. */
  let total = 0
  function drop(at: number) {
    while (groups.count() > 0 && groups.lastAt(0) <= at - MINUTE_MS) {
      total -= groups.calls(0)
      groups.shift()
    }
  }
  return {
    add(at) {
      drop(at)
      if (groups.count() === LARGEST) groups.join()
      groups.push(at)
      total += 1
    },
    waitMs(most, at) {
      drop(at)
      let left = total
      for (let i = 0; left >= most && i < groups.count(); i++) {
        left -= groups.calls(i)
        if (left < most) return groups.lastAt(i) + MINUTE_MS - at
      }
      return 0
    },
    isEmpty(at) {
      drop(at)
      return groups.count() === 0
    },
  }
}

/** Calls that leave the minute together: when the first and the last of them came, and how many they are. In a ring that grows. */
function createGroups() {
  let first = new Float64Array(SMALLEST)
  let last = new Float64Array(SMALLEST)
  let sizes = new Uint32Array(SMALLEST)
  let head = 0
  let count = 0
  const placeOf = (nth: number) => (head + nth) % sizes.length
  const firstAt = (nth: number) => first[placeOf(nth)] ?? 0
  const lastAt = (nth: number) => last[placeOf(nth)] ?? 0
  const calls = (nth: number) => sizes[placeOf(nth)] ?? 0
  function put(nth: number, firstAt: number, lastAt: number, calls: number) {
    const place = placeOf(nth)
    first[place] = firstAt
    last[place] = lastAt
    sizes[place] = calls
  }
  function grow() {
    const inOrder = <T extends Float64Array | Uint32Array>(to: T, of: (nth: number) => number) => {
      for (let i = 0; i < count; i++) to[i] = of(i)
      return to
    }
    const length = 2 * sizes.length
    const grown = [
      inOrder(new Float64Array(length), firstAt),
      inOrder(new Float64Array(length), lastAt),
      inOrder(new Uint32Array(length), calls),
    ] as const
    ;[first, last, sizes] = grown
    head = 0
  }
  return {
    count: () => count,
    lastAt,
    calls,
    /** A group of one call. */
    push(at: number) {
      if (count === sizes.length) grow()
      put(count, at, at, 1)
      count += 1
    },
    shift() {
      head = placeOf(1)
      count -= 1
    },
    /** Joins groups that lie within a second, oldest first, so that those that are left begin a second apart. */
    join() {
      let joined = 0
      for (let i = 1; i < count; i++) {
        const begins = firstAt(joined)
        if (lastAt(i) < begins + SECOND_MS) put(joined, begins, lastAt(i), calls(joined) + calls(i))
        else put(++joined, firstAt(i), lastAt(i), calls(i))
      }
      count = joined + 1
    },
  }
}

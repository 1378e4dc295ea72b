/** How many tokens were used in the last minute, by seconds: a list of each call would grow with the calls. */
import { MINUTE_MS } from '../units.ts'

const SECOND_MS = 1_000
const SECONDS = MINUTE_MS / SECOND_MS

export interface TokenWindow {
  /** So many were used at this time (ms of the clock that never runs backwards). */
  add(tokens: number, at: number): void
  /** Ms from `at` until fewer than `most` lie in the last minute; 0 when that is so. A second counts until all of it is over. */
  waitMs(most: number, at: number): number
  isEmpty(at: number): boolean
}

export function createTokenWindow(): TokenWindow {
  const tokens = new Float64Array(SECONDS + 1)
  /** The second that was counted last. */
  let last = Number.NEGATIVE_INFINITY
  let sum = 0
  const placeOf = (second: number) => ((second % tokens.length) + tokens.length) % tokens.length

  /** Forgets the seconds of which all is more than a minute before `at`. */
  function drop(at: number) {
    const second = Math.floor(at / SECOND_MS)
    if (second <= last) return
    const first = Math.max(last + 1, second - SECONDS)
    for (let one = first; one <= second; one++) {
      const place = placeOf(one)
      sum -= tokens[place] ?? 0
      tokens[place] = 0
    }
    last = second
  }
  return {
    add(more, at) {
      drop(at)
      const place = placeOf(last)
      tokens[place] = (tokens[place] ?? 0) + more
      sum += more
    },
    waitMs(most, at) {
      drop(at)
      let left = sum
      for (let second = last - SECONDS; left >= most && second <= last; second++) {
        left -= tokens[placeOf(second)] ?? 0
        if (left < most) return (second + 1 + SECONDS) * SECOND_MS - at
      }
      return 0
    },
    isEmpty(at) {
      drop(at)
      return sum === 0
    },
  }
}

/** How often a person may enter a program's code: about ten in ten minutes, each looked up and decided, because a code has 8 of 20 letters (20^8 = 2.6e10). */
import { Refusal } from '../errors.ts'
import { createThrottle } from '../limits/throttle.ts'
import type { Clock } from '../ports.ts'

const BY_PERSON = { burst: 20, everyMs: 30_000 }

export interface CodeEntries {
  /** Throws a Refusal too_many_attempts. */
  take(userId: number): void
}

export function createCodeEntries(clock: Clock): CodeEntries {
  const people = createThrottle(clock, BY_PERSON)
  return {
    take(userId) {
      const waitMs = people.take(`${userId}`)
      if (waitMs === 0) return
      throw new Refusal('too_many_attempts', 'Too many codes were entered. Please try again later.', {
        retryAfterMs: waitMs,
      })
    },
  }
}

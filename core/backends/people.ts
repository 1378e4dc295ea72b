/** Who called where in the last minute, as far as it decides whether a failure is one person's own. */

interface LastCalls {
  /** Who called last and when (`at`), and when anybody else did (`otherAt`). */
  person: number
  at: number
  otherAt: number
}

/** Remembers two times for each key. Keys must be bounded by the caller. */
export function createPeople() {
  const calls = new Map<string, LastCalls>()
  return {
    /** A call of this person, now (ms that never run backwards). */
    called(key: string, person: number, now: number) {
      const known = calls.get(key)
      if (!known) calls.set(key, { person, at: now, otherAt: Number.NEGATIVE_INFINITY })
      else if (known.person === person) known.at = now
      else {
        known.otherAt = known.at
        known.person = person
        known.at = now
      }
    },
    /** When anybody else than this person called last; -Infinity for never. */
    othersAt(key: string, person: number): number {
      const known = calls.get(key)
      if (!known) return Number.NEGATIVE_INFINITY
      return known.person === person ? known.otherAt : known.at
    },
  }
}
export type People = ReturnType<typeof createPeople>

/** Names that stand for one thing each: a further one gets a number at its end. */

/** Digits of a number, and the line before it. */
const LONGEST_END = 8

/**
 * Answers the name that is wanted, or one like it that is not taken. Names that begin alike are counted on together, because a
 * body of a few megabytes has so many equal ones that none may look through all before it.
 */
export function createFreeNames(
  isTaken: (name: string) => boolean,
  longest = Number.POSITIVE_INFINITY,
): (wanted: string) => string {
  const next = new Map<string, number>()
  return (wanted) => {
    if (!isTaken(wanted)) return wanted
    const beginning = wanted.slice(0, longest - LONGEST_END)
    for (let n = next.get(beginning) ?? 2; ; n += 1) {
      const end = `_${n}`
      const name = `${wanted.slice(0, longest - end.length)}${end}`
      if (isTaken(name)) continue
      next.set(beginning, n + 1)
      return name
    }
  }
}

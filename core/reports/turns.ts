/** Whose report is next, because all reports share a thread or two, and nobody's many may keep everybody else's waiting. */

/** Enough that a list is read while a slow report of the same person goes on. */
const AT_ONCE = 2

export interface Turns {
  /** Begins `action` once fewer than two others of this person or program are under way, in the order of asking. */
  take<T>(asker: string, action: () => Promise<T>): Promise<T>
}

export function createTurns(): Turns {
  const asking = new Map<string, { running: number; waiting: (() => void)[] }>()
  return {
    async take(asker, action) {
      const known = asking.get(asker)
      const line = known ?? { running: 0, waiting: [] }
      if (!known) asking.set(asker, line)
      // Whoever leaves gives the place to the first that waits.
      if (line.running < AT_ONCE) line.running++
      else await new Promise<void>((resolve) => line.waiting.push(resolve))
      try {
        return await action()
      } finally {
        const next = line.waiting.shift()
        if (next) next()
        else if (--line.running === 0) asking.delete(asker)
      }
    },
  }
}

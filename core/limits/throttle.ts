/** How often something may be done for a key, such as an address; counted by each process for itself. */
import type { Clock } from '../ports.ts'

export interface Throttle {
  /** Counts one more for `key`. Answers 0, or for how many ms it has to wait: then it was not counted. */
  take(key: string): number
}

/**
 * `burst` at once, and one more every `everyMs` (https://en.wikipedia.org/wiki/Generic_cell_rate_algorithm). Only the
 * `keys` that came last are remembered.
 */
export function createThrottle(
  clock: Clock,
  { burst, everyMs, keys = 10_000 }: { burst: number; everyMs: number; keys?: number },
): Throttle {
  /** By key: when its whole burst is free again (ms of the clock that never runs backwards). */
  const paidAt = new Map<string, number>()
  return {
    take(key) {
      const now = clock.elapsed()
      const paid = Math.max(paidAt.get(key) ?? now, now)
      const waitMs = paid - now - (burst - 1) * everyMs
      if (waitMs > 0) return waitMs
      paidAt.delete(key)
      for (const oldest of paidAt.keys()) {
        if (paidAt.size < keys) break
        paidAt.delete(oldest)
      }
      paidAt.set(key, paid + everyMs)
      return 0
    },
  }
}

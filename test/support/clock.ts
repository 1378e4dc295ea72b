/** A clock that stands still until it is told to go on. */
import type { Clock } from '../../core/ports.ts'

export interface FakeClock extends Clock {
  /** Moves time on by `ms` and runs what became due, in order. */
  advance(ms: number): void
  /** Sets the wall clock forward, or back if negative; what never runs backwards does not notice. */
  set(ms: number): void
  /** How many timers are running. */
  timers(): number
}

export function fakeClock(start = Date.UTC(2026, 10, 23, 12)): FakeClock {
  let elapsed = 0
  let setBy = 0
  const timers = new Set<{ at: number; action: () => void }>()
  return {
    now: () => start + elapsed + setBy,
    elapsed: () => elapsed,
    after(ms, action) {
      const timer = { at: elapsed + ms, action }
      timers.add(timer)
      return () => timers.delete(timer)
    },
    advance(ms) {
      const end = elapsed + ms
      for (;;) {
        const [next] = [...timers].filter(({ at }) => at <= end).sort((a, b) => a.at - b.at)
        if (!next) break
        timers.delete(next)
        elapsed = next.at
        next.action()
      }
      elapsed = end
    },
    set(ms) {
      setBy += ms
    },
    timers: () => timers.size,
  }
}

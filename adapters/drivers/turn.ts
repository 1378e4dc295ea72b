/**
 * The order in which bytes leave this process at the end of a turn of the event loop: first what must be known of its calls,
 * which each writer writes in one piece for all of them, then what these calls waited with, their requests and answers. A turn
 * that takes long ends in its midst, because nobody waits for all that others have to do in it.
 */
import { systemClock } from '../../core/clock.ts'
import type { Clock } from '../../core/ports.ts'

/** Longer than most turns; what a write for each call costs is small beside it. */
const LONG_MS = 1

export interface Turn {
  /**
   * Adds a writer, which must not throw. What is returned is called whenever it has something to write; `write` then runs once,
   * at the end of the turn, or of a part of it.
   */
  writer(write: () => void): () => void
  /** Whether something is to be written before anything leaves. */
  isDue(): boolean
  /** Runs `action` behind the writers of this turn; at once if none has anything to write. Actions keep their order. */
  after(action: () => void): void
  /** Resolves when what is due is written. */
  written(): Promise<void>
}

export function createTurn({ elapsed }: Pick<Clock, 'elapsed'> = systemClock): Turn {
  const writers: (() => void)[] = []
  let actions: (() => void)[] = []
  let isDue = false
  let since = 0
  function end() {
    if (!isDue) return
    for (const write of writers) write()
    isDue = false
    const waiting = actions
    actions = []
    for (const action of waiting) action()
  }
  const isLong = () => elapsed() - since > LONG_MS
  function due() {
    if (isDue) {
      if (isLong()) end()
      return
    }
    isDue = true
    since = elapsed()
    setImmediate(end)
  }
  function after(action: () => void) {
    if (isDue && isLong()) end()
    if (isDue) actions.push(action)
    else action()
  }
  return {
    writer(write) {
      writers.push(write)
      return due
    },
    isDue: () => isDue,
    after,
    written: () => new Promise((resolve) => after(resolve)),
  }
}

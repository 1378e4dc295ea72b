/** Work that is done in steps, between which others can be served. */
import type { Clock, MaybePromise } from './ports.ts'

/** So long it goes on before others have their turn (ms). Nearly all of it takes less. */
const TURN_MS = 5

export function atOnce<T>(work: Generator<void, T>): T {
  for (;;) {
    const { done, value } = work.next()
    if (done) return value
  }
}

/** A promise only of work that takes longer than a turn. Throws or rejects as the work does. */
export function inTurns<T>(
  work: Generator<void, T>,
  clock: Pick<Clock, 'elapsed' | 'after'>,
): MaybePromise<T> {
  const since = clock.elapsed()
  for (;;) {
    const { done, value } = work.next()
    if (done) return value
    if (clock.elapsed() - since > TURN_MS) {
      return new Promise<void>((resolve) => clock.after(0, resolve)).then(() => inTurns(work, clock))
    }
  }
}

/** To be awaited before each step of work that waits for nothing else. Answers a promise only where the turn is over. */
export function createTurns(clock: Pick<Clock, 'elapsed' | 'after'>): () => MaybePromise<void> {
  let since = clock.elapsed()
  return () => {
    if (clock.elapsed() - since <= TURN_MS) return
    return new Promise<void>((resolve) => clock.after(0, resolve)).then(() => {
      since = clock.elapsed()
    })
  }
}

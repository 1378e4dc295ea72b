/** What each call may say anew is remembered here and seldom written, because calls must not cost a statement each. */
import { createOutage } from './outage.ts'
import type { Clock, Logger } from './ports.ts'

export interface SeldomParts {
  clock: Clock
  logger: Logger
  waitUntil(work: Promise<unknown>): void
}

interface How<Value> {
  /** Of so many ids it is remembered what was said last; beyond, the oldest is forgotten. */
  most: number
  /** Whether `value` is to be written, `sinceMs` after `before` was. The first of an id always is. */
  isNews(value: Value, before: Value, sinceMs: number): boolean
  /** What is refused here is never written. Default: nothing is. */
  isValid?(value: Value): boolean
  /** Writes all that waits. What it rejects with is logged, and what waited is written with the next news. */
  write(entries: readonly (readonly [id: number, value: Value])[]): Promise<unknown>
  /** Names for the log. */
  events: { failed: string; worksAgain: string }
}

/** The returned function is told what is said of an id. */
export function seldomWritten<Value>(
  { clock, logger, waitUntil }: SeldomParts,
  { most, isNews, isValid, write, events }: How<Value>,
): (id: number, value: Value) => void {
  const known = new Map<number, { value: Value; at: number }>()
  const waiting = new Map<number, Value>()
  const outage = createOutage(logger, events)
  let writing = false

  async function writeAll() {
    await Promise.resolve()
    while (waiting.size > 0) {
      const some = [...waiting]
      await write(some)
      for (const [id, value] of some) if (waiting.get(id) === value) waiting.delete(id)
      outage.worked()
    }
  }
  return (id, value) => {
    const now = clock.elapsed()
    const before = known.get(id)
    if (before && !isNews(value, before.value, now - before.at)) return
    if (isValid && !isValid(value)) return
    const oldest = known.size >= most ? known.keys().next().value : undefined
    if (oldest !== undefined) {
      known.delete(oldest)
      waiting.delete(oldest)
    }
    known.set(id, { value, at: now })
    waiting.set(id, value)
    if (writing) return
    writing = true
    const ended = writeAll()
      .catch(outage.failed)
      .finally(() => {
        writing = false
      })
    waitUntil(ended)
  }
}

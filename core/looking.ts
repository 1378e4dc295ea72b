import type { Clock } from './ports.ts'
import { sharedWork, type WaitUntil } from './shared-work.ts'

/** A look that began so long ago is not waited for by those who ask now: a runtime may have dropped it without a word. */
const LOST_MS = 30_000

/**
 * Looks at something outside, one look at a time. Who asks during a look gets one that starts afterwards, so that they see their
 * own writes. `look` may run twice at once after 30 s.
 */
export function oneLookAtATime(
  look: () => Promise<void>,
  { clock, waitUntil }: { clock: Clock; waitUntil: WaitUntil },
): () => Promise<void> {
  let looking: Promise<void> | undefined
  let again: Promise<void> | undefined
  let startedAt = 0
  function begin(): Promise<void> {
    startedAt = clock.elapsed()
    again = undefined
    const looked = sharedWork(
      look().finally(() => {
        if (looking === looked) looking = undefined
      }),
      waitUntil,
    )
    looking = looked
    return looked
  }
  function ask(): Promise<void> {
    if (!looking || clock.elapsed() - startedAt >= LOST_MS) return begin()
    const before = looking
    again ??= sharedWork(
      before
        .catch(() => {})
        .then(() => {
          again = undefined
          return ask()
        }),
      waitUntil,
    )
    return again
  }
  return ask
}

/**
 * A text that is another one after each commit to the database, whoever made it. It is asked for before a statement that has to
 * see what was committed. undefined: only a statement can tell.
 */
export type LastCommit = () => string | undefined

/** `look` at what is in the database, left out while nothing was committed since the last one that went well. */
export function lookAfterCommits(
  look: () => Promise<void>,
  lastCommit: LastCommit | undefined,
): () => Promise<void> {
  let seen: string | undefined
  return async () => {
    const last = lastCommit?.()
    if (last !== undefined && last === seen) return
    await look()
    seen = last
  }
}

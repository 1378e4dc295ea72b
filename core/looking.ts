import { sharedWork, type WaitUntil } from './shared-work.ts'

/**
 * Looks at something outside, one look at a time. Who asks during a look gets one that starts afterwards, so that they see their
 * own writes.
 */
export function oneLookAtATime(look: () => Promise<void>, waitUntil: WaitUntil): () => Promise<void> {
  let looking: Promise<void> | undefined
  let again: Promise<void> | undefined
  function ask(): Promise<void> {
    if (!looking) {
      const looked = look().finally(() => {
        looking = undefined
      })
      looking = sharedWork(looked, waitUntil)
      return looking
    }
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

/**
 * Looks at something outside, one look at a time. Who asks during a look gets one that starts afterwards, so that they see their
 * own writes.
 */
export function oneLookAtATime(look: () => Promise<void>): () => Promise<void> {
  let looking: Promise<void> | undefined
  let again: Promise<void> | undefined
  function ask(): Promise<void> {
    if (!looking) {
      looking = look().finally(() => {
        looking = undefined
      })
      return looking
    }
    again ??= looking
      .catch(() => {})
      .then(() => {
        again = undefined
        return ask()
      })
    return again
  }
  return ask
}

/** Wall clocks are set back, and those of machines differ: what may be believed of moments that were written down. */

/** How far the wall clocks of machines may differ, in ms. */
export const CLOCK_SKEW_MS = 30_000

/**
 * Whether a moment of the past, as it was written down, lies ahead of `now`: the clock that wrote it was set back since, or
 * is another machine's wrong one. What is counted from such a moment would last as long as the clocks are apart.
 */
export function isAhead(at: number, now: number): boolean {
  return at > now + CLOCK_SKEW_MS
}

/** Money is kept in whole micro-dollars and times in ms since 1970; people and the API get dollars and RFC 3339. */

export const MINUTE_MS = 60_000
export const QUARTER_MS = 900_000
export const HOUR_MS = 3_600_000
export const DAY_MS = 86_400_000

const MICROS = 1_000_000

/** Micro-dollars, rounded to a whole number. */
export function microsOf(usd: number): number {
  return Math.round(usd * MICROS)
}

export function usdOf(micros: number): number {
  return micros / MICROS
}

/** RFC 3339, UTC. */
export function timeText(ms: number): string {
  return new Date(ms).toISOString()
}

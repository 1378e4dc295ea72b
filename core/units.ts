/** Money is stored in whole micro-dollars, time in ms since 1970; the API and the dashboard use dollars and RFC 3339. */

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

/** `ms` since 1970 as RFC 3339 in UTC. */
export function timeText(ms: number): string {
  return new Date(ms).toISOString()
}

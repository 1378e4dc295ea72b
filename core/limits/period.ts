/** The calendar that quotas and budgets are counted over: UTC days, ISO weeks (from Monday), months, or all time. */
import type { Period } from '../settings.ts'
import { DAY_MS } from '../units.ts'

/** 1970-01-05 was the first Monday. */
const FIRST_MONDAY_MS = 4 * DAY_MS

export interface PeriodSpan {
  /** First ms of the period. */
  start: number
  /** First ms of the next one; Number.MAX_SAFE_INTEGER when it never ends. */
  end: number
}

/** The period that holds `at` (ms since 1970). */
export function periodOf(period: Period, at: number): PeriodSpan {
  switch (period) {
    case 'daily':
      return spanOf(at, DAY_MS, 0)
    case 'weekly':
      return spanOf(at, 7 * DAY_MS, FIRST_MONDAY_MS)
    case 'monthly': {
      const date = new Date(at)
      const [year, month] = [date.getUTCFullYear(), date.getUTCMonth()]
      return { start: Date.UTC(year, month), end: Date.UTC(year, month + 1) }
    }
    case 'total':
      return { start: 0, end: Number.MAX_SAFE_INTEGER }
  }
}

function spanOf(at: number, length: number, origin: number): PeriodSpan {
  const start = at - ((((at - origin) % length) + length) % length)
  return { start, end: start + length }
}

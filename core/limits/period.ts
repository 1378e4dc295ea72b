/** The calendar that limits are counted over: days, ISO weeks (from Monday), months of a time zone, or all time. */

import { addDays, createCalendar } from '../calendar.ts'
import type { PeriodStarts } from '../record.ts'
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

export const EVER: PeriodSpan = { start: 0, end: Number.MAX_SAFE_INTEGER }

/** The place of each period in lists of amounts; the first three are those of PeriodStarts. */
export const PERIOD_INDEX = { daily: 0, weekly: 1, monthly: 2, total: 3 } as const
export const PERIODS = ['daily', 'weekly', 'monthly', 'total'] as const

export interface Periods {
  /** The period that holds `at` (ms since 1970). */
  spanOf(period: Period, at: number): PeriodSpan
  /** When the day, week and month that hold `at` began. */
  startsAt(at: number): PeriodStarts
  /** When these end. */
  endsAt(at: number): PeriodStarts
}

/** Periods of a known IANA time zone. A day may have 23 or 25 hours. Asking about the same period again costs nothing. */
export function createPeriods(timeZone: string): Periods {
  const calendar = createCalendar(timeZone)
  const bounds = {
    daily: (date: string) => [date, addDays(date, 1)],
    weekly(date: string) {
      const days = (Date.parse(date) - FIRST_MONDAY_MS) / DAY_MS
      const monday = addDays(date, Math.floor(days / 7) * 7 - days)
      return [monday, addDays(monday, 7)]
    },
    monthly(date: string) {
      const first = `${date.slice(0, 8)}01`
      return [first, `${addDays(first, 31).slice(0, 8)}01`]
    },
  }
  const last: Partial<Record<Period, PeriodSpan>> = { total: EVER }
  let starts: PeriodStarts = [0, 0, 0]
  let ends: PeriodStarts = [0, 0, 0]

  function spanOf(period: Period, at: number): PeriodSpan {
    const known = last[period]
    if (known && at >= known.start && at < known.end) return known
    if (period === 'total') return EVER
    const [start = 0, end = 0] = bounds[period](calendar.dateAt(at)).map(calendar.startOf)
    const span = { start, end }
    last[period] = span
    return span
  }
  /** A day lies in one week and in one month, so that its lists are those of all its moments. */
  function find(at: number) {
    if (at >= starts[0] && at < ends[0]) return
    const spans = [spanOf('daily', at), spanOf('weekly', at), spanOf('monthly', at)] as const
    starts = [spans[0].start, spans[1].start, spans[2].start]
    ends = [spans[0].end, spans[1].end, spans[2].end]
  }
  return {
    spanOf,
    startsAt(at) {
      find(at)
      return starts
    },
    endsAt(at) {
      find(at)
      return ends
    },
  }
}

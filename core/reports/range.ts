/** Dates of a query as ranges of time. They are days of the query's time zone; the end date is included. */

import { addDays, createCalendar, daysBetween } from '../calendar.ts'
import { invalidField } from '../errors.ts'
import { problem } from '../problems.ts'
import { HOUR_MS } from '../units.ts'

/** `from` inclusive, `to` exclusive, in ms since 1970. */
export interface Range {
  from: number
  to: number
}
/** The range of one bar in a chart. */
export interface DaySpan extends Range {
  label: string
}

/** All time. Both ends are starts of UTC days, so that it consists of whole days. */
export const ALL_TIME: Range = { from: 0, to: Date.UTC(10_000, 0, 1) }

export function isAllTime({ from, to }: Range): boolean {
  return from === ALL_TIME.from && to === ALL_TIME.to
}

/** The range to read sums in: where rows are gone, before `keptSince`, an hour belongs to the day in which it began. */
export function readable<R extends Range>(range: R, keptSince: number): R {
  const bound = (at: number) => (at < keptSince ? Math.floor(at / HOUR_MS) * HOUR_MS : at)
  return { ...range, from: bound(range.from), to: bound(range.to) }
}

export interface Dates {
  /** YYYY-MM-DD, valid dates. */
  startDate: string | undefined
  endDate: string | undefined
  /** A known time zone. */
  timeZone: string
}

const MOST_DAYS = { daily: 366, hourly: 31, any: 3_660 }

/** The range of the dates; a missing one leaves that side open. Throws a Refusal invalid_input. */
export function rangeOf(dates: Dates): Range {
  const { startDate, endDate, timeZone } = dates
  if (startDate !== undefined && endDate !== undefined) assertSpan(startDate, endDate, MOST_DAYS.any)
  const calendar = createCalendar(timeZone)
  return {
    from: startDate === undefined ? ALL_TIME.from : calendar.startOf(startDate),
    to: endDate === undefined ? ALL_TIME.to : calendar.startOf(addDays(endDate, 1)),
  }
}

/** The last `count` days, today included. */
export function lastDays(count: number, timeZone: string, now: number): Range {
  const calendar = createCalendar(timeZone)
  const today = calendar.dateAt(now)
  return { from: calendar.startOf(addDays(today, 1 - count)), to: calendar.startOf(addDays(today, 1)) }
}

/**
 * One range per day, labelled with its date. A missing end is today, or the start if that is later; a missing start is 29
 * days before the end. Throws a Refusal invalid_input.
 */
export function daySpans({ startDate, endDate, timeZone }: Dates, now: number): DaySpan[] {
  const calendar = createCalendar(timeZone)
  const today = calendar.dateAt(now)
  const end = endDate ?? (startDate !== undefined && startDate > today ? startDate : today)
  const start = startDate ?? addDays(end, -29)
  const days = assertSpan(start, end, MOST_DAYS.daily)
  const dates = Array.from({ length: days + 1 }, (_, i) => addDays(start, i))
  const starts = dates.map((date) => calendar.startOf(date))
  return dates.slice(0, -1).map((label, i) => ({ label, from: starts[i] ?? 0, to: starts[i + 1] ?? 0 }))
}

/** The range of an hourly chart: without dates the last 24 hours, with one date that day. Throws a Refusal invalid_input. */
export function hoursOf({ startDate, endDate, timeZone }: Dates, now: number): Range {
  const start = startDate ?? endDate
  const end = endDate ?? startDate
  if (start === undefined || end === undefined) {
    const next = (Math.floor(now / HOUR_MS) + 1) * HOUR_MS
    return { from: next - 24 * HOUR_MS, to: next }
  }
  assertSpan(start, end, MOST_DAYS.hourly)
  return rangeOf({ startDate: start, endDate: end, timeZone })
}

/** The number of days, both ends included. Throws a Refusal invalid_input that names the wrong date. */
function assertSpan(start: string, end: string, most: number): number {
  const days = daysBetween(start, end) + 1
  if (days < 1) throw invalidField('end_date', problem('before_start'))
  if (days > most) throw invalidField('start_date', problem('most_days', { n: most }))
  return days
}

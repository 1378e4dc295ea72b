/** Dates of a report as buckets of time: minutes, hours, days, weeks (from Monday) or months of the reader's time zone. */

import { addDays, createCalendar, daysBetween } from '../calendar.ts'
import { invalidField } from '../errors.ts'
import { problem } from '../problems.ts'
import { DAY_MS, HOUR_MS } from '../units.ts'
import type { Range } from './range.ts'

export const BUCKETS = ['none', 'minute', 'hour', 'day', 'week', 'month'] as const
export type Bucket = (typeof BUCKETS)[number]

/** Most days that a report may have, by its buckets. */
const MOST_DAYS: Record<Bucket, number> = {
  none: 3_660,
  minute: 1,
  hour: 31,
  day: 366,
  week: 3_660,
  month: 3_660,
}
const USUAL_DAYS: Record<Bucket, number> = { none: 30, minute: 1, hour: 1, day: 30, week: 91, month: 365 }
const MINUTE_MS = 60_000
/** Ms of buckets that are equally long. */
export const EVEN_MS: Partial<Record<Bucket, number>> = { minute: MINUTE_MS, hour: HOUR_MS }

export interface ReportDates {
  /** YYYY-MM-DD, valid dates, both included. */
  startDate: string
  endDate: string
  timeZone: string
}
/** One bucket, named by its first date, its month, or its time. */
export interface BucketSpan extends Range {
  label: string
}

/** The dates with what is missing: the end is today, and the start some time before. Throws a Refusal invalid_input. */
export function reportDates(
  given: { startDate?: string | undefined; endDate?: string | undefined; timeZone: string },
  bucket: Bucket,
  now: number,
): ReportDates {
  const { timeZone, startDate } = given
  const today = createCalendar(timeZone).dateAt(now)
  const endDate = given.endDate ?? (startDate !== undefined && startDate > today ? startDate : today)
  const start = startDate ?? addDays(endDate, 1 - USUAL_DAYS[bucket])
  const days = daysBetween(start, endDate) + 1
  if (days < 1) throw invalidField('end_date', problem('before_start'))
  if (days > MOST_DAYS[bucket]) {
    throw invalidField('start_date', problem('most_days_by', { n: MOST_DAYS[bucket] }))
  }
  return { startDate: start, endDate, timeZone }
}

/** The dates before these: as many months if they are whole months, else as many days. */
export function datesBefore({ startDate, endDate, timeZone }: ReportDates): ReportDates {
  const end = addDays(startDate, -1)
  if (isFirst(startDate) && isFirst(addDays(endDate, 1))) {
    const months = monthsSince0(addDays(endDate, 1)) - monthsSince0(startDate)
    return { startDate: firstOfMonth(monthsSince0(startDate) - months), endDate: end, timeZone }
  }
  return { startDate: addDays(end, -daysBetween(startDate, endDate)), endDate: end, timeZone }
}

const isFirst = (date: string) => date.endsWith('-01')
const monthsSince0 = (date: string) => Number(date.slice(0, 4)) * 12 + Number(date.slice(5, 7)) - 1

function firstOfMonth(months: number): string {
  return new Date(Date.UTC(Math.floor(months / 12), months % 12)).toISOString().slice(0, 10)
}

/** The first and the last ms of these dates. */
export function spanOfDates({ startDate, endDate, timeZone }: ReportDates): Range {
  const calendar = createCalendar(timeZone)
  return { from: calendar.startOf(startDate), to: calendar.startOf(addDays(endDate, 1)) }
}

/** The buckets in their order. Those at the ends may be parts of weeks and months. */
export function bucketsOf(dates: ReportDates, bucket: Bucket): BucketSpan[] {
  const whole = spanOfDates(dates)
  const even = EVEN_MS[bucket]
  if (even !== undefined) {
    return Array.from({ length: Math.ceil((whole.to - whole.from) / even) }, (_, at) => {
      const from = whole.from + at * even
      return { label: new Date(from).toISOString(), from, to: Math.min(from + even, whole.to) }
    })
  }
  const calendar = createCalendar(dates.timeZone)
  const firsts = firstDates(dates, bucket)
  const starts = [...firsts.map((date) => calendar.startOf(date)), whole.to]
  return firsts.map((date, at) => {
    const label = bucket === 'month' ? date.slice(0, 7) : date
    return { label, from: starts[at] ?? 0, to: starts[at + 1] ?? 0 }
  })
}

function firstDates({ startDate, endDate }: ReportDates, bucket: Bucket): string[] {
  const begins: Partial<Record<Bucket, (date: string) => boolean>> = {
    day: () => true,
    week: isMonday,
    month: isFirst,
  }
  const isBeginning = begins[bucket] ?? (() => false)
  const dates = Array.from({ length: daysBetween(startDate, endDate) + 1 }, (_, at) => addDays(startDate, at))
  return dates.filter((date, at) => at === 0 || isBeginning(date))
}

/** 1970-01-05 was a Monday. */
function isMonday(date: string): boolean {
  return (Date.parse(date) / DAY_MS) % 7 === 4
}

/** What the hours of a week used in some days: all Mondays at nine together, and so on. */
import { createCalendar, daysBetween } from '../calendar.ts'
import { invalidField } from '../errors.ts'
import type { Db } from '../ports.ts'
import type { ReportDates } from './buckets.ts'
import type { ReportFilter } from './grouped.ts'
import { type ReportRow, reportOf } from './report.ts'
import { TIMED_SORTS } from './timings.ts'

const TIMED_DAYS = 7

/** A figure of some calls: micro-dollars, a count, or ms. */
const FIGURES = {
  cost: (row: ReportRow) => row.costMicros,
  tokens: (row: ReportRow) =>
    row.inputTokens +
    row.outputTokens +
    row.cacheReadTokens +
    row.cacheWrite5mTokens +
    row.cacheWrite1hTokens,
  requests: (row: ReportRow) => row.requests,
  errors: (row: ReportRow) => row.errors,
  first_byte_p50: (row: ReportRow) => row.timings?.firstByte.p50Ms ?? 0,
  first_byte_p95: (row: ReportRow) => row.timings?.firstByte.p95Ms ?? 0,
  duration_p50: (row: ReportRow) => row.timings?.duration.p50Ms ?? 0,
  duration_p95: (row: ReportRow) => row.timings?.duration.p95Ms ?? 0,
}
export type WeekFigure = keyof typeof FIGURES
export const WEEK_FIGURES = Object.keys(FIGURES) as [WeekFigure, ...WeekFigure[]] // holds because FIGURES is a constant

/**
 * A figure of each hour, Monday first, 24 hours each, in the zone of the dates; 0 where nothing was called. Throws a Refusal
 * invalid_input where an hour would be there twice and its figure cannot be added up.
 */
export async function weekOf(
  db: Db,
  { dates, filter, figure }: { dates: ReportDates; filter: ReportFilter; figure: WeekFigure },
): Promise<number[][]> {
  const isTimed = (TIMED_SORTS as readonly string[]).includes(figure)
  if (isTimed && daysBetween(dates.startDate, dates.endDate) >= TIMED_DAYS) {
    throw invalidField('start_date', `at most ${TIMED_DAYS} days can be asked for by how long calls took`)
  }
  const question = { dimensions: [], bucket: 'hour', compare: false, sort: 'time', order: 'asc' } as const
  const { rows } = await reportOf(db, { ...question, dates, filter, isTimed }, { skip: 0, take: undefined })
  const { hourOfWeek } = createCalendar(dates.timeZone)
  const week = Array.from({ length: 7 }, () => Array<number>(24).fill(0))
  for (const row of rows) {
    const at = hourOfWeek(row.bucket.from)
    const hours = week[Math.floor(at / 24)]
    if (hours) hours[at % 24] = (hours[at % 24] ?? 0) + FIGURES[figure](row)
  }
  return week
}

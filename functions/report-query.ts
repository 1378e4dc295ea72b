/** Queries of reports. */
import * as z from 'zod'
import { isTimeZone } from '../core/calendar.ts'
import { CLIENT_NAMES } from '../core/calls/client.ts'
import { PROBLEMS } from '../core/problems.ts'
import { BUCKETS, reportDates } from '../core/reports/buckets.ts'
import { DIMENSIONS, type Dimension, type ReportFilter } from '../core/reports/grouped.ts'
import { type ReportQuestion, SORTS } from '../core/reports/report-page.ts'
import { TIMED_SORTS } from '../core/reports/timings.ts'
import { WEEK_FIGURES } from '../core/reports/week.ts'
import { idInQuery, line, modelName, optionalLine, page } from './fields.ts'
import { date } from './usage-views.ts'

export const zone = z
  .string()
  .refine(isTimeZone, PROBLEMS.time_zone)
  .optional()
  .meta({ description: 'The time zone that days belong to, by its IANA name. Without it: limits.time_zone.' })
/** Also 0, the calls of no group. */
const groupId = z
  .string()
  .regex(/^(0|[1-9]\d{0,14})$/, 'an id is expected')
  .transform(Number)

const DIMENSION_NAMES = Object.keys(DIMENSIONS) as [Dimension, ...Dimension[]] // holds because DIMENSIONS is a constant
export const dimension = z.enum(DIMENSION_NAMES)
const ONE = `(${DIMENSION_NAMES.join('|')})`
const groupBy = z
  .string()
  .regex(new RegExp(`^(${ONE}(,${ONE})?)?$`), `one or two of ${DIMENSION_NAMES.join(', ')} are expected`)
  .transform((text) => (text === '' ? [] : text.split(',')))
  .pipe(z.array(dimension))
  .refine((list) => new Set(list).size === list.length, 'two different ones are expected')

const Common = {
  group_by: groupBy.optional().meta({
    description: `What calls are told apart by: one or two of ${DIMENSION_NAMES.join(', ')}, with a comma. Without it: only by time.`,
  }),
  bucket: z.enum(BUCKETS).default('none').meta({
    description:
      'What time is told apart by. Weeks begin on Monday. At most a day by minute, 31 days by hour, 366 by day.',
  }),
  start_date: date.optional().meta({ description: 'First day, in the zone `tz`.' }),
  end_date: date.optional().meta({ description: 'Last day, in the zone `tz`.' }),
  tz: zone,
  group_id: groupId.optional().meta({ description: 'Booked to this group; 0 is no group.' }),
  key_id: idInQuery.optional(),
  model: modelName.optional(),
  client: optionalLine(50)
    .optional()
    .meta({
      description: `The program that called: ${CLIENT_NAMES.join(', ')}; empty: not known.`,
    }),
  project: optionalLine(64).optional().meta({ description: 'As calls named it; empty: none.' }),
  sort: z
    .enum([...SORTS, ...TIMED_SORTS])
    .default('cost')
    .meta({ description: 'By how long calls took: `timings` are told then, too.' }),
  order: z.enum(['asc', 'desc']).default('desc'),
  compare: z
    .enum(['true', 'false'])
    .default('false')
    .transform((text) => text === 'true')
    .meta({ description: 'Whether rows tell of the period before: as many whole months, or days.' }),
  timings: z
    .enum(['true', 'false'])
    .default('false')
    .transform((text) => text === 'true')
    .meta({
      description:
        'Whether rows tell how long calls took: of calls that went well and are in the log, of which an even part is looked at where they are many (`timings_every`).',
    }),
}
const paged = {
  top: z
    .string()
    .regex(/^([1-9]|1\d|20)$/, 'a whole number from 1 to 20')
    .transform(Number)
    .optional()
    .meta({
      description:
        'How many values of the first of `group_by` have rows of their own: the largest by `sort`, or by cost. The others are one row together, with `rest`.',
    }),
  page,
  page_size: z
    .string()
    .regex(/^([1-9]\d{0,2}|1000)$/, 'a whole number from 1 to 1000')
    .transform(Number)
    .default(100),
}
const scope = z.enum(['own', 'led']).default('own').meta({
  description: '`own`: calls of the caller. `led`: calls that were booked to groups that the caller leads.',
})
const everybodys = {
  ...Common,
  user_id: idInQuery.optional(),
  backend: z
    .union([z.literal(''), line(200)])
    .optional()
    .meta({ description: 'Empty: calls that no backend was found for.' }),
}
export const OwnQuery = z.strictObject({ ...Common, user_id: everybodys.user_id, scope, ...paged })
export const OwnFileQuery = OwnQuery.omit({ page: true, page_size: true, top: true })
export const Query = z.strictObject({ ...everybodys, ...paged })
export const FileQuery = z.strictObject(everybodys)

/** Not of a week. */
const UNTOLD = {
  group_by: true,
  bucket: true,
  sort: true,
  order: true,
  compare: true,
  timings: true,
} as const
const week = {
  figure: z.enum(WEEK_FIGURES).default('cost').meta({
    description: 'Dollars, a count, or milliseconds. At most 31 days, and 7 of how long calls took.',
  }),
}
export const OwnWeekQuery = OwnFileQuery.omit(UNTOLD).extend(week)
export const WeekQuery = FileQuery.omit(UNTOLD).extend(week)

type Asked = z.output<typeof FileQuery>

type Filtering = Pick<Asked, 'user_id' | 'key_id' | 'group_id' | 'model' | 'backend' | 'client' | 'project'>

/** The filter of one's own report, or of a lead: who may see what is part of the question. */
export function ownFilter(query: Filtering & { scope: 'own' | 'led' }, callerId: number): ReportFilter {
  if (query.scope === 'led') return { ...filterOf(query), ledBy: callerId }
  return { ...filterOf(query), userId: callerId }
}

export function filterOf(query: Filtering): ReportFilter {
  const { user_id: userId, key_id: keyId, group_id: groupId, model, backend, client, project } = query
  return { userId, keyId, groupId, model, backend, client, project }
}

export function questionOf(
  query: Asked & { top?: number | undefined },
  filter: ReportFilter,
  { now, timeZone }: { now: number; timeZone: string },
): ReportQuestion {
  const { group_by: dimensions = [], bucket, sort, order, compare, top } = query
  const isTimed = query.timings || (TIMED_SORTS as readonly string[]).includes(sort)
  const given = { startDate: query.start_date, endDate: query.end_date, timeZone: query.tz ?? timeZone }
  return {
    dimensions,
    bucket,
    sort,
    order,
    compare,
    isTimed,
    top,
    filter,
    dates: reportDates(given, bucket, now),
  }
}

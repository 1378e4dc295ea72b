/**
 * How long calls took: medians and 95th percentiles of the first byte and of the whole answer, by what a report tells apart.
 *
 * Decision: percentiles cannot be added up, and sums that could hold them for everything a report tells apart would make each
 * call dearer to write. They come from the log, of which a bounded number of rows is looked at, spread evenly over the time.
 */
import { type SQL, sql } from 'drizzle-orm'
import type { Db } from '../ports.ts'
import type { BucketSpan } from './buckets.ts'
import { DIMENSIONS, type Dimension, type ReportFilter, restOf } from './grouped.ts'
import { withOwner } from './query.ts'
import type { Range } from './range.ts'

/** How many rows of the log a report looks at, so that it costs the same in a company of any size. */
const MOST_LOOKED_AT = 10_000

/** Of some calls; null = none of them. A percentile is the time that one of them took. Ms. */
export interface Timing {
  calls: number
  p50Ms: number | null
  p95Ms: number | null
}
export interface Timings {
  /** Until the first byte of answers that were streamed. */
  firstByte: Timing
  /** Until the last byte. */
  duration: Timing
}

export const TIMINGS = ['first_byte', 'duration'] as const
export const TIMED_SORTS = [
  'first_byte_p50',
  'first_byte_p95',
  'duration_p50',
  'duration_p95',
] as const satisfies `${(typeof TIMINGS)[number]}_${'p50' | 'p95'}`[]
/** Columns of `timed`. */
export const TIMED = TIMINGS.flatMap((kind) => [`${kind}_calls`, `${kind}_p50`, `${kind}_p95`] as const)

/** Rows of the log: what follows FROM, without the conditions of the filter. */
export interface Sample {
  rows: SQL
  /** One of so many calls is looked at; 1 = all are. */
  every: number
}

/** The rows that percentiles of these calls rest on. */
export async function sampleOf(db: Db, asked: ReportFilter, { from, to }: Range): Promise<Sample> {
  const { userId } = (await withOwner(db, asked)) ?? asked
  const whose = userId === undefined ? sql`` : sql`user_id = ${userId} and`
  const within = sql`usage_logs where ${whose} created_at >= ${from} and created_at < ${to}`
  // A person's calls are counted by their index. Everybody's only as far as matters, because they may be many millions.
  const most = userId === undefined ? MOST_LOOKED_AT + 1 : -1
  const [{ calls } = { calls: 0 }] = await db.all<{ calls: number }>(
    sql`select count(*) as calls from (select 1 from ${within} limit ${most})`,
  )
  if (calls <= MOST_LOOKED_AT) return { rows: within, every: 1 }
  if (userId === undefined) return spread(db, { from, to })
  const every = Math.ceil(calls / MOST_LOOKED_AT)
  return { rows: sql`${within} and ${mixed(sql`id`)} % ${sql.raw(String(every))} = 0`, every }
}

/** Everybody's calls by ids at even distances, because a log of any size is then looked into as often. */
async function spread(db: Db, { from, to }: Range): Promise<Sample> {
  const within = sql`usage_logs where created_at >= ${from} and created_at < ${to}`
  const edge = (order: 'asc' | 'desc') =>
    sql`(select id from ${within} order by created_at ${sql.raw(order)}, id ${sql.raw(order)} limit 1)`
  const [ids] = await db.all<{ one: number; other: number }>(
    sql`select ${edge('asc')} as one, ${edge('desc')} as other`,
  )
  const [one, other] = [Number(ids?.one ?? 0), Number(ids?.other ?? 0)]
  const [first, last] = [Math.min(one, other), Math.max(one, other)]
  const every = Math.ceil((last - first + 1) / MOST_LOOKED_AT)
  const near = sql`at + ${mixed(sql`at`)} % ${sql.raw(String(every))}`
  const chosen = sql`with recursive steps (at) as (select ${sql.raw(String(first))}
    union all select at + ${sql.raw(String(every))} from steps where at + ${sql.raw(String(every))} <= ${last})
    select ${near} from steps`
  // With a plus, so that SQLite finds them by id.
  const inside = sql`+created_at >= ${from} and +created_at < ${to}`
  return { rows: sql`usage_logs where id in (${chosen}) and ${inside}`, every }
}

/**
 * A number without the regularity of another, so that programs that call by turns are looked at alike. It is a square, because
 * multiples at even distances lie at even distances, too.
 */
const mixed = (of: SQL) => sql`((${of}) % 1000003 * ((${of}) % 1000003) % 999983 / 7)`

/**
 * Defines `timed` in a WITH: the columns TIMED by place and dimensions, and at the places -1 and -2 of all calls of the period
 * and of the one before. `largest` is defined if `isFolded`: other values of the first dimension are null.
 */
export function timedRows(
  sample: Sample,
  parts: {
    dimensions: readonly Dimension[]
    filter: ReportFilter
    spans: readonly BucketSpan[]
    buckets: number
    even: number | undefined
    isFolded: boolean
  },
): SQL {
  const { dimensions, filter, spans, buckets, even, isFolded } = parts
  const columns = dimensions.map((dimension) => DIMENSIONS[dimension])
  const read = columns.map((column, at) =>
    at === 0 && isFolded
      ? `iif(${column} in (select value from largest), ${column}, null) as ${column}`
      : column,
  )
  const list = (extra: string[]) => sql.raw(extra.map((column) => `, ${column}`).join(''))
  const whole = sql`iif(place < ${buckets}, -1, -2) ${list(columns.map(() => 'null'))}`
  const figures = TIMINGS.flatMap((kind) => [
    `${kind}_calls`,
    ...[50, 95].map(
      (share) => `${kind}_list->>((${kind}_calls * ${share} + 99) / 100 - 1) as ${kind}_p${share}`,
    ),
  ])
  // A sorted list of each group, because ranks by window functions take three times as long.
  return sql`looked as materialized (select ${placeOf(spans, buckets, even)} as place ${list(read)},
      iif(stream, ttft_ms, null) as first_byte, latency_ms as duration from ${sample.rows} ${restOf(filter)} and outcome = 'ok'),
    measured as (select place ${list(columns)}, first_byte, duration from looked
      union all select ${whole}, first_byte, duration from looked),
    listed as (select place ${list(columns)}, count(first_byte) as first_byte_calls, count(*) as duration_calls,
        json_group_array(first_byte order by first_byte) filter (where first_byte is not null) as first_byte_list,
        json_group_array(duration order by duration) as duration_list
      from measured group by ${sql.raw(['place', ...columns].join(', '))}),
    timed as materialized (select place ${list([...columns, ...figures])} from listed)`
}

/** SQL for the place of a row in `spans`: the buckets of a period, then those of the one before if they are wanted. */
function placeOf(spans: readonly BucketSpan[], buckets: number, even: number | undefined): SQL {
  if (even !== undefined) {
    const [now, before] = [spans[0]?.from ?? 0, spans[buckets]?.from]
    const place = `(created_at - ${now}) / ${even}`
    return sql.raw(
      before === undefined
        ? place
        : `iif(created_at >= ${now}, ${place}, ${buckets} + (created_at - ${before}) / ${even})`,
    )
  }
  const sorted = spans.map(({ from }, place) => ({ from, place })).sort((a, b) => a.from - b.from)
  const search = (low: number, high: number): string => {
    if (high - low === 1) return String(sorted[low]?.place ?? 0)
    const middle = (low + high) >> 1
    return `iif(created_at < ${sorted[middle]?.from}, ${search(low, middle)}, ${search(middle, high)})`
  }
  return sql.raw(search(0, sorted.length))
}

/** What a row with the columns TIMED says, of which a call has none where they are null. */
export function timingsOf(row: Readonly<Record<string, unknown>>, prefix = ''): Timings {
  const of = (kind: string): Timing => {
    const figure = (name: string) => {
      const value = row[`${prefix}${kind}_${name}`]
      return value === null || value === undefined ? null : Number(value)
    }
    return { calls: figure('calls') ?? 0, p50Ms: figure('p50'), p95Ms: figure('p95') }
  }
  return { firstByte: of('first_byte'), duration: of('duration') }
}

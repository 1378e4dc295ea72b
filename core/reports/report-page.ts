/** One page of a report as SQL: sums of calls with names, sorted, with what they were before and how long they took. */
import { type SQL, sql } from 'drizzle-orm'
import { type Bucket, type BucketSpan, EVEN_MS, type ReportDates } from './buckets.ts'
import { SUMMED } from './by-group.ts'
import { GATEWAY_ID, GATEWAY_NAME } from './gateway-calls.ts'
import { DIMENSIONS, type Dimension, type ReportFilter } from './grouped.ts'
import { type Sample, TIMED, TIMED_SORTS, timedRows } from './timings.ts'

export const SORTS = ['time', 'name', 'cost', 'tokens', 'requests', 'errors', 'saved'] as const
type Sort = (typeof SORTS)[number]
type TimedSort = (typeof TIMED_SORTS)[number]

export interface ReportQuestion {
  dimensions: readonly Dimension[]
  bucket: Bucket
  filter: ReportFilter
  dates: ReportDates
  compare: boolean
  /** Whether to tell how long calls took; else nothing is sorted by it. */
  isTimed?: boolean | undefined
  sort: Sort | TimedSort
  order: 'asc' | 'desc'
  /** How many values of the first dimension stand alone: those that have most of what is sorted by, or cost most. */
  top?: number | undefined
}

const MEASURES = SUMMED.filter((column) => column !== 'latency_ms')
export const TOKENS = `input_tokens + output_tokens + cache_read_tokens + cache_write_5m_tokens + cache_write_1h_tokens`
const SUMMED_BY: Record<Exclude<Sort, 'time' | 'name'>, string> = {
  cost: 'cost_micros',
  tokens: TOKENS,
  requests: 'requests',
  errors: 'errors',
  saved: 'saved_micros',
}
const isSum = (sort: ReportQuestion['sort']): sort is keyof typeof SUMMED_BY => Object.hasOwn(SUMMED_BY, sort)
const isTime = (sort: ReportQuestion['sort']): sort is TimedSort =>
  (TIMED_SORTS as readonly string[]).includes(sort)

interface Parts {
  /** The buckets, then those of the period before if it is compared. */
  spans: readonly BucketSpan[]
  buckets: number
  /** What tells how long calls took, if it was asked for. */
  sample: Sample | undefined
  skip: number
  take: number | undefined
}

/** The rows of one page with names and, beside them, those of the period before; then the sums of all, at the places -1 and -2. */
export function pageOf(sums: SQL, question: ReportQuestion, parts: Parts): SQL {
  const { dimensions, sort, order, compare } = question
  const { buckets, sample, skip, take } = parts
  const columns = dimensions.map((dimension) => DIMENSIONS[dimension])
  const joins = dimensions.flatMap((dimension) => JOINS[dimension] ?? [])
  const names = dimensions.flatMap((dimension) => NAMES[dimension] ?? [`main.${DIMENSIONS[dimension]}`])
  const beside = (table: string, place: string) =>
    `on ${table}.place = ${place} ${columns.map((column) => `and ${table}.${column} is main.${column}`).join(' ')}`
  const before = `main.place + ${buckets}`
  const by = sort === 'name' ? names : [sortedBy(sort)]
  const ties = ['main.place', ...columns.map((column) => `main.${column}`)]
  const sorted = [...by.map((each) => `${each} ${order}${isTime(sort) ? ' nulls last' : ''}`), ...ties].join(
    ', ',
  )
  const named = [...columns.map((column) => `main.${column}`), ...dimensions.flatMap(namedAs)]
  const all = [...MEASURES.map((column) => `sum(${column})`), `count(*)`, ...(compare ? ['0', '0', '0'] : [])]
  return sql`with ${folded(sums, question, buckets)}${sample ? sql`, ${timed(question, parts, sample)}` : sql``},
    sorted as (select main.place, ${sql.raw([...named, ...MEASURES.map((column) => `main.${column}`)].join(', '))}, 0 as row_count
      ${sql.raw(compare ? BEFORE : '')} ${sql.raw(sample ? TIMED.map((column) => `, times.${column}`).join('') : '')}
      ${sql.raw(sample && compare ? TIMED.map((column) => `, times_before.${column} as before_${column}`).join('') : '')}
    from summed as main
      ${sql.raw(compare ? `left join summed as earlier ${beside('earlier', before)}` : '')}
      ${sql.raw(sample ? `left join timed as times ${beside('times', 'main.place')}` : '')}
      ${sql.raw(sample && compare ? `left join timed as times_before ${beside('times_before', before)}` : '')}
      ${sql.raw(joins.join(' '))}
    where main.place < ${buckets}
    order by ${sql.raw(sorted)} limit ${take ?? -1} offset ${skip})
    select * from sorted
    union all select iif(place < ${buckets}, -1, -2) as whole, ${sql.raw([...named.map(() => 'null'), ...all].join(', '))}
      ${sql.raw(sample ? wholeTimes(compare, buckets) : '')} from summed group by whole`
}

/** The names of a page's columns, in their order. */
export function columnsOf({ dimensions, compare }: ReportQuestion, isTimed: boolean): string[] {
  const named = [...dimensions.map((dimension) => DIMENSIONS[dimension]), ...dimensions.flatMap(namedAs)]
  const before = compare ? ['before_requests', 'before_micros', 'before_tokens'] : []
  const timed = isTimed
    ? [...TIMED, ...(compare ? TIMED.map((column) => `before_${column}` as const) : [])]
    : []
  const names = named.map((column) => column.replace(/^.* as |^.*\./, ''))
  return ['place', ...names, ...MEASURES, 'row_count', ...before, ...timed]
}

const BEFORE = `, coalesce(earlier.requests, 0) as before_requests, coalesce(earlier.cost_micros, 0) as before_micros,
  coalesce(${prefixed(TOKENS, 'earlier')}, 0) as before_tokens`

function sortedBy(sort: Exclude<ReportQuestion['sort'], 'name'>): string {
  if (isTime(sort)) return `times.${sort}`
  return prefixed(isSum(sort) ? SUMMED_BY[sort] : 'place', 'main')
}

/** How long the calls of a whole period took, beside their sums. */
function wholeTimes(compare: boolean, buckets: number): string {
  const times = TIMED.map(
    (column) => `, (select ${column} from timed where place = iif(summed.place < ${buckets}, -1, -2))`,
  )
  return [...times, ...(compare ? TIMED.map(() => ', null') : [])].join('')
}

function timed(
  { dimensions, filter, bucket, top }: ReportQuestion,
  { spans, buckets }: Parts,
  sample: Sample,
): SQL {
  const isFolded = top !== undefined && dimensions.length > 0
  return timedRows(sample, { dimensions, filter, spans, buckets, even: EVEN_MS[bucket], isFolded })
}

/** Defines `summed`: the rows with calls, of which those that are not among the largest are one, if only these are wanted. */
function folded(sums: SQL, { dimensions, sort, top }: ReportQuestion, buckets: number): SQL {
  const used = sql`select * from (${sums}) where requests > 0`
  const [first, ...others] = dimensions.map((dimension) => DIMENSIONS[dimension])
  if (top === undefined || first === undefined) return sql`summed as materialized (${used})`
  const size = SUMMED_BY[isSum(sort) ? sort : 'cost']
  const kept = sql.raw([...others, ...MEASURES.map((column) => `sum(${column}) as ${column}`)].join(', '))
  const column = sql.raw(first)
  return sql`used as materialized (${used}),
    largest as materialized (select ${column} as value from used where place < ${buckets}
      group by 1 order by sum(${sql.raw(size)}) desc, 1 limit ${top}),
    summed as materialized (select place, iif(${column} in (select value from largest), ${column}, null) as ${column}, ${kept}
      from used group by ${sql.raw(['1', '2', ...others].join(', '))})`
}

function prefixed(columns: string, table: string): string {
  return columns.replaceAll(/\b[a-z_0-9]+\b/g, `${table}.$&`)
}

const JOINS: Partial<Record<Dimension, string>> = {
  user: 'left join users on users.id = main.user_id',
  group: 'left join groups on groups.id = main.billing_group_id',
  key: 'left join api_keys on api_keys.id = main.api_key_id left join users as owners on owners.id = api_keys.user_id',
}
const NAMES: Partial<Record<Dimension, string[]>> = {
  user: ['users.itcode'],
  group: ['groups.name'],
  key: ['owners.itcode', 'api_keys.name'],
}
const AS: Partial<Record<Dimension, string[]>> = {
  user: [`iif(main.user_id = ${GATEWAY_ID}, '${GATEWAY_NAME}', users.itcode) as itcode`],
  group: ['groups.name as group_name'],
  key: ['api_keys.name as key_name', 'owners.itcode as owner'],
}
const namedAs = (dimension: Dimension) => AS[dimension] ?? []

/** Reports: what was used by whom, where and when, with all rows, sorted, and compared with the period before. */
import { type SQL, sql } from 'drizzle-orm'
import type { Db } from '../ports.ts'
import {
  type Bucket,
  type BucketSpan,
  bucketsOf,
  datesBefore,
  EVEN_MS,
  type ReportDates,
  spanOfDates,
} from './buckets.ts'
import { SUMMED } from './by-group.ts'
import { GATEWAY_ID, GATEWAY_NAME } from './gateway-calls.ts'
import { DIMENSIONS, type Dimension, groupedSums, keptOf, loggedSums, type ReportFilter } from './grouped.ts'
import type { Range } from './range.ts'

/** What calls used together. Tokens, micro-dollars, counts. */
export interface Measures {
  requests: number
  errors: number
  inputTokens: number
  outputTokens: number
  cacheReadTokens: number
  cacheWrite5mTokens: number
  cacheWrite1hTokens: number
  costMicros: number
  inputMicros: number
  outputMicros: number
  cacheReadMicros: number
  cacheWrite5mMicros: number
  cacheWrite1hMicros: number
  serverToolMicros: number
  /** Negative where writing the prompt cache cost more than it saved. */
  savedMicros: number
  webSearches: number
}

export interface ReportRow extends Measures {
  bucket: BucketSpan
  /** The row is all that is not among the largest, together. It has no value of the first dimension. */
  rest?: true
  userId?: number
  /** null = the user is gone. */
  itcode?: string | null
  groupId?: number
  groupName?: string | null
  keyId?: number
  keyName?: string | null
  /** The account whose key it is. */
  owner?: string | null
  model?: string
  backend?: string
  client?: string
  project?: string
  /** The same in the period before; null if it was not asked for. */
  before: Compared | null
}
export type Compared = Pick<Measures, 'requests' | 'costMicros'> & { tokens: number }

export const SORTS = ['time', 'name', 'cost', 'tokens', 'requests', 'errors', 'saved'] as const
type Sort = (typeof SORTS)[number]

export interface ReportQuestion {
  dimensions: readonly Dimension[]
  bucket: Bucket
  filter: ReportFilter
  dates: ReportDates
  compare: boolean
  sort: Sort
  order: 'asc' | 'desc'
  /** How many values of the first dimension stand alone: those that have most of what is sorted by, or cost most. */
  top?: number | undefined
}
export interface Report {
  span: Range
  totals: Measures
  before: Compared | null
  /** Of all pages. */
  rowCount: number
  rows: ReportRow[]
}

const MEASURES = SUMMED.filter((column) => column !== 'latency_ms')
const TOKENS = `input_tokens + output_tokens + cache_read_tokens + cache_write_5m_tokens + cache_write_1h_tokens`
const SORTED_BY: Record<Exclude<Sort, 'name'>, string> = {
  time: 'place',
  cost: 'cost_micros',
  tokens: TOKENS,
  requests: 'requests',
  errors: 'errors',
  saved: 'saved_micros',
}

/** Answers a question, with `take` rows after the first `skip`; undefined takes all. */
export async function reportOf(
  db: Db,
  question: ReportQuestion,
  { skip, take }: { skip: number; take: number | undefined },
): Promise<Report> {
  const kept = await keptOf(db)
  const { dates, bucket, filter, compare, dimensions } = question
  const buckets = bucketsOf(dates, bucket)
  const spans = [spanOfDates(dates), spanOfDates(datesBefore(dates))]
  const ranges = compare ? [...buckets, ...bucketsOf(datesBefore(dates), bucket)] : buckets
  const rowsSql =
    bucket === 'minute' && spans[0]
      ? loggedSums(dimensions, filter, spans[0], EVEN_MS.minute ?? 1)
      : groupedSums(dimensions, filter, ranges, kept)
  const answer = await db.all<Row>(page(rowsSql, question, { buckets: buckets.length, skip, take }))
  const [now, before] = [-1, -2].map((place) => answer.find((row) => row.place === place))
  const rows = answer.filter((row) => Number(row.place) >= 0)
  return {
    span: spans[0] ?? { from: 0, to: 0 },
    totals: measuresOf(now ?? {}),
    before: compare ? comparedOf(before ?? {}) : null,
    rowCount: Number(now?.row_count ?? 0),
    rows: rows.map((row) => rowOf(row, question, buckets)),
  }
}

type Row = Record<string, unknown>

/** The rows of one page with names and, beside them, those of the period before; then the sums of all, at the places -1 and -2. */
function page(
  sums: SQL,
  question: ReportQuestion,
  { buckets, skip, take }: { buckets: number; skip: number; take: number | undefined },
): SQL {
  const { dimensions, sort, order, compare } = question
  const columns = dimensions.map((dimension) => DIMENSIONS[dimension])
  const joins = dimensions.flatMap((dimension) => JOINS[dimension] ?? [])
  const names = dimensions.flatMap((dimension) => NAMES[dimension] ?? [`main.${DIMENSIONS[dimension]}`])
  const same = columns.map((column) => `and earlier.${column} is main.${column}`).join(' ')
  const figures = `, coalesce(earlier.requests, 0) as before_requests, coalesce(earlier.cost_micros, 0) as before_micros,
    coalesce(${prefixed(TOKENS, 'earlier')}, 0) as before_tokens`
  const by = sort === 'name' ? names : [prefixed(SORTED_BY[sort], 'main')]
  const ties = ['main.place', ...columns.map((column) => `main.${column}`)]
  const sorted = [...by.map((each) => `${each} ${order}`), ...ties].join(', ')
  const named = [...columns.map((column) => `main.${column}`), ...dimensions.flatMap(namedAs)]
  const all = [...MEASURES.map((column) => `sum(${column})`), `count(*)`, ...(compare ? ['0', '0', '0'] : [])]
  const noNames = named.map(() => 'null')
  return sql`with ${folded(sums, question, buckets)},
    sorted as (select main.place, ${sql.raw([...named, ...MEASURES.map((column) => `main.${column}`)].join(', '))}, 0 as row_count
      ${sql.raw(compare ? figures : '')}
    from summed as main
      ${sql.raw(compare ? `left join summed as earlier on earlier.place = main.place + ${buckets} ${same}` : '')}
      ${sql.raw(joins.join(' '))}
    where main.place < ${buckets}
    order by ${sql.raw(sorted)} limit ${take ?? -1} offset ${skip})
    select * from sorted
    union all select iif(place < ${buckets}, -1, -2), ${sql.raw([...noNames, ...all].join(', '))} from summed group by 1`
}

/** Defines `summed`: the rows with calls, of which those that are not among the largest are one, if only these are wanted. */
function folded(sums: SQL, { dimensions, sort, top }: ReportQuestion, buckets: number): SQL {
  const used = sql`select * from (${sums}) where requests > 0`
  const [first, ...others] = dimensions.map((dimension) => DIMENSIONS[dimension])
  if (top === undefined || first === undefined) return sql`summed as materialized (${used})`
  const size = SORTED_BY[sort === 'name' || sort === 'time' ? 'cost' : sort]
  const kept = sql.raw([...others, ...MEASURES.map((column) => `sum(${column}) as ${column}`)].join(', '))
  const column = sql.raw(first)
  return sql`used as materialized (${used}),
    largest as materialized (select ${column} as value from used where place < ${buckets}
      group by 1 order by sum(${sql.raw(size)}) desc, 1 limit ${top}),
    summed as materialized (select place, iif(${column} in (select value from largest), ${column}, null) as ${column}, ${kept}
      from used group by ${sql.raw(['1', '2', ...others].join(', '))})`
}

const prefixed = (columns: string, table: string) => columns.replaceAll(/\b[a-z_0-9]+\b/g, `${table}.$&`)

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

const textOrNull = (value: unknown) => (typeof value === 'string' ? value : null)
/** What a row says of each dimension. */
const VALUES: Record<Dimension, (row: Row) => Partial<ReportRow>> = {
  user: (row) => ({ userId: Number(row.user_id), itcode: textOrNull(row.itcode) }),
  group: (row) => ({ groupId: Number(row.billing_group_id), groupName: textOrNull(row.group_name) }),
  key: (row) => ({
    keyId: Number(row.api_key_id),
    keyName: textOrNull(row.key_name),
    owner: textOrNull(row.owner),
  }),
  model: (row) => ({ model: String(row.model) }),
  backend: (row) => ({ backend: String(row.backend) }),
  client: (row) => ({ client: String(row.client) }),
  project: (row) => ({ project: String(row.project) }),
}

function rowOf(row: Row, { dimensions, compare }: ReportQuestion, buckets: readonly BucketSpan[]): ReportRow {
  const bucket = buckets[Number(row.place)] ?? { label: '', from: 0, to: 0 }
  const [first] = dimensions
  const isRest = first !== undefined && row[DIMENSIONS[first]] === null
  const own = Object.fromEntries(
    dimensions
      .filter((dimension) => !isRest || dimension !== first)
      .flatMap((dimension) => Object.entries(VALUES[dimension](row))),
  )
  const before = compare
    ? comparedOf({ requests: row.before_requests, cost_micros: row.before_micros, tokens: row.before_tokens })
    : null
  return { bucket, ...own, ...(isRest ? { rest: true } : {}), ...measuresOf(row), before }
}

function measuresOf(row: Row): Measures {
  const of = (column: string) => Number(row[column] ?? 0)
  return {
    requests: of('requests'),
    errors: of('errors'),
    inputTokens: of('input_tokens'),
    outputTokens: of('output_tokens'),
    cacheReadTokens: of('cache_read_tokens'),
    cacheWrite5mTokens: of('cache_write_5m_tokens'),
    cacheWrite1hTokens: of('cache_write_1h_tokens'),
    costMicros: of('cost_micros'),
    inputMicros: of('input_micros'),
    outputMicros: of('output_micros'),
    cacheReadMicros: of('cache_read_micros'),
    cacheWrite5mMicros: of('cache_write_5m_micros'),
    cacheWrite1hMicros: of('cache_write_1h_micros'),
    serverToolMicros: of('server_tool_micros'),
    savedMicros: of('saved_micros'),
    webSearches: of('web_searches'),
  }
}

function comparedOf(row: Row): Compared {
  const tokens = row.tokens ?? TOKENS.split(' + ').reduce((sum, column) => sum + Number(row[column] ?? 0), 0)
  return {
    requests: Number(row.requests ?? 0),
    costMicros: Number(row.cost_micros ?? 0),
    tokens: Number(tokens),
  }
}

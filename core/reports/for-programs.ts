/**
 * What calls used and cost in equal buckets of time, for programs. From the sums, but for minutes and what only the log tells: by
 * its index, and only as far back as it has rows.
 */
import { sql } from 'drizzle-orm'
import { invalidField } from '../errors.ts'
import type { Db } from '../ports.ts'
import { HOUR_MS, timeText } from '../units.ts'
import { DIMENSIONS, groupedSums, type Kept, keptOf, type ReportFilter } from './grouped.ts'
import type { Range } from './range.ts'

const SUMMED = {
  user: DIMENSIONS.user,
  key: DIMENSIONS.key,
  model: DIMENSIONS.model,
  group: DIMENSIONS.group,
}
const LOGGED = { tier: 'service_tier', window: 'context_window', geo: 'geo', speed: 'speed' } as const
const COLUMNS = { ...SUMMED, ...LOGGED }
export type UsageDimension = keyof typeof COLUMNS

const MEASURES = [
  'input_tokens',
  'output_tokens',
  'cache_read_tokens',
  'cache_write_5m_tokens',
  'cache_write_1h_tokens',
  'web_searches',
  'cost_micros',
  'input_micros',
  'output_micros',
  'cache_read_micros',
  'cache_write_5m_micros',
  'cache_write_1h_micros',
  'server_tool_micros',
]

export interface BucketQuestion {
  told: readonly UsageDimension[]
  /** Calls that have one of the values of each. */
  filter: { [D in UsageDimension]?: readonly (string | number)[] | undefined }
  client?: ReportFilter['client']
  /** First ms, a whole number of buckets since 1970; then how long a bucket is, and how many there are. */
  from: number
  ms: number
  count: number
}

/** Tokens, searches, and micro-dollars whose parts add up to `costMicros` unless an earlier release wrote the calls. */
export interface BucketRow {
  /** The index of the bucket. */
  place: number
  told: { [D in UsageDimension]?: string | number }
  inputTokens: number
  outputTokens: number
  cacheReadTokens: number
  cacheWrite5mTokens: number
  cacheWrite1hTokens: number
  webSearches: number
  costMicros: number
  inputMicros: number
  outputMicros: number
  cacheReadMicros: number
  cacheWrite5mMicros: number
  cacheWrite1hMicros: number
  serverToolMicros: number
}

/**
 * The rows of the first buckets, and how many these are: as many as asked for, unless they have more rows than `most` together; at
 * least one. So an answer about a hundred thousand keys does not fill the memory. Throws as usageInBuckets.
 */
export async function usageInSomeBuckets(
  db: Db,
  question: BucketQuestion,
  most: number,
): Promise<{ rows: BucketRow[]; count: number }> {
  const rows = await usageInBuckets(db, question, most + 1)
  const cut = rows.length > most ? rows.at(-1)?.place : undefined
  if (cut === undefined) return { rows, count: question.count }
  if (cut === 0) return { rows: await usageInBuckets(db, { ...question, count: 1 }), count: 1 }
  return { rows: rows.filter(({ place }) => place < cut), count: cut }
}

/** By bucket, then by what is told. Throws a Refusal invalid_input for what only rows tell that are gone. */
export async function usageInBuckets(db: Db, question: BucketQuestion, limit?: number): Promise<BucketRow[]> {
  const { told, filter, from, ms, count } = question
  const filtered = dimensionsOf(filter)
  const used = [...new Set([...told, ...filtered])]
  const kept = await keptOf(db)
  const isLogged = ms < HOUR_MS || used.some((dimension) => Object.hasOwn(LOGGED, dimension))
  if (isLogged && from < kept.keptSince) {
    const since = timeText(kept.keptSince)
    throw invalidField('starting_at', `calls before ${since} have no rows any more, which this is read from`)
  }
  const matching = filtered.map(
    (dimension) => sql`and ${sql.raw(COLUMNS[dimension])} in
      (select value from json_each(${JSON.stringify(filter[dimension])}))`,
  )
  const source = isLogged ? logged(question) : summed(question, used, kept)
  const keys = ['place', ...told.map((dimension) => COLUMNS[dimension])]
  const rows = await db.all<Record<string, unknown>>(sql`
    select ${sql.raw([...keys, ...MEASURES.map((column) => `sum(${column}) as ${column}`)].join(', '))}
    from (${source}) where place < ${count} ${sql.join(matching, sql` `)}
    group by ${sql.raw(keys.join(', '))} having sum(requests) > 0 order by ${sql.raw(keys.join(', '))}
    limit ${limit ?? -1}`)
  return rows.map((row) => rowOf(row, told))
}

function logged({ client, from, ms, count }: BucketQuestion) {
  const columns = [...Object.values(COLUMNS), ...MEASURES].join(', ')
  const matching = client === undefined ? sql`` : sql`and client = ${client}`
  // Written into the statement, because drivers give numbers as real ones, whose quotient has fractions.
  const place = sql.raw(`(created_at - ${from}) / ${ms} as place`)
  return sql`select ${place}, 1 as requests, ${sql.raw(columns)} from usage_logs
    where created_at >= ${from} and created_at < ${from + ms * count} ${matching}`
}

function summed({ client, from, ms, count }: BucketQuestion, used: readonly UsageDimension[], kept: Kept) {
  const ranges = Array.from({ length: count }, (_, at): Range => {
    return { from: from + at * ms, to: from + (at + 1) * ms }
  })
  return groupedSums(used.filter(isSummed), { client }, ranges, kept)
}

function isSummed(dimension: UsageDimension): dimension is keyof typeof SUMMED {
  return Object.hasOwn(SUMMED, dimension)
}

function dimensionsOf(filter: BucketQuestion['filter']): UsageDimension[] {
  const all = Object.keys(COLUMNS) as UsageDimension[] // holds because COLUMNS is a constant
  return all.filter((dimension) => filter[dimension] !== undefined)
}

function rowOf(row: Record<string, unknown>, told: readonly UsageDimension[]): BucketRow {
  const of = (column: string) => Number(row[column] ?? 0)
  const value = (dimension: UsageDimension) => {
    const found = row[COLUMNS[dimension]]
    return typeof found === 'number' ? found : String(found ?? '')
  }
  return {
    place: of('place'),
    told: Object.fromEntries(told.map((dimension) => [dimension, value(dimension)])),
    inputTokens: of('input_tokens'),
    outputTokens: of('output_tokens'),
    cacheReadTokens: of('cache_read_tokens'),
    cacheWrite5mTokens: of('cache_write_5m_tokens'),
    cacheWrite1hTokens: of('cache_write_1h_tokens'),
    webSearches: of('web_searches'),
    costMicros: of('cost_micros'),
    inputMicros: of('input_micros'),
    outputMicros: of('output_micros'),
    cacheReadMicros: of('cache_read_micros'),
    cacheWrite5mMicros: of('cache_write_5m_micros'),
    cacheWrite1hMicros: of('cache_write_1h_micros'),
    serverToolMicros: of('server_tool_micros'),
  }
}

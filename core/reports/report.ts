/** Reports: what was used by whom, where and when, with all rows, sorted, and compared with the period before. */
import { sql } from 'drizzle-orm'
import { invalidField } from '../errors.ts'
import type { Db } from '../ports.ts'
import { problem } from '../problems.ts'
import { timeText } from '../units.ts'
import { type BucketSpan, bucketsOf, datesBefore, EVEN_MS, spanOfDates } from './buckets.ts'
import { DIMENSIONS, type Dimension, groupedSums, type Kept, keptOf, loggedSums } from './grouped.ts'
import type { Range } from './range.ts'
import { columnsOf, pageOf, type ReportQuestion, TOKENS } from './report-page.ts'
import { rowText, valuesIn } from './row-text.ts'
import { sampleOf, type Timings, timingsOf } from './timings.ts'

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

/** How long calls took; null if it was not asked for. */
interface Timed {
  timings: Timings | null
}
export type Totals = Measures & Timed

export interface ReportRow extends Totals {
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
export type Compared = Pick<Measures, 'requests' | 'costMicros'> & Timed & { tokens: number }

export interface Report {
  span: Range
  totals: Totals
  /** One of so many calls was looked at for how long they took; null if that was not asked for. */
  every: number | null
  before: Compared | null
  /** Of all pages. */
  rowCount: number
  rows: ReportRow[]
}

/** Throws a Refusal invalid_input for minutes of calls whose rows are gone. */
function assertKept({ from }: Range, { keptSince }: Kept): void {
  if (from >= keptSince) return
  const since = timeText(keptSince)
  throw invalidField('start_date', `calls before ${since} have no rows any more, which minutes are read from`)
}

interface Page {
  skip: number
  take: number | undefined
}

/** Answers a question, with `take` rows after the first `skip`; undefined takes all. Throws a Refusal invalid_input. */
export async function reportOf(db: Db, question: ReportQuestion, page: Page): Promise<Report> {
  const { statement, span, buckets, sample } = await statementFor(db, question, page)
  const { compare } = question
  const answer = await db.all<Row>(statement)
  const [now, before] = [-1, -2].map((place) => answer.find((row) => row.place === place))
  const rows = answer.filter((row) => Number(row.place) >= 0)
  return {
    span,
    totals: totalsOf(now ?? {}, question),
    every: sample?.every ?? null,
    before: compare ? comparedOf(before ?? {}, timingsIn(before ?? {}, question)) : null,
    rowCount: Number(now?.row_count ?? 0),
    rows: rows.map((row) => rowOf(row, question, buckets)),
  }
}

/**
 * All rows of a report in slices. They wait as texts, because there may be some hundred thousand, and as objects they would fill
 * the memory of whoever serves calls beside it. Throws a Refusal invalid_input, also for more rows than `most`.
 */
export async function rowsOfReport(
  db: Db,
  question: ReportQuestion,
  { slice, most }: { slice: number; most: number },
): Promise<Generator<ReportRow[]>> {
  const { statement, buckets, sample } = await statementFor(db, question, { skip: 0, take: most + 1 })
  const columns = columnsOf(question, sample !== undefined)
  const answer = await db.all<{ text: string }>(
    sql`select ${rowText(columns.map((column) => sql.raw(column)))} as text from (${statement}) where place >= 0`,
  )
  if (answer.length > most) throw invalidField('start_date', problem('most_rows', { n: most }))
  const rowIn = (values: readonly unknown[]) =>
    rowOf(Object.fromEntries(columns.map((column, at) => [column, values[at]])), question, buckets)
  return (function* () {
    for (let from = 0; from < answer.length; from += slice) {
      yield valuesIn(answer.slice(from, from + slice).map(({ text }) => text)).map(rowIn)
    }
  })()
}

async function statementFor(db: Db, question: ReportQuestion, page: Page) {
  const kept = await keptOf(db)
  const { dates, bucket, filter, compare, dimensions } = question
  const buckets = bucketsOf(dates, bucket)
  const [span, earlier] = [spanOfDates(dates), spanOfDates(datesBefore(dates))]
  const ranges = compare ? [...buckets, ...bucketsOf(datesBefore(dates), bucket)] : buckets
  const whole = { from: compare ? earlier.from : span.from, to: span.to }
  if (bucket === 'minute') assertKept(whole, kept)
  const rowsSql =
    bucket === 'minute'
      ? loggedSums(dimensions, filter, compare ? [span, earlier] : [span], EVEN_MS.minute ?? 1)
      : groupedSums(dimensions, filter, ranges, kept)
  const sample = question.isTimed ? await sampleOf(db, filter, whole) : undefined
  const parts = { spans: ranges, buckets: buckets.length, sample, ...page }
  return { statement: pageOf(rowsSql, question, parts), span, buckets, sample }
}

type Row = Record<string, unknown>

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

function rowOf(row: Row, question: ReportQuestion, buckets: readonly BucketSpan[]): ReportRow {
  const { dimensions, compare } = question
  const bucket = buckets[Number(row.place)] ?? { label: '', from: 0, to: 0 }
  const [first] = dimensions
  const isRest = first !== undefined && row[DIMENSIONS[first]] === null
  const own = Object.fromEntries(
    dimensions
      .filter((dimension) => !isRest || dimension !== first)
      .flatMap((dimension) => Object.entries(VALUES[dimension](row))),
  )
  const before = compare
    ? comparedOf(
        { requests: row.before_requests, cost_micros: row.before_micros, tokens: row.before_tokens },
        timingsIn(row, question, 'before_'),
      )
    : null
  return { bucket, ...own, ...(isRest ? { rest: true } : {}), ...totalsOf(row, question), before }
}

function totalsOf(row: Row, question: ReportQuestion): Totals {
  return { ...measuresOf(row), timings: timingsIn(row, question) }
}

function timingsIn(row: Row, { isTimed }: ReportQuestion, prefix?: string): Timings | null {
  return isTimed ? timingsOf(row, prefix) : null
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

function comparedOf(row: Row, timings: Timings | null): Compared {
  const tokens = row.tokens ?? TOKENS.split(' + ').reduce((sum, column) => sum + Number(row[column] ?? 0), 0)
  return {
    requests: Number(row.requests ?? 0),
    costMicros: Number(row.cost_micros ?? 0),
    tokens: Number(tokens),
    timings,
  }
}

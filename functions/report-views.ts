/** Answers of reports. */
import * as z from 'zod'
import { totalTokens } from '../core/metering/tokens.ts'
import { BUCKETS } from '../core/reports/buckets.ts'
import type { Cell } from '../core/reports/csv.ts'
import type { Dimension } from '../core/reports/grouped.ts'
import type { Compared, Measures, ReportRow, Totals } from '../core/reports/report.ts'
import type { ReportQuestion } from '../core/reports/report-page.ts'
import type { Timing, Timings } from '../core/reports/timings.ts'
import { timeText, usdOf } from '../core/units.ts'
import { timestamp } from './fields.ts'
import { dimension } from './report-query.ts'

const usd = z.number()
export const MeasuresView = z
  .strictObject({
    requests: z.int(),
    errors: z.int().meta({ description: 'Calls whose outcome is not ok.' }),
    input_tokens: z.int().meta({ description: 'Without the prompt cache.' }),
    output_tokens: z.int(),
    cache_read_tokens: z.int(),
    cache_write_5m_tokens: z.int(),
    cache_write_1h_tokens: z.int(),
    total_tokens: z.int(),
    cost_usd: usd,
    input_usd: usd.meta({
      description: 'Parts of the cost, which add up to it; calls of earlier releases have none.',
    }),
    output_usd: usd,
    cache_read_usd: usd,
    cache_write_5m_usd: usd,
    cache_write_1h_usd: usd,
    server_tool_usd: usd,
    saved_usd: usd.meta({
      description:
        'What it would have cost more without the prompt cache; negative where the cache cost more than it saved.',
    }),
    web_searches: z.int(),
  })
  .meta({ id: 'Measures' })
const ms = z
  .int()
  .nullable()
  .meta({ description: 'Milliseconds that one of the calls took; null = no such call.' })
const TimingView = z
  .strictObject({
    calls: z.int().meta({ description: 'How many calls the figures rest on.' }),
    p50_ms: ms,
    p95_ms: ms,
  })
  .meta({ id: 'Timing' })
const timings = z
  .strictObject({
    first_byte: TimingView.meta({ description: 'Until the first byte of answers that were streamed.' }),
    duration: TimingView.meta({ description: 'Until the last byte.' }),
  })
  .nullable()
  .meta({ description: 'Of calls that went well; null unless asked for.' })
const ComparedView = z
  .strictObject({ requests: z.int(), total_tokens: z.int(), cost_usd: usd, timings })
  .meta({ id: 'Compared' })
const RowView = z
  .strictObject({
    bucket: z.string().meta({ description: 'The first day of the bucket, its month, or when it begins.' }),
    from: timestamp,
    to: timestamp.meta({ description: 'Itself excluded.' }),
    user_id: z.int().optional(),
    itcode: z.string().nullish(),
    group_id: z.int().optional(),
    group_name: z.string().nullish(),
    key_id: z.int().optional(),
    key_name: z.string().nullish(),
    owner: z.string().nullish().meta({ description: 'The account whose key it is.' }),
    model: z.string().optional(),
    backend: z.string().optional(),
    client: z.string().optional(),
    project: z.string().optional(),
    rest: z.literal(true).optional().meta({
      description: 'The row is of all values that are not among the `top` ones.',
    }),
    ...MeasuresView.shape,
    timings,
    before: ComparedView.nullable().meta({
      description: 'The same in the period before; null unless compared.',
    }),
  })
  .meta({ id: 'ReportRow' })
export const ReportView = z.strictObject({
  from: timestamp,
  to: timestamp,
  time_zone: z.string(),
  start_date: z.string(),
  end_date: z.string(),
  bucket: z.enum(BUCKETS),
  group_by: z.array(dimension),
  totals: MeasuresView.extend({ timings }).meta({
    description: 'Of all rows of all pages.',
    id: 'ReportTotals',
  }),
  timings_every: z
    .int()
    .nullable()
    .meta({ description: 'One of so many calls was looked at for `timings`; null unless asked for.' }),
  before: ComparedView.nullable(),
  rows: z.array(RowView),
  total: z.int().meta({ description: 'How many rows there are.' }),
  page: z.int(),
  page_size: z.int(),
})

export function measuresView(sums: Measures): z.input<typeof MeasuresView> {
  return {
    requests: sums.requests,
    errors: sums.errors,
    input_tokens: sums.inputTokens,
    output_tokens: sums.outputTokens,
    cache_read_tokens: sums.cacheReadTokens,
    cache_write_5m_tokens: sums.cacheWrite5mTokens,
    cache_write_1h_tokens: sums.cacheWrite1hTokens,
    total_tokens: totalTokens(sums),
    cost_usd: usdOf(sums.costMicros),
    input_usd: usdOf(sums.inputMicros),
    output_usd: usdOf(sums.outputMicros),
    cache_read_usd: usdOf(sums.cacheReadMicros),
    cache_write_5m_usd: usdOf(sums.cacheWrite5mMicros),
    cache_write_1h_usd: usdOf(sums.cacheWrite1hMicros),
    server_tool_usd: usdOf(sums.serverToolMicros),
    saved_usd: usdOf(sums.savedMicros),
    web_searches: sums.webSearches,
  }
}

export function comparedView(sums: Compared | null) {
  if (!sums) return null
  const { requests, tokens, costMicros, timings } = sums
  return { requests, total_tokens: tokens, cost_usd: usdOf(costMicros), timings: timingsView(timings) }
}

export function totalsView(sums: Totals) {
  return { ...measuresView(sums), timings: timingsView(sums.timings) }
}

function timingsView(timings: Timings | null) {
  const view = ({ calls, p50Ms, p95Ms }: Timing) => ({ calls, p50_ms: p50Ms, p95_ms: p95Ms })
  return timings && { first_byte: view(timings.firstByte), duration: view(timings.duration) }
}

export function rowView(row: ReportRow): z.input<typeof RowView> {
  return {
    bucket: row.bucket.label,
    from: timeText(row.bucket.from),
    to: timeText(row.bucket.to),
    ...named(row),
    ...totalsView(row),
    before: comparedView(row.before),
  }
}

function named(row: ReportRow) {
  const { userId, itcode, groupId, groupName, keyId, keyName, owner, model, backend, client, project, rest } =
    row
  return {
    ...(userId === undefined ? {} : { user_id: userId, itcode }),
    ...(groupId === undefined ? {} : { group_id: groupId, group_name: groupName }),
    ...(keyId === undefined ? {} : { key_id: keyId, key_name: keyName, owner }),
    ...(model === undefined ? {} : { model }),
    ...(backend === undefined ? {} : { backend }),
    ...(client === undefined ? {} : { client }),
    ...(project === undefined ? {} : { project }),
    ...(rest ? { rest } : {}),
  }
}

/** The columns of a file, and what makes its lines. */
export function table(question: ReportQuestion): {
  columns: string[]
  lineOf(row: ReportRow): Cell[]
} {
  const names: Record<Dimension, string[]> = {
    user: ['user_id', 'itcode'],
    group: ['group_id', 'group_name'],
    key: ['key_id', 'key_name', 'owner'],
    model: ['model'],
    backend: ['backend'],
    client: ['client'],
    project: ['project'],
  }
  const own = ['bucket', 'from', 'to', ...question.dimensions.flatMap((each) => names[each])]
  const measures = Object.keys(MeasuresView.shape)
  const timed = question.isTimed ? TIMED_COLUMNS : []
  const before = ['requests', 'total_tokens', 'cost_usd', ...timed]
  const compared = question.compare ? before.map((column) => `before_${column}`) : []
  const lineOf = (row: ReportRow) => {
    const { before, timings, ...view } = rowView(row)
    const cells: Record<string, Cell | undefined> = view
    const figures = before
      ? [before.requests, before.total_tokens, before.cost_usd, ...timeCells(before.timings)]
      : []
    return [
      ...[...own, ...measures].map((column) => cells[column] ?? null),
      ...timeCells(timings),
      ...figures,
    ]
  }
  return { columns: [...own, ...measures, ...timed, ...compared], lineOf }
}

const TIMED_COLUMNS = ['first_byte', 'duration'].flatMap((kind) =>
  ['calls', 'p50_ms', 'p95_ms'].map((figure) => `${kind}_${figure}`),
)

function timeCells(timings: ReturnType<typeof timingsView>): Cell[] {
  return timings
    ? [timings.first_byte, timings.duration].flatMap((one) => [one.calls, one.p50_ms, one.p95_ms])
    : []
}

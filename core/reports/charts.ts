/** Data of charts: calls per day or hour and model. */
import { type SQL, sql } from 'drizzle-orm'
import type { Db } from '../ports.ts'
import { keptSince } from '../retention/retention.ts'
import { HOUR_MS } from '../units.ts'
import { type Filter, sumsOf, withOwner } from './query.ts'
import { type DaySpan, type Range, readable } from './range.ts'
import { ALL_TOKENS } from './rollups.ts'

export interface MainFigures {
  requests: number
  errors: number
  totalTokens: number
  costMicros: number
}
export interface Figures extends MainFigures {
  inputTokens: number
  outputTokens: number
  cacheReadTokens: number
  /** Cache writes for 5 minutes and for an hour. */
  cacheWriteTokens: number
}

/** SQL columns that sum the main figures; the rows need the columns of usage_sums. */
export const MAIN_FIGURES: SQL = sql`total(requests) as requests, total(errors) as errors,
  total(${ALL_TOKENS}) as totalTokens, total(cost_micros) as costMicros`

/** SQL columns that sum all figures; the rows need the columns of usage_sums. */
export const FIGURES: SQL = sql`total(input_tokens) as inputTokens, total(output_tokens) as outputTokens,
  total(cache_read_tokens) as cacheReadTokens, total(cache_write_5m_tokens + cache_write_1h_tokens) as cacheWriteTokens,
  ${MAIN_FIGURES}`

export interface Bar extends Figures {
  /** Label of the day, or start of the hour as RFC 3339. */
  label: string
  model: string
}

/** One bar for each day and model with calls, ordered by day, then model. */
export async function dailyChart(db: Db, filter: Filter, spans: readonly DaySpan[]): Promise<Bar[]> {
  const known = await withOwner(db, filter)
  if (!known) return []
  const since = await keptSince(db)
  const sums = sumsOf(
    known,
    spans.map((span) => readable(span, since)),
  )
  const bars = await db.all<Bar & { place: number }>(sql`
    select place, model, ${FIGURES} from (${sums}) group by place, model order by place, model`)
  return bars.map((bar) => ({ ...bar, label: spans[bar.place]?.label ?? '' }))
}

/** One bar for each UTC hour and model with calls in the range, ordered by hour, then model. */
export async function hourlyChart(db: Db, filter: Filter, range: Range): Promise<Bar[]> {
  const known = await withOwner(db, filter)
  if (!known) return []
  const hour = sql.raw(String(HOUR_MS))
  const sums = sumsOf(known, [readable(range, await keptSince(db))], { coarsest: 'hour' })
  const bars = await db.all<Bar & { hour: number }>(sql`
    select start / ${hour} * ${hour} as hour, model, ${FIGURES} from (${sums}) group by 1, 2 order by 1, 2`)
  return bars.map((bar) => ({ ...bar, label: new Date(bar.hour).toISOString() }))
}

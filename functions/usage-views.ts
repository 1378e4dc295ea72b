/** Queries and answers of the usage routes. */

import * as z from 'zod'
import type { SignedIn } from '../core/auth/sessions.ts'
import { isTimeZone } from '../core/calendar.ts'
import { totalTokens } from '../core/metering/tokens.ts'
import { PROBLEMS } from '../core/problems.ts'
import type { Bar, Figures, MainFigures } from '../core/reports/charts.ts'
import { nameOfGateway } from '../core/reports/gateway-calls.ts'
import type { Cursor } from '../core/reports/log-pages.ts'
import type { LogRow } from '../core/reports/log-rows.ts'
import type { Filter } from '../core/reports/query.ts'
import { ALL_TIME, type Dates, type Range } from '../core/reports/range.ts'
import { timeText, usdOf } from '../core/units.ts'
import { idInQuery, line, modelName, timestamp } from './fields.ts'
import { OUTCOME, sessionId } from './usage-search.ts'

/** A valid date from 2000 to 2099; other years are taken for mistakes. */
export const date = z.iso.date(PROBLEMS.date).regex(/^20/, 'a date from 2000-01-01 to 2099-12-31 is expected')

const OWN = {
  start_date: date.optional().meta({ description: 'First day, in the zone `tz`.' }),
  end_date: date.optional().meta({ description: 'Last day, in the zone `tz`.' }),
  tz: z
    .string()
    .refine(isTimeZone, PROBLEMS.time_zone)
    .default('UTC')
    .meta({ description: 'The time zone that days belong to, by its IANA name.' }),
  model: modelName.optional(),
  key_id: idInQuery.optional(),
}
const EVERYBODYS = {
  ...OWN,
  user_id: idInQuery.optional(),
  backend: z
    .union([z.literal(''), line(200)])
    .optional()
    .meta({ description: 'Empty: calls that no backend was found for.' }),
}
/** Filters of reports without users, keys and models. */
export const DatesOnly = z.strictObject({ start_date: OWN.start_date, end_date: OWN.end_date, tz: OWN.tz })

/** `session`: a user's own calls. `admin`: everybody's, for administrators. */
export type UsageTier = 'session' | 'billing'

/** The schema of a tier's filters and of `more`. */
export function filters<E extends z.ZodRawShape>(tier: UsageTier, more: E) {
  const known = tier === 'billing' ? { ...EVERYBODYS, ...more } : { ...OWN, ...more }
  // The cast gives handlers every filter. Those that users do not have are refused, so they are undefined.
  return z.strictObject(known as typeof EVERYBODYS & E)
}

interface Asked extends z.output<typeof DatesOnly> {
  model?: string | undefined
  key_id?: number | undefined
  user_id?: number | undefined
  backend?: string | undefined
}

/** The filter for core; users always get only their own calls. */
export function filterOf(tier: UsageTier, { user }: SignedIn, query: Asked): Filter {
  const { model, key_id: keyId } = query
  if (tier === 'session') return { userId: user.id, keyId, model }
  return { userId: query.user_id, keyId, model, backend: query.backend }
}

export function datesOf({ start_date: startDate, end_date: endDate, tz: timeZone }: Asked): Dates {
  return { startDate, endDate, timeZone }
}

export const RANGE = {
  from: timestamp.nullable().meta({ description: 'Where it begins; null is with the first call.' }),
  to: timestamp.nullable().meta({ description: 'Where it ends, itself excluded; null is never.' }),
}

export function rangeView({ from, to }: Range) {
  return {
    from: from === ALL_TIME.from ? null : timeText(from),
    to: to >= ALL_TIME.to ? null : timeText(to),
  }
}

export const cursor = z
  .string()
  .regex(/^[0-9a-z]{1,10}-[0-9a-z]{1,10}$/, 'next_cursor of an earlier answer is expected')
  .transform((text): Cursor => {
    const [at = 0, id = 0] = text.split('-').map((part) => Number.parseInt(part, 36))
    return { at, id }
  })

export function cursorText({ at, id }: Cursor): string {
  return `${at.toString(36)}-${id.toString(36)}`
}

export const Log = z
  .strictObject({
    id: z.int(),
    request_id: z.string(),
    user_id: z.int(),
    itcode: z.string().nullable(),
    api_key_id: z.int(),
    key_name: z.string().nullable().meta({ description: 'Also of a deleted key.' }),
    model: z.string(),
    backend: z.string(),
    input_tokens: z.int(),
    output_tokens: z.int(),
    cache_read_tokens: z.int(),
    cache_write_5m_tokens: z.int(),
    cache_write_1h_tokens: z.int(),
    total_tokens: z.int(),
    cost_usd: z.number(),
    status_code: z.int(),
    outcome: OUTCOME,
    estimated: z.boolean(),
    stream: z.boolean(),
    latency_ms: z.int(),
    ttft_ms: z.int().nullable(),
    created_at: timestamp.meta({ description: 'When the request arrived.' }),
    billing_group_id: z.int().meta({ description: 'The group that it was booked to; 0 is none.' }),
    client: z
      .string()
      .meta({ description: 'Which program called, of a closed list; empty in calls of releases before it.' }),
    project: z.string().meta({ description: 'As its x-claude-gateway-project said; empty: none.' }),
    input_usd: z.number().meta({ description: 'Parts of the cost, which add up to it.' }),
    output_usd: z.number(),
    cache_read_usd: z.number(),
    cache_write_5m_usd: z.number(),
    cache_write_1h_usd: z.number(),
    server_tool_usd: z.number(),
    saved_usd: z.number().meta({ description: 'What it would have cost more without the prompt cache.' }),
    web_searches: z.int(),
    service_tier: z
      .string()
      .meta({ description: 'As the upstream named it, as speed and geo; empty: it did not.' }),
    speed: z.string(),
    geo: z.string(),
    context_window: z
      .string()
      .meta({ description: '0-200k or 200k-1M, by the size of the prompt; empty: nothing was read.' }),
    session: z.string().nullable().meta({ description: 'null if the client named none.' }),
  })
  .meta({ id: 'Log' })
export type Log = z.infer<typeof Log>
export const LOG_COLUMNS = Object.keys(Log.shape) as (keyof Log)[] // holds because Log is inferred from this shape

export function logView(row: LogRow): Log {
  return {
    id: row.id,
    request_id: row.requestId,
    user_id: row.userId,
    itcode: row.itcode ?? nameOfGateway(row.userId),
    api_key_id: row.apiKeyId,
    key_name: row.keyName,
    model: row.model,
    backend: row.backend,
    input_tokens: row.inputTokens,
    output_tokens: row.outputTokens,
    cache_read_tokens: row.cacheReadTokens,
    cache_write_5m_tokens: row.cacheWrite5mTokens,
    cache_write_1h_tokens: row.cacheWrite1hTokens,
    total_tokens: totalTokens(row),
    cost_usd: usdOf(row.costMicros),
    status_code: row.statusCode,
    outcome: row.outcome,
    estimated: row.estimated,
    stream: row.stream,
    latency_ms: row.latencyMs,
    ttft_ms: row.ttftMs,
    created_at: timeText(row.createdAt),
    billing_group_id: row.billingGroupId,
    client: row.client,
    project: row.project,
    input_usd: usdOf(row.inputMicros),
    output_usd: usdOf(row.outputMicros),
    cache_read_usd: usdOf(row.cacheReadMicros),
    cache_write_5m_usd: usdOf(row.cacheWrite5mMicros),
    cache_write_1h_usd: usdOf(row.cacheWrite1hMicros),
    server_tool_usd: usdOf(row.serverToolMicros),
    saved_usd: usdOf(row.savedMicros),
    web_searches: row.webSearches,
    service_tier: row.serviceTier,
    speed: row.speed,
    geo: row.geo,
    context_window: row.contextWindow,
    session: sessionId(row),
  }
}

const MAIN = {
  requests: z.int(),
  errors: z.int().meta({ description: 'Calls whose outcome is not ok.' }),
  total_tokens: z.int(),
  cost_usd: z.number(),
}
const FIGURES = {
  ...MAIN,
  input_tokens: z.int(),
  output_tokens: z.int(),
  cache_read_tokens: z.int(),
  cache_write_tokens: z.int(),
}
export const FiguresView = z.strictObject(FIGURES).meta({ id: 'UsageFigures' })
export const OfModel = z.strictObject({ model: z.string(), ...FIGURES })
export const OfBackend = z.strictObject({ backend: z.string(), ...FIGURES })
export const OfUser = z.strictObject({ user_id: z.int(), itcode: z.string().nullable(), ...MAIN })
export const OfKey = z.strictObject({
  api_key_id: z.int(),
  key_name: z.string().nullable(),
  user_id: z.int(),
  ...MAIN,
})
export const DayStats = z.strictObject({ date: z.iso.date(), ...OfModel.shape })
export const HourStats = z.strictObject({
  hour: timestamp.meta({ description: 'The start of the hour, UTC.' }),
  ...OfModel.shape,
})

export function mainView({ requests, errors, totalTokens, costMicros }: MainFigures) {
  return { requests, errors, total_tokens: totalTokens, cost_usd: usdOf(costMicros) }
}

export function figuresView(figures: Figures) {
  return {
    ...mainView(figures),
    input_tokens: figures.inputTokens,
    output_tokens: figures.outputTokens,
    cache_read_tokens: figures.cacheReadTokens,
    cache_write_tokens: figures.cacheWriteTokens,
  }
}

export function barView(bar: Bar) {
  return { model: bar.model, ...figuresView(bar) }
}

/**
 * Sums of usage_logs, written in the same batch as its rows, so that no chart, total or list reads the log to count it.
 * WITHOUT ROWID in the migration (drizzle has no word for it): the primary key is the table.
 */
import { index, integer, primaryKey, sqliteTable, text } from 'drizzle-orm/sqlite-core'
import { LOSS_KINDS } from '../metering/prompt-losses.ts'

/** What every row of sums holds. */
const sums = {
  requests: integer().notNull(),
  /** Calls whose outcome is not `ok`. */
  errors: integer().notNull(),
  inputTokens: integer('input_tokens').notNull(),
  outputTokens: integer('output_tokens').notNull(),
  cacheReadTokens: integer('cache_read_tokens').notNull(),
  cacheWrite5mTokens: integer('cache_write_5m_tokens').notNull(),
  cacheWrite1hTokens: integer('cache_write_1h_tokens').notNull(),
  costMicros: integer('cost_micros').notNull(),
  latencyMs: integer('latency_ms').notNull(),
  lastAt: integer('last_at').notNull(),
}

/** By hour (ms at its start, UTC, of the call's arrival) and all that tells calls apart. */
export const usageHourly = sqliteTable(
  'usage_hourly',
  {
    hour: integer().notNull(),
    userId: integer('user_id').notNull(),
    apiKeyId: integer('api_key_id').notNull(),
    model: text().notNull(),
    backend: text().notNull(),
    ...sums,
  },
  (t) => [
    primaryKey({ columns: [t.userId, t.hour, t.apiKeyId, t.model, t.backend] }),
    index('usage_hourly_hour').on(t.hour, t.model, t.backend),
  ],
)

/**
 * Coarser sums, several cuts in one table so that one statement writes them all. What a cut does not tell apart is 0 or
 * ''. `start` is the first ms of the quarter hour, hour, UTC day or 14 days since 1970; 0 in the cut of all time.
 */
export const usageSums = sqliteTable(
  'usage_sums',
  {
    /** site_*: model and backend. key_day: user and key. full_*, total: all four. */
    cut: text({
      enum: ['site_quarter', 'site_hour', 'site_day', 'key_day', 'full_day', 'full_fortnight', 'total'],
    }).notNull(),
    userId: integer('user_id').notNull(),
    start: integer().notNull(),
    apiKeyId: integer('api_key_id').notNull(),
    model: text().notNull(),
    backend: text().notNull(),
    ...sums,
  },
  (t) => [primaryKey({ columns: [t.cut, t.userId, t.start, t.apiKeyId, t.model, t.backend] })],
)

/** How many calls took how long, by UTC hour and by UTC day: core/reports/latency.ts tells what a bucket is. */
export const usageLatency = sqliteTable(
  'usage_latency',
  {
    unit: text({ enum: ['hour', 'day'] }).notNull(),
    start: integer().notNull(),
    backend: text().notNull(),
    bucket: integer().notNull(),
    requests: integer().notNull(),
  },
  (t) => [primaryKey({ columns: [t.unit, t.start, t.backend, t.bucket] })],
)

/** Caches that were missed and thinking that was dropped, as answers told of them: by UTC hour, person, model and reason. */
export const promptLosses = sqliteTable(
  'prompt_losses',
  {
    hour: integer().notNull(),
    userId: integer('user_id').notNull(),
    model: text().notNull(),
    kind: text({ enum: LOSS_KINDS }).notNull(),
    reason: text().notNull(),
    calls: integer().notNull(),
    blocks: integer().notNull(),
    tokens: integer().notNull(),
  },
  (t) => [primaryKey({ columns: [t.hour, t.userId, t.model, t.kind, t.reason] })],
)

/** One row: up to which usage_logs.id the sums are made. */
export const usageSummed = sqliteTable('usage_summed', {
  id: integer().primaryKey(),
  logId: integer('log_id').notNull(),
})

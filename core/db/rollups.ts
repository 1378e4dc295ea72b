/**
 * Sums of usage_logs, written in the same batch as its rows, so that charts, totals and lists need not count the log. The
 * migration makes the tables WITHOUT ROWID, which drizzle cannot express (https://www.sqlite.org/withoutrowid.html).
 */
import { index, integer, primaryKey, sqliteTable, text } from 'drizzle-orm/sqlite-core'
import { LOSS_KINDS } from '../metering/prompt-losses.ts'

/** What one call used and cost, or many together. */
export const usage = {
  inputTokens: integer('input_tokens').notNull(),
  outputTokens: integer('output_tokens').notNull(),
  cacheReadTokens: integer('cache_read_tokens').notNull(),
  cacheWrite5mTokens: integer('cache_write_5m_tokens').notNull(),
  cacheWrite1hTokens: integer('cache_write_1h_tokens').notNull(),
  costMicros: integer('cost_micros').notNull(),
}

/** The summed columns, the same in every table of sums. */
const sums = {
  requests: integer().notNull(),
  /** Calls whose outcome is not `ok`. */
  errors: integer().notNull(),
  ...usage,
  latencyMs: integer('latency_ms').notNull(),
  lastAt: integer('last_at').notNull(),
}

/** Sums by UTC hour in which calls arrived (ms at its start), user, key, model and backend. */
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
 * Sums at several granularities (`cut`) in one table, so that one statement writes them all. Dimensions that a cut does not
 * have are 0 or ''. `start`: first ms of the quarter hour, hour, UTC day or 14 days since 1970; 0 for cut `total`.
 */
export const usageSums = sqliteTable(
  'usage_sums',
  {
    /** Dimensions: model and backend in site_*, user and key in key_day, all four in full_* and total. */
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

/** Histogram of latencies by UTC hour and by UTC day; core/reports/latency.ts defines the buckets. */
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

/** Missed prompt caches and dropped thinking that answers reported, by UTC hour, user, model, kind and reason. */
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

/** One row: what the sums include. */
export const usageSummed = sqliteTable('usage_summed', {
  id: integer().primaryKey(),
  /** The highest usage_logs.id in them. */
  logId: integer('log_id').notNull(),
  /** Calls before this time (ms, the start of a UTC day) may have no row any more, only sums; 0 = all have. */
  keptSince: integer('kept_since').notNull().default(0),
})

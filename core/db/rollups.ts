/**
 * Sums of usage_logs, written in the same batch as its rows, so that charts, totals and lists need not count the log. The
 * migration makes the tables WITHOUT ROWID, which drizzle cannot express (https://www.sqlite.org/withoutrowid.html).
 */
import { sql } from 'drizzle-orm'
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

/** Where a call is booked, and what its cost consists of. Calls of releases before these columns have zeros and ''. */
export const billing = {
  /** groups.id; 0 = unassigned. */
  billingGroupId: integer('billing_group_id').notNull().default(0),
  /** Its parents when the call was admitted: ids, the nearest first, with commas between; '' = none. */
  billingParents: text('billing_parents').notNull().default(''),
  /** Which program called. */
  client: text().notNull().default(''),
  /** As the call's tag named it; '' = none. */
  project: text().notNull().default(''),
  /** Parts of the cost, which add up to it. */
  inputMicros: integer('input_micros').notNull().default(0),
  outputMicros: integer('output_micros').notNull().default(0),
  cacheReadMicros: integer('cache_read_micros').notNull().default(0),
  cacheWrite5mMicros: integer('cache_write_5m_micros').notNull().default(0),
  cacheWrite1hMicros: integer('cache_write_1h_micros').notNull().default(0),
  serverToolMicros: integer('server_tool_micros').notNull().default(0),
  /** What the call would have cost more without the prompt cache; negative where writing it cost more than it saved. */
  savedMicros: integer('saved_micros').notNull().default(0),
  webSearches: integer('web_searches').notNull().default(0),
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
  (t) => [
    primaryKey({ columns: [t.cut, t.userId, t.start, t.apiKeyId, t.model, t.backend] }),
    index('usage_sums_key').on(t.apiKeyId).where(sql`cut = 'total'`),
  ],
)

/**
 * Sums by billing group and everything else that a report groups by, of the calls since the migration that made the table. The
 * newest calls are added in pieces, and are in the log alone until then.
 * Dimensions that a cut does not have are 0 or ''. `start` as in usage_sums. WITHOUT ROWID, too.
 */
export const usageByGroup = sqliteTable(
  'usage_by_group',
  {
    /** Dimensions beside the group: user and key in caller_*, user and model in person_*, model, backend, client and project in target_*, all in full_*. */
    cut: text({
      enum: [
        'caller_hour',
        'caller_6h',
        'caller_day',
        'caller_fortnight',
        'person_hour',
        'person_6h',
        'person_day',
        'person_fortnight',
        'target_hour',
        'target_6h',
        'target_day',
        'target_fortnight',
        'full_hour',
        'full_6h',
        'full_day',
        'full_fortnight',
      ],
    }).notNull(),
    start: integer().notNull(),
    userId: integer('user_id').notNull(),
    apiKeyId: integer('api_key_id').notNull(),
    model: text().notNull(),
    backend: text().notNull(),
    ...sums,
    ...billing,
  },
  (t) => [
    primaryKey({
      columns: [
        t.cut,
        t.userId,
        t.start,
        t.billingGroupId,
        t.billingParents,
        t.apiKeyId,
        t.model,
        t.backend,
        t.client,
        t.project,
      ],
    }),
  ],
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
  /** The highest usage_logs.id in limit_spent. Processes of earlier releases write the older sums alone. */
  spentId: integer('spent_id').notNull().default(0),
  /** The highest usage_logs.id in usage_by_group. */
  groupedId: integer('grouped_id').notNull().default(0),
  /** usage_by_group has no calls up to this usage_logs.id: they belong to no group and arrived before `groupedSince`. */
  ungroupedId: integer('ungrouped_id').notNull().default(0),
  /** Ms, the start of a UTC day. */
  groupedSince: integer('grouped_since').notNull().default(0),
  /** Calls before this time (ms, the start of a UTC day) may have no row any more, only sums; 0 = all have. */
  keptSince: integer('kept_since').notNull().default(0),
})

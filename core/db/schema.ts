/** All tables. Money is integer micro-dollars, time is integer ms since 1970 UTC, ids are never reused. */
import { sql } from 'drizzle-orm'
import { index, integer, primaryKey, sqliteTable, text, uniqueIndex } from 'drizzle-orm/sqlite-core'

export const users = sqliteTable('users', {
  id: integer().primaryKey({ autoIncrement: true }),
  /** Account name: NFKC, trimmed, lower case. Often an e-mail address. */
  itcode: text().notNull().unique(),
  name: text().notNull(),
  role: text({ enum: ['user', 'admin'] }).notNull(),
  status: text({ enum: ['active', 'disabled'] }).notNull(),
  /** 0 = unlimited, per limits.period. */
  quotaTokens: integer('quota_tokens').notNull().default(0),
  budgetMicros: integer('budget_micros').notNull().default(0),
  /** null = as configured in limits.*; 0 = unlimited. */
  requestsPerMinute: integer('requests_per_minute'),
  concurrentRequests: integer('concurrent_requests'),
  createdAt: integer('created_at').notNull(),
  updatedAt: integer('updated_at').notNull(),
})

export const apiKeys = sqliteTable(
  'api_keys',
  {
    id: integer().primaryKey({ autoIncrement: true }),
    userId: integer('user_id')
      .notNull()
      .references(() => users.id),
    name: text().notNull(),
    /** SHA-256 of the key, hex. The key itself is stored nowhere. */
    hash: text().notNull().unique(),
    prefix: text().notNull(),
    last4: text().notNull(),
    status: text({ enum: ['active', 'disabled'] }).notNull(),
    disabledBy: text('disabled_by', { enum: ['owner', 'admin'] }),
    expiresAt: integer('expires_at'),
    /** Limits of this key beside its owner's; 0 = none. */
    quotaTokens: integer('quota_tokens').notNull().default(0),
    budgetMicros: integer('budget_micros').notNull().default(0),
    requestsPerMinute: integer('requests_per_minute').notNull().default(0),
    concurrentRequests: integer('concurrent_requests').notNull().default(0),
    createdAt: integer('created_at').notNull(),
    updatedAt: integer('updated_at').notNull(),
    /** A deleted key stays as a tombstone, so that its usage keeps a name. */
    deletedAt: integer('deleted_at'),
  },
  (t) => [index('api_keys_user').on(t.userId)],
)

/** A user's right to a model that needs approval. */
export const grants = sqliteTable(
  'grants',
  {
    id: integer().primaryKey({ autoIncrement: true }),
    userId: integer('user_id')
      .notNull()
      .references(() => users.id),
    model: text().notNull(),
    applicationId: integer('application_id').references(() => applications.id),
    grantedBy: integer('granted_by').references(() => users.id),
    createdAt: integer('created_at').notNull(),
  },
  (t) => [uniqueIndex('grants_user_model').on(t.userId, t.model)],
)

export const applications = sqliteTable(
  'applications',
  {
    id: integer().primaryKey({ autoIncrement: true }),
    userId: integer('user_id')
      .notNull()
      .references(() => users.id),
    model: text().notNull(),
    reason: text().notNull(),
    status: text({ enum: ['pending', 'approved', 'rejected', 'withdrawn'] }).notNull(),
    reviewerId: integer('reviewer_id').references(() => users.id),
    reviewNote: text('review_note'),
    createdAt: integer('created_at').notNull(),
    updatedAt: integer('updated_at').notNull(),
  },
  (t) => [
    index('applications_user').on(t.userId, t.id),
    index('applications_status').on(t.status, t.id),
    uniqueIndex('applications_one_pending').on(t.userId, t.model).where(sql`${t.status} = 'pending'`),
  ],
)

/** One row per accepted call, whatever its end. user_id and api_key_id are no foreign keys: the record outlives both. */
export const usageLogs = sqliteTable(
  'usage_logs',
  {
    id: integer().primaryKey({ autoIncrement: true }),
    requestId: text('request_id').notNull().unique(),
    userId: integer('user_id').notNull(),
    apiKeyId: integer('api_key_id').notNull(),
    /** What the client asked for; `model` is what was checked, priced and sent. */
    requestedModel: text('requested_model').notNull(),
    model: text().notNull(),
    backend: text().notNull(),
    inputTokens: integer('input_tokens').notNull(),
    outputTokens: integer('output_tokens').notNull(),
    cacheReadTokens: integer('cache_read_tokens').notNull(),
    cacheWrite5mTokens: integer('cache_write_5m_tokens').notNull(),
    cacheWrite1hTokens: integer('cache_write_1h_tokens').notNull(),
    costMicros: integer('cost_micros').notNull(),
    statusCode: integer('status_code').notNull(),
    outcome: text({ enum: ['ok', 'error', 'client_aborted', 'upstream_cut', 'interrupted'] }).notNull(),
    estimated: integer({ mode: 'boolean' }).notNull(),
    unpriced: integer({ mode: 'boolean' }).notNull(),
    stream: integer({ mode: 'boolean' }).notNull(),
    attempts: integer().notNull(),
    latencyMs: integer('latency_ms').notNull(),
    ttftMs: integer('ttft_ms'),
    /** Other usage as the upstream told it, JSON. */
    extra: text(),
    /** When the request arrived. */
    createdAt: integer('created_at').notNull(),
  },
  (t) => [
    index('usage_logs_user').on(t.userId, t.createdAt, t.id),
    index('usage_logs_created').on(t.createdAt, t.id),
  ],
)

export { upstreamObjects } from './objects.ts'
export { promptLosses, usageHourly, usageLatency, usageSummed, usageSums } from './rollups.ts'

export const sessions = sqliteTable(
  'sessions',
  {
    /** `sid` of the JWT. */
    id: text().primaryKey(),
    userId: integer('user_id')
      .notNull()
      .references(() => users.id),
    createdAt: integer('created_at').notNull(),
    lastSeenAt: integer('last_seen_at').notNull(),
    expiresAt: integer('expires_at').notNull(),
    revokedAt: integer('revoked_at'),
    ip: text(),
    userAgent: text('user_agent'),
  },
  (t) => [index('sessions_user').on(t.userId), index('sessions_expires').on(t.expiresAt)],
)

export const loginCodes = sqliteTable(
  'login_codes',
  {
    id: integer().primaryKey({ autoIncrement: true }),
    itcode: text().notNull(),
    codeHash: text('code_hash').notNull(),
    /** SHA-256 of the cookie of the browser that asked: nobody else can use the code. '' is any browser. */
    browserHash: text('browser_hash').notNull(),
    ip: text().notNull(),
    attempts: integer().notNull().default(0),
    createdAt: integer('created_at').notNull(),
    expiresAt: integer('expires_at').notNull(),
    /** Set once: by the login that used it, or when it was burnt. */
    consumedAt: integer('consumed_at'),
    /** Set by the login that used it. Such a row also tells that the account knows this browser. */
    usedAt: integer('used_at'),
    /** The account knew this browser when the code was asked for: it has limits of its own. */
    known: integer({ mode: 'boolean' }).notNull().default(false),
  },
  (t) => [
    index('login_codes_itcode').on(t.itcode, t.createdAt),
    index('login_codes_ip').on(t.ip, t.createdAt),
  ],
)

/** Who did what. Rows are only ever added, in the batch of the change they tell of; or counted, by the hour. */
export const auditEvents = sqliteTable(
  'audit_events',
  {
    id: integer().primaryKey({ autoIncrement: true }),
    at: integer().notNull(),
    /** null = the system or the command line. */
    actorId: integer('actor_id'),
    action: text().notNull(),
    target: text().notNull(),
    /** JSON of what changed, without secrets. */
    before: text(),
    after: text(),
    ip: text(),
    requestId: text('request_id'),
    /** What is counted in this row, and its hour; null for all that happened once. */
    tally: text(),
  },
  (t) => [
    index('audit_actor').on(t.actorId, t.id),
    index('audit_action').on(t.action, t.id),
    uniqueIndex('audit_tally').on(t.tally).where(sql`tally is not null`),
  ],
)

/** What all processes know of an account or of a (backend, model): a record that only the core can read. */
export const healthRecords = sqliteTable('health_records', {
  key: text().primaryKey(),
  revision: integer().notNull(),
  /** JSON. */
  record: text().notNull(),
})

/** Where conversations went that left their backend. */
export const conversationMoves = sqliteTable(
  'conversation_moves',
  {
    userId: integer('user_id').notNull(),
    /** A hash of 53 bits. */
    conversation: integer().notNull(),
    backend: text().notNull(),
    /** When its cache there is gone; 0: it is back where it belongs. */
    idleUntil: integer('idle_until').notNull(),
    writtenAt: integer('written_at').notNull(),
  },
  (t) => [
    primaryKey({ columns: [t.userId, t.conversation] }),
    index('conversation_moves_written').on(t.writtenAt),
  ],
)

/**
 * Calls that count against a limit but are not in usage_sums yet, when processes share limits here. A trigger empties a
 * call's hold as its row comes into usage_logs, so that it is never counted twice, nor missed in between.
 */
export const ledgerHolds = sqliteTable(
  'ledger_holds',
  {
    /** usage_logs.request_id of the call. */
    id: text().primaryKey(),
    userId: integer('user_id').notNull(),
    apiKeyId: integer('api_key_id').notNull(),
    /** Estimated while it runs, real from its end on, 0 once it is in usage_sums. */
    tokens: integer().notNull(),
    costMicros: integer('cost_micros').notNull(),
    running: integer({ mode: 'boolean' }).notNull(),
    /** Until then it is one of the last minute's requests; 0 where nobody counts them. */
    minuteEndsAt: integer('minute_ends_at').notNull(),
    /** From then on it counts no more: a process that died leaves its holds behind. */
    endsAt: integer('ends_at').notNull(),
  },
  (t) => [index('ledger_holds_user').on(t.userId, t.minuteEndsAt)],
)

/** One row. Triggers raise `revision` with every change of users, keys or grants, so that each process sees when to reload. */
export const keyRevision = sqliteTable('directory', {
  id: integer().primaryKey(),
  revision: integer().notNull(),
})

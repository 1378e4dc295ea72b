/** All tables. Money is in whole micro-dollars, time in ms since 1970, durations in ms; ids are never reused. */
import { sql } from 'drizzle-orm'
import { index, integer, primaryKey, sqliteTable, text, uniqueIndex } from 'drizzle-orm/sqlite-core'
import { billing, usage } from './rollups.ts'
import { users } from './users.ts'

export { apiKeys } from './api-keys.ts'
export { users }

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

/** One row per admitted call, however it ended. user_id and api_key_id are no foreign keys, because the row outlives both. */
export const usageLogs = sqliteTable(
  'usage_logs',
  {
    id: integer().primaryKey({ autoIncrement: true }),
    requestId: text('request_id').notNull().unique(),
    userId: integer('user_id').notNull(),
    apiKeyId: integer('api_key_id').notNull(),
    /** The model that the client named; `model` is the one that was checked, priced and sent. */
    requestedModel: text('requested_model').notNull(),
    model: text().notNull(),
    backend: text().notNull(),
    ...usage,
    statusCode: integer('status_code').notNull(),
    outcome: text({ enum: ['ok', 'error', 'client_aborted', 'upstream_cut', 'interrupted'] }).notNull(),
    ...billing,
    estimated: integer({ mode: 'boolean' }).notNull(),
    unpriced: integer({ mode: 'boolean' }).notNull(),
    stream: integer({ mode: 'boolean' }).notNull(),
    attempts: integer().notNull(),
    latencyMs: integer('latency_ms').notNull(),
    ttftMs: integer('ttft_ms'),
    /** Other usage that the upstream reported, as JSON. */
    extra: text(),
    serviceTier: text('service_tier').notNull().default(''),
    speed: text().notNull().default(''),
    geo: text().notNull().default(''),
    contextWindow: text('context_window').notNull().default(''),
    /** When the request arrived. */
    createdAt: integer('created_at').notNull(),
    /** A hash that tells one person's sessions apart; '' = none. See core/record.ts for this and the next three. */
    session: text().notNull().default(''),
    error: text().notNull().default(''),
    upstreamId: text('upstream_id').notNull().default(''),
    story: text().notNull().default(''),
    /** Why the prompt cache was missed, as the upstream names it, and about how many tokens; '' = it told of no miss. */
    cacheMiss: text('cache_miss').notNull().default(''),
    cacheMissTokens: integer('cache_miss_tokens').notNull().default(0),
  },
  (t) => [
    index('usage_logs_session').on(t.userId, t.session, t.createdAt, t.id).where(sql`session <> ''`),
    index('usage_logs_user').on(t.userId, t.createdAt, t.id),
    index('usage_logs_created').on(t.createdAt, t.id),
  ],
)

export { backendRevision, storedBackends } from './backends.ts'
export { batches } from './batches.ts'
export { claudeCodeDays, claudeCodePoints, deviceSettings } from './claude-code.ts'
export { deviceGrants, refreshTokens } from './devices.ts'
export { adminKeys, identities, invitations, invitationUses, scimUsers } from './joining.ts'
export { groupChanges, keyRevision, userChanges } from './key-changes.ts'
export { limitSpent, spendLimits } from './limits.ts'
export { noticeChannels, noticeDeliveries, noticePreferences, notices } from './notices.ts'
export { upstreamObjects } from './objects.ts'
export { groupMembers, groupModels, groups, increaseRequests } from './organisation.ts'
export { policies, policyVersions } from './policies.ts'
export { MEASURES, reconciledDays, reconciledUse } from './reconciliation.ts'
export {
  promptLosses,
  usageByGroup,
  usageHourly,
  usageLatency,
  usageSummed,
  usageSums,
} from './rollups.ts'
export { savedViews } from './saved-views.ts'
export { loginCodes, sessions } from './sign-in.ts'
export { databaseIdentity, limitState } from './single-rows.ts'

/** Who did what. A row is added in the batch of the change that it describes and never changed, except hourly counts. */
export const auditEvents = sqliteTable(
  'audit_events',
  {
    id: integer().primaryKey({ autoIncrement: true }),
    at: integer().notNull(),
    /** null = a program, the system or the command line. */
    actorId: integer('actor_id'),
    /** The admin key of a program. */
    adminKeyId: integer('admin_key_id'),
    action: text().notNull(),
    target: text().notNull(),
    /** JSON of what changed, without secrets. */
    before: text(),
    after: text(),
    ip: text(),
    requestId: text('request_id'),
    /** Action, target and hour that this row counts; null for a single event. */
    tally: text(),
  },
  (t) => [
    index('audit_actor').on(t.actorId, t.id),
    index('audit_action').on(t.action, t.id),
    uniqueIndex('audit_tally').on(t.tally).where(sql`tally is not null`),
  ],
)

/** Health of an upstream account or of a model at a backend, shared by all processes. Only core reads `record`. */
export const healthRecords = sqliteTable('health_records', {
  key: text().primaryKey(),
  revision: integer().notNull(),
  /** JSON. */
  record: text().notNull(),
})

/** Conversations that left their backend, and the backend they went to. */
export const conversationMoves = sqliteTable(
  'conversation_moves',
  {
    userId: integer('user_id').notNull(),
    /** A hash of 53 bits. */
    conversation: integer().notNull(),
    backend: text().notNull(),
    /** When its prompt cache there expires; 0 = it is back on its own backend. */
    idleUntil: integer('idle_until').notNull(),
    writtenAt: integer('written_at').notNull(),
  },
  (t) => [
    primaryKey({ columns: [t.userId, t.conversation] }),
    index('conversation_moves_written').on(t.writtenAt),
  ],
)

/**
 * Calls that count against a limit but are not in usage_sums yet, where processes share limits through the database. A
 * trigger zeroes a hold when the call's row enters usage_logs, so that it is counted exactly once.
 */
export const ledgerHolds = sqliteTable(
  'ledger_holds',
  {
    /** usage_logs.request_id of the call. */
    id: text().primaryKey(),
    userId: integer('user_id').notNull(),
    apiKeyId: integer('api_key_id').notNull(),
    /** The booked group and its parents, each between commas: ,3,7, */
    billingGroups: text('billing_groups').notNull().default(''),
    /** When the periods began that the call counts in; null of calls of earlier releases, which count in all. */
    dayStart: integer('day_start'),
    weekStart: integer('week_start'),
    monthStart: integer('month_start'),
    /** Estimated while the call runs, final after its end, 0 once it is in limit_spent. */
    tokens: integer().notNull(),
    costMicros: integer('cost_micros').notNull(),
    running: integer({ mode: 'boolean' }).notNull(),
    /** Until when it counts as a request of the last minute; 0 without such a limit. */
    minuteEndsAt: integer('minute_ends_at').notNull(),
    /** Of a call that is over, what it counts until `tokensEndAt` (ms) as tokens of the last minute; null without such a limit. */
    minuteTokens: integer('minute_tokens'),
    tokensEndAt: integer('tokens_end_at').notNull().default(0),
    /** When the hold expires unless it is renewed, because a process that dies leaves its holds behind. */
    endsAt: integer('ends_at').notNull(),
    /** What to write to usage_logs if the process dies: text of core/reports/stored-record.ts; null once the call is settled. */
    record: text(),
    /** Where the limits of the call stood when it asked: text of core/limits/shared-states.ts; null without any. */
    states: text(),
  },
  (t) => [
    index('ledger_holds_user').on(t.userId, t.minuteEndsAt),
    // What counts against the limits that many people share.
    index('ledger_holds_open').on(t.userId).where(sql`running or tokens > 0 or cost_micros > 0`),
  ],
)

/** What Claude Code tells of itself. */
import { index, integer, primaryKey, sqliteTable, text } from 'drizzle-orm/sqlite-core'

/** Where it is of a tool (edits) or a model (cost and tokens), `label` names it. */
const DAY_KINDS = [
  'sessions',
  'lines_added',
  'lines_removed',
  'commits',
  'pull_requests',
  'active_ms',
  'edits_accepted',
  'edits_rejected',
  'cost_micros',
  'input_tokens',
  'output_tokens',
  'cache_read_tokens',
  'cache_write_tokens',
] as const
export type DayKind = (typeof DAY_KINDS)[number]

const counted = {
  /** The first ms of a day in UTC. */
  day: integer().notNull(),
  userId: integer('user_id').notNull(),
  apiKeyId: integer('api_key_id').notNull(),
  kind: text({ enum: DAY_KINDS }).notNull(),
  label: text().notNull(),
  amount: integer().notNull(),
}

/** Sums by day, person and key. */
export const claudeCodeDays = sqliteTable('claude_code_days', counted, (t) => [
  primaryKey({ columns: [t.day, t.userId, t.apiKeyId, t.kind, t.label] }),
])

/** What was added to them, so that what is told twice counts once. */
export const claudeCodePoints = sqliteTable(
  'claude_code_points',
  {
    /** SHA-256 of everything that tells two points apart, hex. */
    hash: text().primaryKey(),
    /** All that one batch added. */
    batch: text().notNull(),
    ...counted,
    expiresAt: integer('expires_at').notNull(),
  },
  (t) => [index('claude_code_points_batch').on(t.batch), index('claude_code_points_expires').on(t.expiresAt)],
)

/** The managed settings that a device says it runs with. */
export const deviceSettings = sqliteTable('device_settings', {
  /** api_keys.id */
  deviceId: integer('device_id').primaryKey(),
  checksum: text().notNull(),
  since: integer().notNull(),
})

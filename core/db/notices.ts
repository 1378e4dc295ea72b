/** What people and programs are told, and where it is sent. */
import { sql } from 'drizzle-orm'
import { index, integer, primaryKey, sqliteTable, text, uniqueIndex } from 'drizzle-orm/sqlite-core'

/** Places that an administrator set up: a webhook, or a group chat. */
export const noticeChannels = sqliteTable('notice_channels', {
  id: integer().primaryKey({ autoIncrement: true }),
  kind: text({ enum: ['webhook', 'slack', 'feishu', 'dingtalk', 'wecom'] }).notNull(),
  name: text().notNull(),
  /** JSON of address and signing secret, sealed by core/secrets, because the address of a chat is its password. */
  target: text().notNull(),
  /** Its host, to be shown. */
  host: text().notNull(),
  /** JSON list of events; of a webhook also `audit`. */
  events: text().notNull(),
  /** In which its messages are. */
  language: text({ enum: ['en', 'zh'] }).notNull(),
  enabled: integer({ mode: 'boolean' }).notNull(),
  /** Id of the last audit event that was sent; null where audit events are not. */
  auditSentId: integer('audit_sent_id'),
  /** Until when no other process sends audit events: one does, or they just failed. */
  auditWaitsUntil: integer('audit_waits_until').notNull().default(0),
  /** How often sending them failed since it last worked. */
  auditFailures: integer('audit_failures').notNull().default(0),
  /** Since when sending fails, and how; null while it works. */
  failingSince: integer('failing_since'),
  lastError: text('last_error'),
  createdAt: integer('created_at').notNull(),
  updatedAt: integer('updated_at').notNull(),
})

/** The outbox: what happened, written in the batch of the change. */
export const notices = sqliteTable(
  'notices',
  {
    id: integer().primaryKey({ autoIncrement: true }),
    /** What happens once has one key over all processes, e.g. a limit, its period's start and a threshold. */
    dedupeKey: text('dedupe_key').notNull().unique(),
    event: text().notNull(),
    /** JSON, without secrets. */
    data: text().notNull(),
    createdAt: integer('created_at').notNull(),
    /** When its deliveries were written; null before. */
    addressedAt: integer('addressed_at'),
  },
  (t) => [index('notices_waiting').on(t.id).where(sql`addressed_at is null`)],
)

/** One notice to one recipient: a channel, or a person by mail. */
export const noticeDeliveries = sqliteTable(
  'notice_deliveries',
  {
    id: integer().primaryKey({ autoIncrement: true }),
    noticeId: integer('notice_id').notNull(),
    /** channel:3 or user:7 */
    recipient: text().notNull(),
    attempts: integer().notNull().default(0),
    /** When it is tried next; null once delivered or given up. */
    dueAt: integer('due_at'),
    deliveredAt: integer('delivered_at'),
    lastError: text('last_error'),
  },
  (t) => [
    uniqueIndex('notice_deliveries_recipient').on(t.noticeId, t.recipient),
    index('notice_deliveries_due').on(t.dueAt).where(sql`due_at is not null`),
  ],
)

/** Whether somebody wants a mail about an event. Person 0: what holds for all who did not choose. */
export const noticePreferences = sqliteTable(
  'notice_preferences',
  {
    userId: integer('user_id').notNull(),
    event: text().notNull(),
    wanted: integer({ mode: 'boolean' }).notNull(),
  },
  (t) => [primaryKey({ columns: [t.userId, t.event] })],
)

/** Groups of people, and what they ask for. */
import { sql } from 'drizzle-orm'
import { index, integer, primaryKey, sqliteTable, text, uniqueIndex } from 'drizzle-orm/sqlite-core'

export const groups = sqliteTable(
  'groups',
  {
    /** 0 is the built-in group `unassigned`: calls that belong to no other are booked to it. */
    id: integer().primaryKey({ autoIncrement: true }),
    name: text().notNull(),
    /** Where members are kept: here (`direct`) or in a directory, so that they cannot be edited here. */
    source: text({ enum: ['direct', 'oidc', 'ldap', 'scim'] }).notNull(),
    externalId: text('external_id'),
    /** Whether calls can be booked to it. */
    bills: integer({ mode: 'boolean' }).notNull(),
    /** Where one of several groups must win, the one of the lowest does; then of the lowest id. */
    priority: integer().notNull().default(100),
    parentId: integer('parent_id'),
    /** Rates of each member; null = none of this group. */
    requestsPerMinute: integer('requests_per_minute'),
    tokensPerMinute: integer('tokens_per_minute'),
    concurrentRequests: integer('concurrent_requests'),
    /** The highest spend limit, in micro-dollars, that a lead may give a person. */
    leadMaxMicros: integer('lead_max_micros').notNull().default(0),
    /** Whether leads may add members. */
    leadsAdd: integer('leads_add', { mode: 'boolean' }).notNull().default(false),
    createdAt: integer('created_at').notNull(),
    updatedAt: integer('updated_at').notNull(),
    /** A deleted group keeps its row, so that its usage keeps a name. */
    deletedAt: integer('deleted_at'),
  },
  (t) => [
    uniqueIndex('groups_name').on(t.name).where(sql`deleted_at is null`),
    index('groups_parent').on(t.parentId),
  ],
)

export const groupMembers = sqliteTable(
  'group_members',
  {
    groupId: integer('group_id').notNull(),
    userId: integer('user_id').notNull(),
    role: text({ enum: ['member', 'lead'] }).notNull(),
    createdAt: integer('created_at').notNull(),
  },
  (t) => [primaryKey({ columns: [t.groupId, t.userId] }), index('group_members_user').on(t.userId)],
)

/** Models that a group opens or closes for its members. */
export const groupModels = sqliteTable(
  'group_models',
  {
    groupId: integer('group_id').notNull(),
    /** A glob of canonical names. */
    model: text().notNull(),
    access: text({ enum: ['allow', 'deny'] }).notNull(),
  },
  (t) => [primaryKey({ columns: [t.groupId, t.model] })],
)

/** People who ask for a higher spend limit of their own. */
export const increaseRequests = sqliteTable(
  'increase_requests',
  {
    id: integer().primaryKey({ autoIncrement: true }),
    userId: integer('user_id').notNull(),
    period: text({ enum: ['daily', 'weekly', 'monthly', 'total'] }).notNull(),
    amountMicros: integer('amount_micros').notNull(),
    reason: text().notNull(),
    status: text({ enum: ['pending', 'approved', 'rejected', 'withdrawn'] }).notNull(),
    reviewerId: integer('reviewer_id'),
    reviewNote: text('review_note'),
    /** What was granted, and until when (ms since 1970); null until decided, or for good. */
    grantedMicros: integer('granted_micros'),
    grantedUntil: integer('granted_until'),
    /** The limit in place of which it was granted, as JSON (core/limits/spend-limit.ts); null where none was. */
    limitBefore: text('limit_before'),
    createdAt: integer('created_at').notNull(),
    updatedAt: integer('updated_at').notNull(),
  },
  (t) => [
    index('increase_requests_user').on(t.userId, t.id),
    index('increase_requests_status').on(t.status, t.id),
    uniqueIndex('increase_requests_one_pending').on(t.userId, t.period).where(sql`status = 'pending'`),
  ],
)

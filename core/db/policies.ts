/** What people run Claude Code with. */
import { sql } from 'drizzle-orm'
import { index, integer, sqliteTable, text, uniqueIndex } from 'drizzle-orm/sqlite-core'

export const policies = sqliteTable(
  'policies',
  {
    id: integer().primaryKey({ autoIncrement: true }),
    name: text().notNull(),
    priority: integer().notNull(),
    /** JSON lists; both empty = everybody. */
    groupIds: text('group_ids').notNull(),
    domains: text().notNull(),
    /** JSON: managed settings of Claude Code. */
    settings: text().notNull(),
    createdAt: integer('created_at').notNull(),
    updatedAt: integer('updated_at').notNull(),
    deletedAt: integer('deleted_at'),
  },
  (t) => [uniqueIndex('policies_name').on(t.name).where(sql`deleted_at is null`)],
)

/** Every state that a policy had, so that it can be had again. */
export const policyVersions = sqliteTable(
  'policy_versions',
  {
    id: integer().primaryKey({ autoIncrement: true }),
    policyId: integer('policy_id').notNull(),
    actorId: integer('actor_id'),
    name: text().notNull(),
    priority: integer().notNull(),
    groupIds: text('group_ids').notNull(),
    domains: text().notNull(),
    settings: text().notNull(),
    createdAt: integer('created_at').notNull(),
  },
  (t) => [index('policy_versions_policy').on(t.policyId, t.id)],
)

/** What each process brings its key cache up to date by. Triggers write these tables, whoever makes the change. */
import { index, integer, sqliteTable } from 'drizzle-orm/sqlite-core'

/** One row, whose `revision` each change raises. */
export const keyRevision = sqliteTable('directory', {
  id: integer().primaryKey(),
  revision: integer().notNull(),
})

/** At which revision each user, or one of their keys, grants, limits or memberships, was changed last. */
export const userChanges = sqliteTable(
  'user_changes',
  { userId: integer('user_id').primaryKey(), revision: integer().notNull() },
  (t) => [index('user_changes_revision').on(t.revision)],
)

/**
 * At which revision each group, or its limits or models, was changed last. Id -1: limits of the whole organisation, which all
 * callers have.
 */
export const groupChanges = sqliteTable(
  'group_changes',
  { groupId: integer('group_id').primaryKey(), revision: integer().notNull() },
  (t) => [index('group_changes_revision').on(t.revision)],
)

/** What each process brings its key cache up to date by. Triggers write both tables, whoever changes a user, key or grant. */
import { index, integer, sqliteTable } from 'drizzle-orm/sqlite-core'

/** One row, whose `revision` each change raises. */
export const keyRevision = sqliteTable('directory', {
  id: integer().primaryKey(),
  revision: integer().notNull(),
})

/** At which revision each user, or one of their keys or grants, was changed last. */
export const userChanges = sqliteTable(
  'user_changes',
  { userId: integer('user_id').primaryKey(), revision: integer().notNull() },
  (t) => [index('user_changes_revision').on(t.revision)],
)

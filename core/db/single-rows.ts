/** Tables of one row each. */
import { integer, sqliteTable, text } from 'drizzle-orm/sqlite-core'

/** Triggers raise `revision` at every change of users, keys or grants, so that each process reloads its key cache. */
export const keyRevision = sqliteTable('directory', {
  id: integer().primaryKey(),
  revision: integer().notNull(),
})

/** The random id that tells this database from others. A copy of the database, such as a backup, has the same id. */
export const databaseIdentity = sqliteTable('database_identity', {
  id: integer().primaryKey(),
  /** 16 hexadecimal digits. */
  identity: text().notNull(),
})

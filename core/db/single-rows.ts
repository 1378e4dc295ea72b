/** Tables of one row each. */
import { integer, sqliteTable, text } from 'drizzle-orm/sqlite-core'

/** The random id that tells this database from others. A copy of the database, such as a backup, has the same id. */
export const databaseIdentity = sqliteTable('database_identity', {
  id: integer().primaryKey(),
  /** 16 hexadecimal digits. */
  identity: text().notNull(),
})

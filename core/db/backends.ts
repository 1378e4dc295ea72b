/** Backends that administrators added beside those of the configuration file. */
import { integer, sqliteTable, text } from 'drizzle-orm/sqlite-core'

export const storedBackends = sqliteTable('backends', {
  name: text().primaryKey(),
  /** JSON in the words of the configuration file, without any setting that may hold a secret. */
  settings: text().notNull(),
  /** JSON of the other settings, sealed by core/secrets for the purpose `backend:NAME`. */
  secrets: text().notNull(),
  updatedAt: integer('updated_at').notNull(),
  /** Who wrote it last: the id of a user; null for the command line. */
  updatedBy: integer('updated_by'),
})

/** One row, whose `revision` triggers raise at each change of a stored backend, whoever makes it. */
export const backendRevision = sqliteTable('backend_revision', {
  id: integer().primaryKey(),
  revision: integer().notNull(),
})

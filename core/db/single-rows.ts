/** Tables of one row each. */
import { integer, sqliteTable, text } from 'drizzle-orm/sqlite-core'

/** The random id that tells this database from others. A copy of the database, such as a backup, has the same id. */
export const databaseIdentity = sqliteTable('database_identity', {
  id: integer().primaryKey(),
  /** 16 hexadecimal digits. */
  identity: text().notNull(),
})

/** How limits were counted last. */
export const limitState = sqliteTable('limit_state', {
  id: integer().primaryKey(),
  /** limits.time_zone, by which the periods of limit_spent begin. */
  timeZone: text('time_zone').notNull(),
  /** limits.period; null before the first start. */
  period: text({ enum: ['daily', 'weekly', 'monthly', 'total'] }),
  /** Whether users.budget_micros, which earlier releases used, were made spend limits. */
  budgetsMoved: integer('budgets_moved', { mode: 'boolean' }).notNull(),
})

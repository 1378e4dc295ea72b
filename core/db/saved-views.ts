/** What of a page people look at again and again, by the address that they gave a name. */
import { index, integer, sqliteTable, text } from 'drizzle-orm/sqlite-core'
import { users } from './users.ts'

export const VIEW_PAGES = ['/explore', '/usage', '/admin/explore', '/admin/usage'] as const

export const savedViews = sqliteTable(
  'saved_views',
  {
    id: integer().primaryKey({ autoIncrement: true }),
    userId: integer('user_id')
      .notNull()
      .references(() => users.id),
    page: text({ enum: VIEW_PAGES }).notNull(),
    name: text().notNull(),
    /** The query of the page's address, without `?`. */
    query: text().notNull(),
    /** Whether others who may read the page find it, too. */
    shared: integer({ mode: 'boolean' }).notNull(),
    createdAt: integer('created_at').notNull(),
    updatedAt: integer('updated_at').notNull(),
  },
  (t) => [
    index('saved_views_user').on(t.userId, t.page),
    index('saved_views_shared').on(t.page, t.shared, t.id),
  ],
)

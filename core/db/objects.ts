/** The table of what exists in one upstream account only. */
import { index, integer, sqliteTable, text, uniqueIndex } from 'drizzle-orm/sqlite-core'

export const OBJECT_KINDS = ['container', 'thread', 'file', 'skill', 'message'] as const
/** What exists in one upstream account only. A thread goes by the id of its last message. */
export type ObjectKind = (typeof OBJECT_KINDS)[number]

/** What an answer made known, or an operator. `expiresAt`: ms since 1970; null = never. */
export interface MadeObject {
  kind: ObjectKind
  id: string
  expiresAt: number | null
}

/** Containers, files, threads and the like, by the ids that an answer or an operator made known, with their owners. */
export const upstreamObjects = sqliteTable(
  'upstream_objects',
  {
    /** Only an order: the newest have the highest. */
    rowId: integer('row_id').primaryKey({ autoIncrement: true }),
    kind: text({ enum: OBJECT_KINDS }).notNull(),
    id: text().notNull(),
    /** Name of the backend whose account holds it. */
    backend: text().notNull(),
    userId: integer('user_id').notNull(),
    /** The group it belongs to; null while there are none. */
    groupId: integer('group_id'),
    createdAt: integer('created_at').notNull(),
    /** From then on nobody asks for it any more; null = never. */
    expiresAt: integer('expires_at'),
  },
  (t) => [
    uniqueIndex('upstream_objects_id').on(t.kind, t.id),
    index('upstream_objects_user').on(t.userId, t.rowId),
    index('upstream_objects_expires').on(t.expiresAt),
  ],
)

/** The table of objects that exist in one upstream account only. */
import { index, integer, sqliteTable, text, uniqueIndex } from 'drizzle-orm/sqlite-core'

export const OBJECT_KINDS = ['container', 'thread', 'file', 'skill', 'message', 'batch'] as const
/** Kinds of objects that exist in one upstream account only. A thread has the id of its last message. */
export type ObjectKind = (typeof OBJECT_KINDS)[number]

/** An object that an answer created or an operator registered. `expiresAt`: ms since 1970; null = never. */
export interface MadeObject {
  kind: ObjectKind
  id: string
  expiresAt: number | null
}

/** Upstream objects with the user they belong to and the backend that has them. */
export const upstreamObjects = sqliteTable(
  'upstream_objects',
  {
    /** Gives the order only: newer rows have higher ids. */
    rowId: integer('row_id').primaryKey({ autoIncrement: true }),
    kind: text({ enum: OBJECT_KINDS }).notNull(),
    id: text().notNull(),
    /** Name of the backend whose account holds it. */
    backend: text().notNull(),
    userId: integer('user_id').notNull(),
    /** Reserved for groups; always null. */
    groupId: integer('group_id'),
    createdAt: integer('created_at').notNull(),
    /** When it expires upstream (ms since 1970); null = never. */
    expiresAt: integer('expires_at'),
  },
  (t) => [
    uniqueIndex('upstream_objects_id').on(t.kind, t.id),
    index('upstream_objects_user').on(t.userId, t.rowId),
    index('upstream_objects_expires').on(t.expiresAt),
  ],
)

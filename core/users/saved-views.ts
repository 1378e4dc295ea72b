/** Views of a page that people gave a name. What one shows is decided by the rights of who opens it. */
import { and, desc, eq, isNull, ne, sql } from 'drizzle-orm'
import { savedViews } from '../db/saved-views.ts'
import { users } from '../db/schema.ts'
import { nothingHere, Refusal } from '../errors.ts'
import type { Clock, Db } from '../ports.ts'

/** How many views somebody may have, of all pages together. */
export const MOST_VIEWS = 50
/** How many of others' are listed. */
const MOST_SHARED = 100

type Row = typeof savedViews.$inferSelect
export type SavedView = Pick<Row, 'id' | 'page' | 'name' | 'query' | 'shared'>
/** Somebody else's, with their account name. */
export interface SharedView extends Pick<Row, 'id' | 'name' | 'query'> {
  sharedBy: string
}
type Wanted = Omit<SavedView, 'id'>

const { id, page, name, query, shared } = savedViews
const COLUMNS = { id, page, name, query, shared }

/**
 * One's own views of a page by name, and those that others share: first the newest of each person, then everybody's second, so
 * that whoever shares many keeps nobody else's off the list.
 */
export async function viewsOf(
  db: Db,
  userId: number,
  of: Row['page'],
): Promise<{ own: SavedView[]; others: SharedView[] }> {
  const own = await db
    .select(COLUMNS)
    .from(savedViews)
    .where(and(eq(savedViews.userId, userId), eq(page, of)))
    .orderBy(sql`name collate nocase`, id)
  const others = await db
    .select({ id, name, query, sharedBy: users.itcode })
    .from(savedViews)
    .innerJoin(users, and(eq(users.id, savedViews.userId), isNull(users.deletedAt)))
    .where(and(eq(page, of), eq(shared, true), ne(savedViews.userId, userId)))
    .orderBy(sql`row_number() over (partition by ${savedViews.userId} order by ${id} desc)`, desc(id))
    .limit(MOST_SHARED)
  return { own, others }
}

/** Throws a Refusal conflict for somebody who has as many as there may be. */
export async function createView(
  { db, clock }: { db: Db; clock: Clock },
  userId: number,
  wanted: Wanted,
): Promise<SavedView> {
  const now = clock.now()
  // Counted in the same statement, so that none too many is made at the same moment.
  const [made] = await db.all<{ id: number }>(sql`
    insert into saved_views (user_id, page, name, query, shared, created_at, updated_at)
    select ${userId}, ${wanted.page}, ${wanted.name}, ${wanted.query}, ${wanted.shared ? 1 : 0}, ${now}, ${now}
      where (select count(*) from saved_views where user_id = ${userId}) < ${MOST_VIEWS}
    returning id`)
  if (!made) {
    throw new Refusal('conflict', `You have ${MOST_VIEWS} saved views already, so remove one first.`)
  }
  return { id: made.id, ...wanted }
}

/** Throws a Refusal not_found for what is not theirs. */
export async function changeView(
  { db, clock }: { db: Db; clock: Clock },
  userId: number,
  viewId: number,
  change: { name?: string | undefined; query?: string | undefined; shared?: boolean | undefined },
): Promise<SavedView> {
  const [changed] = await db
    .update(savedViews)
    .set({ ...change, updatedAt: clock.now() })
    .where(and(eq(id, viewId), eq(savedViews.userId, userId)))
    .returning(COLUMNS)
  if (!changed) throw nothingHere()
  return changed
}

/** Throws a Refusal not_found for what is not theirs. */
export async function removeView(db: Db, userId: number, viewId: number): Promise<void> {
  const removed = await db
    .delete(savedViews)
    .where(and(eq(id, viewId), eq(savedViews.userId, userId)))
    .returning({ id })
  if (removed.length === 0) throw nothingHere()
}

/** Reads applications for models that need approval. */
import { and, desc, eq, sql } from 'drizzle-orm'
import { alias } from 'drizzle-orm/sqlite-core'
import { applications, grants, users } from '../db/schema.ts'
import { nothingHere, Refusal } from '../errors.ts'
import type { Db } from '../ports.ts'
import { mayDecide } from './may-decide.ts'

export type Application = typeof applications.$inferSelect & { itcode: string; grantId: number | null }
export type ApplicationStatus = Application['status']

const MOST_LISTED = 500

/**
 * Up to 500 applications, pending ones first, then the newest; only those of `userId`, or those that `decidedBy` may decide, if
 * they are given.
 */
export async function listApplications(
  db: Db,
  filter: {
    id?: number
    userId?: number | undefined
    status?: ApplicationStatus | undefined
    decidedBy?: number | null | undefined
  },
): Promise<Application[]> {
  const { id, userId, status, decidedBy } = filter
  const one = id === undefined ? undefined : eq(applications.id, id)
  const theirs = decidedBy === undefined ? undefined : mayDecide(decidedBy, sql`applications.user_id`)
  const mine = userId === undefined ? undefined : eq(applications.userId, userId)
  const inStatus = status === undefined ? undefined : eq(applications.status, status)
  const pendingFirst = desc(sql`${applications.status} = 'pending'`)
  return select(db)
    .where(and(one, mine, inStatus, theirs))
    .orderBy(pendingFirst, desc(applications.id))
    .limit(MOST_LISTED)
}

/** Throws a Refusal not_found. */
export async function applicationOf(db: Db, id: number): Promise<Application> {
  const [found] = await select(db).where(eq(applications.id, id))
  if (!found) throw nothingHere()
  return found
}

export function decidedAlready(): Refusal {
  return new Refusal('conflict', 'This application is decided already.')
}

function select(db: Db) {
  const owners = alias(users, 'owners')
  return db
    .select({
      id: applications.id,
      userId: applications.userId,
      model: applications.model,
      reason: applications.reason,
      status: applications.status,
      reviewerId: applications.reviewerId,
      reviewNote: applications.reviewNote,
      createdAt: applications.createdAt,
      updatedAt: applications.updatedAt,
      itcode: owners.itcode,
      grantId: grants.id,
    })
    .from(applications)
    .innerJoin(owners, eq(owners.id, applications.userId))
    .leftJoin(grants, eq(grants.applicationId, applications.id))
    .$dynamic()
}

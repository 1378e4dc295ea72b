/** Deciding applications. Approval inserts the grant in the same batch; calls need the grant, not the application. */
import { and, eq, notExists, or, sql } from 'drizzle-orm'
import { type Actor, auditIfChanged } from '../audit/record.ts'
import { applications, grants, users } from '../db/schema.ts'
import { nothingHere, Refusal } from '../errors.ts'
import type { Clock, Db } from '../ports.ts'
import type { Prices } from '../pricing/prices.ts'
import { type Application, applicationOf, decidedAlready } from './list.ts'

interface Parts {
  db: Db
  clock: Clock
  actor: Actor
}

export interface Review {
  reviewerId: number
  status: 'approved' | 'rejected'
  note: string | null
}

/**
 * Decides a pending application. The grant has the model's canonical name, so that it holds for every spelling. Nobody
 * decides their own unless they are the only admin. Throws a Refusal: not_found, own_application, or conflict when decided.
 */
export async function review(
  { db, clock, actor, prices }: Parts & { prices: Prices },
  id: number,
  given: Review,
): Promise<Application> {
  const { reviewerId, status, note } = given
  const { model, userId } = await applicationOf(db, id)
  const now = clock.now()
  const isAdmin = and(eq(users.role, 'admin'), eq(users.status, 'active'))
  const otherAdmins = db
    .select({ id: users.id })
    .from(users)
    .where(and(isAdmin, sql`${users.id} <> ${reviewerId}`))
  const notOwn = or(sql`${applications.userId} <> ${reviewerId}`, notExists(otherAdmins))
  const [reviewed] = await db.batch([
    db
      .update(applications)
      .set({ status, reviewerId, reviewNote: note, updatedAt: now })
      .where(and(eq(applications.id, id), eq(applications.status, 'pending'), notOwn))
      .returning({ id: applications.id }),
    auditIfChanged(db, {
      actor,
      at: now,
      action: `application.${status === 'approved' ? 'approve' : 'reject'}`,
      target: `application:${id}`,
      after: { user_id: userId, model, status, note },
    }),
    db.run(sql`
      insert into grants (user_id, model, application_id, granted_by, created_at)
      select user_id, ${prices.canonical(model)}, id, ${reviewerId}, ${now} from applications
      where id = ${id} and status = 'approved' and changes() > 0
      on conflict (user_id, model) do update set application_id = excluded.application_id`),
  ])
  if (reviewed.length > 0) return applicationOf(db, id)
  if ((await applicationOf(db, id)).status !== 'pending') throw decidedAlready()
  throw new Refusal('own_application', 'Another administrator has to decide your own application.')
}

/** Revokes a grant from the next request on. Throws a Refusal not_found. */
export async function revokeGrant({ db, clock, actor }: Parts, id: number): Promise<void> {
  const [grant] = await db.select().from(grants).where(eq(grants.id, id))
  if (!grant) throw nothingHere()
  const [gone] = await db.batch([
    db.delete(grants).where(eq(grants.id, id)).returning({ id: grants.id }),
    auditIfChanged(db, {
      actor,
      at: clock.now(),
      action: 'grant.revoke',
      target: `grant:${id}`,
      before: { user_id: grant.userId, model: grant.model },
    }),
  ])
  if (gone.length === 0) throw nothingHere()
}

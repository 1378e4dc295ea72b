/** Deciding applications. Approval inserts the grant in the same batch; calls need the grant, not the application. */
import { and, eq, sql } from 'drizzle-orm'
import { type Actor, auditIfChanged } from '../audit/record.ts'
import { applications, grants } from '../db/schema.ts'
import { nothingHere, Refusal } from '../errors.ts'
import { noticeIfChanged } from '../notices/outbox.ts'
import type { Clock, Db } from '../ports.ts'
import type { Prices } from '../pricing/prices.ts'
import { type Application, applicationOf, decidedAlready, listApplications } from './list.ts'
import { mayDecide } from './may-decide.ts'

interface Parts {
  db: Db
  clock: Clock
  actor: Actor
}

export interface Review {
  /** null = the command line, which may decide everything. */
  reviewerId: number | null
  status: 'approved' | 'rejected'
  note: string | null
}

/**
 * Decides a pending application. The grant has the model's canonical name, so that it holds for every spelling. Nobody
 * decides their own unless they are the only admin. Throws a Refusal: not_found, also for whoever may not decide it;
 * own_application; or conflict when decided.
 */
export async function review(
  { db, clock, actor, prices }: Parts & { prices: Prices },
  id: number,
  given: Review,
): Promise<Application> {
  const { reviewerId, status, note } = given
  const { model, userId } = await applicationOf(db, id)
  const now = clock.now()
  const allowed = mayDecide(reviewerId, sql`applications.user_id`)
  const [reviewed] = await db.batch([
    db
      .update(applications)
      .set({ status, reviewerId, reviewNote: note, updatedAt: now })
      .where(and(eq(applications.id, id), eq(applications.status, 'pending'), allowed))
      .returning({ id: applications.id }),
    auditIfChanged(db, {
      actor,
      at: now,
      action: `application.${status === 'approved' ? 'approve' : 'reject'}`,
      target: `application:${id}`,
      after: { user_id: userId, model, status, note },
    }),
    noticeIfChanged(db, { event: 'application.decided', data: { id }, key: String(id), at: now }),
    db.run(sql`
      insert into grants (user_id, model, application_id, granted_by, created_at)
      select user_id, ${prices.canonical(model)}, id, ${reviewerId}, ${now} from applications
      where id = ${id} and status = 'approved' and changes() > 0
      on conflict (user_id, model) do update set application_id = excluded.application_id`),
  ])
  if (reviewed.length > 0) return applicationOf(db, id)
  const { status: present } = await applicationOf(db, id)
  const mine = userId === reviewerId
  if (!mine && (await listApplications(db, { id, decidedBy: reviewerId })).length === 0) throw nothingHere()
  if (present !== 'pending') throw decidedAlready()
  throw new Refusal('own_application', 'Somebody else has to decide your own application.')
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

/** Applications for models that need approval. Approving makes the grant in the same batch; grants decide on calls. */
import { and, desc, eq, notExists, or, sql } from 'drizzle-orm'
import { alias } from 'drizzle-orm/sqlite-core'
import { type Actor, auditIfChanged } from '../audit/record.ts'
import { applications, grants, users } from '../db/schema.ts'
import { Refusal } from '../errors.ts'
import { accessOf, replacementFor } from '../models/access.ts'
import type { Clock, Db } from '../ports.ts'
import type { Prices } from '../pricing/prices.ts'
import type { Settings } from '../settings.ts'

export type Application = typeof applications.$inferSelect & { itcode: string; grantId: number | null }
export type ApplicationStatus = Application['status']

const MOST_PENDING = 20
const MOST_LISTED = 500

interface Parts {
  db: Db
  clock: Clock
  actor: Actor
}

/**
 * Asks for a model; another name of it asks for the model that is sent instead. Throws a Refusal: invalid_input for one
 * that is not offered, conflict when there is nothing to ask.
 */
export async function apply(
  parts: Parts & { settings: Settings; prices: Prices },
  wanted: { userId: number; model: string; reason: string },
): Promise<Application> {
  const { db, clock, actor, settings, prices } = parts
  const { userId, reason } = wanted
  const model = replacementFor(settings, wanted.model)
  const canonical = prices.canonical(model)
  const access = accessOf(settings, model, canonical)
  if (access === 'closed') {
    const problem = 'this model is not offered here'
    throw new Refusal('invalid_input', `model: ${problem}.`, { fields: { model: problem } })
  }
  if (access === 'open') throw new Refusal('conflict', `The model ${model} is open to everyone.`)
  const granted = and(eq(grants.userId, userId), eq(grants.model, canonical))
  if ((await db.select().from(grants).where(granted)).length > 0) {
    throw new Refusal('conflict', `You may use the model ${model} already.`)
  }
  const now = clock.now()
  const pending = await listApplications(db, { userId, status: 'pending' })
  if (pending.some((other) => prices.canonical(other.model) === canonical)) {
    throw new Refusal('conflict', `Your application for ${model} is pending already.`)
  }
  // The unique index over pending ones makes a second one impossible; the count is in the statement for the same reason.
  const [inserted] = await db.batch([
    db.all<{ id: number }>(sql`
      insert into applications (user_id, model, reason, status, created_at, updated_at)
      select ${userId}, ${model}, ${reason}, 'pending', ${now}, ${now}
      where (select count(*) from applications where user_id = ${userId} and status = 'pending') < ${MOST_PENDING}
      on conflict do nothing returning id`),
    auditIfChanged(db, { actor, at: now, action: 'application.create', target: `model:${model}` }),
  ])
  const id = inserted[0]?.id
  if (id === undefined) {
    throw new Refusal(
      'conflict',
      `You have ${MOST_PENDING} pending applications already, or one for ${model}.`,
    )
  }
  return applicationOf(db, id)
}

/** Applications, pending ones first, then the newest; `userId` narrows them to one user's. */
export async function listApplications(
  db: Db,
  filter: { userId?: number | undefined; status?: ApplicationStatus | undefined },
): Promise<Application[]> {
  const { userId, status } = filter
  const mine = userId === undefined ? undefined : eq(applications.userId, userId)
  const inStatus = status === undefined ? undefined : eq(applications.status, status)
  const pendingFirst = desc(sql`${applications.status} = 'pending'`)
  return select(db).where(and(mine, inStatus)).orderBy(pendingFirst, desc(applications.id)).limit(MOST_LISTED)
}

/** Takes a pending application of one's own back. Throws a Refusal: not_found, or conflict when it is decided. */
export async function withdraw(
  { db, clock, actor }: Parts,
  userId: number,
  id: number,
): Promise<Application> {
  const mine = and(eq(applications.id, id), eq(applications.userId, userId))
  const now = clock.now()
  const [withdrawn] = await db.batch([
    db
      .update(applications)
      .set({ status: 'withdrawn', updatedAt: now })
      .where(and(mine, eq(applications.status, 'pending')))
      .returning({ id: applications.id }),
    auditIfChanged(db, { actor, at: now, action: 'application.withdraw', target: `application:${id}` }),
  ])
  if (withdrawn.length > 0) return applicationOf(db, id)
  const [seen] = await db.select().from(applications).where(mine)
  throw seen ? decided() : unknown()
}

export interface Review {
  reviewerId: number
  status: 'approved' | 'rejected'
  note: string | null
}

/**
 * Decides a pending application. A grant is for the model's canonical name, so that it holds for every spelling. Nobody
 * decides their own, unless they are the only admin. Throws a Refusal: not_found, own_application, or conflict when decided.
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
  if ((await applicationOf(db, id)).status !== 'pending') throw decided()
  throw new Refusal('own_application', 'Another administrator has to decide your own application.')
}

/** Takes a granted model away, from the next request on. Throws a Refusal not_found. */
export async function revokeGrant({ db, clock, actor }: Parts, id: number): Promise<void> {
  const [grant] = await db.select().from(grants).where(eq(grants.id, id))
  const [gone] = await db.batch([
    db.delete(grants).where(eq(grants.id, id)).returning({ id: grants.id }),
    auditIfChanged(db, {
      actor,
      at: clock.now(),
      action: 'grant.revoke',
      target: `grant:${id}`,
      before: { user_id: grant?.userId, model: grant?.model },
    }),
  ])
  if (gone.length === 0) throw unknown()
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

async function applicationOf(db: Db, id: number): Promise<Application> {
  const [found] = await select(db).where(eq(applications.id, id))
  if (!found) throw unknown()
  return found
}

function unknown(): Refusal {
  return new Refusal('not_found', 'There is nothing at this address.')
}

function decided(): Refusal {
  return new Refusal('conflict', 'This application is decided already.')
}

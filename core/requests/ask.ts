/** Applying for a model that needs approval, and withdrawing the application. */
import { and, eq, sql } from 'drizzle-orm'
import { type Actor, auditIfChanged } from '../audit/record.ts'
import { applications, grants } from '../db/schema.ts'
import { invalidField, nothingHere, Refusal } from '../errors.ts'
import { accessOf, replacementFor } from '../models/access.ts'
import { noticeOfInserted } from '../notices/outbox.ts'
import { modelsFor } from '../organisation/models.ts'
import type { Clock, Db } from '../ports.ts'
import type { Prices } from '../pricing/prices.ts'
import { problem } from '../problems.ts'
import type { Settings } from '../settings.ts'
import { type Application, applicationOf, decidedAlready, listApplications } from './list.ts'
import { assertNotOften, oftenSince } from './often.ts'

const MOST_PENDING = 20

interface Parts {
  db: Db
  clock: Clock
  actor: Actor
}

/**
 * Applies for a model, or for the one that replaces it (settings.modelReplacements). Throws a Refusal: invalid_input for a
 * closed model; conflict if it is open, granted or applied for already, or if too many applications are pending;
 * rate_limited.
 */
export async function apply(
  parts: Parts & { settings: Settings; prices: Prices },
  wanted: { userId: number; model: string; reason: string },
): Promise<Application> {
  const { db, clock, actor, settings, prices } = parts
  const { userId, reason } = wanted
  const model = replacementFor(settings, wanted.model)
  const canonical = prices.canonical(model)
  const access = accessOf(settings, await modelsFor(db, userId), model, canonical)
  if (access === 'closed') throw invalidField('model', problem('model_closed'))
  if (access === 'open') throw new Refusal('conflict', `The model ${model} is open to you already.`)
  const granted = and(eq(grants.userId, userId), eq(grants.model, canonical))
  if ((await db.select().from(grants).where(granted)).length > 0) {
    throw new Refusal('conflict', `You may use the model ${model} already.`)
  }
  const now = clock.now()
  const pending = await listApplications(db, { userId, status: 'pending' })
  if (pending.some((other) => prices.canonical(other.model) === canonical)) {
    throw new Refusal('conflict', `Your application for ${model} is pending already.`)
  }
  // A unique index and the count inside the statement hold against parallel requests.
  const [inserted] = await db.batch([
    db.all<{ id: number }>(sql`
      insert into applications (user_id, model, reason, status, created_at, updated_at)
      select ${userId}, ${model}, ${reason}, 'pending', ${now}, ${now}
      where (select count(*) from applications where user_id = ${userId} and status = 'pending') < ${MOST_PENDING}
        and ${oftenSince('applications', { userId, now })} is null
      on conflict do nothing returning id`),
    noticeOfInserted(db, { event: 'application.made', at: now }),
    auditIfChanged(db, { actor, at: now, action: 'application.create', target: `model:${model}` }),
  ])
  const id = inserted[0]?.id
  if (id === undefined) {
    await assertNotOften(db, 'applications', { userId, now })
    throw new Refusal(
      'conflict',
      `You have ${MOST_PENDING} pending applications already, or one for ${model}.`,
    )
  }
  return applicationOf(db, id)
}

/** Withdraws the user's own pending application. Throws a Refusal: not_found, or conflict when it is decided. */
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
  throw seen ? decidedAlready() : nothingHere()
}

/** Increase requests: people ask for a higher spend limit of their own. */
import { and, desc, eq, getTableColumns, type SQL, sql } from 'drizzle-orm'
import { type Actor, auditIfChanged } from '../audit/record.ts'
import { increaseRequests, users } from '../db/schema.ts'
import { invalidField, nothingHere, Refusal } from '../errors.ts'
import { capsOf } from '../limits/caps.ts'
import { grantingLimit, rememberedLimit } from '../limits/person-limit.ts'
import { listSpendLimits } from '../limits/spend-limit.ts'
import { noticeIfChanged, noticeOfInserted } from '../notices/outbox.ts'
import type { Clock, Db } from '../ports.ts'
import { problem } from '../problems.ts'
import type { Period, Settings } from '../settings.ts'
import { timeText, usdOf } from '../units.ts'
import { mayDecide, mayGrant } from './may-decide.ts'
import { assertNotOften, oftenSince } from './often.ts'

export type IncreaseRequest = Omit<typeof increaseRequests.$inferSelect, 'limitBefore'> & { itcode: string }

const MOST_LISTED = 500

interface Parts {
  db: Db
  clock: Clock
  actor: Actor
}

/**
 * Asks for `amountMicros` per period. Throws a Refusal: invalid_input unless that is more than their limit; conflict if they
 * have no limit of that period, or a request for it is pending; rate_limited.
 */
export async function askForIncrease(
  { db, clock, actor, settings }: Parts & { settings: Pick<Settings, 'limits'> },
  wanted: { userId: number; period: Period; amountMicros: number; reason: string },
): Promise<IncreaseRequest> {
  const { userId, period, amountMicros, reason } = wanted
  const now = clock.now()
  const caps = (await capsOf({ db, settings }, [userId], now)).get(userId) ?? []
  const cap = caps.find((one) => one.period === period)
  if (!cap || cap.micros === null)
    throw new Refusal('conflict', `You have no ${period} limit that could be raised.`)
  if (amountMicros <= cap.micros) {
    throw invalidField('amount_usd', problem('above_limit', { usd: usdOf(cap.micros) }))
  }
  const [inserted] = await db.batch([
    db.all<{ id: number }>(sql`
      insert into increase_requests (user_id, period, amount_micros, reason, status, created_at, updated_at)
      select ${userId}, ${period}, ${amountMicros}, ${reason}, 'pending', ${now}, ${now}
      where ${oftenSince('increase_requests', { userId, now })} is null
      on conflict do nothing returning id`),
    noticeOfInserted(db, { event: 'increase.made', at: now }),
    auditIfChanged(db, {
      actor,
      at: now,
      action: 'request.create',
      target: `limit:user:${userId}:${period}`,
      after: { user_id: userId, period, amount_usd: usdOf(amountMicros) },
    }),
  ])
  const id = inserted[0]?.id
  if (id === undefined) {
    await assertNotOften(db, 'increase_requests', { userId, now })
    throw new Refusal('conflict', `Your request for a ${period} limit is pending already.`)
  }
  return increaseOf(db, id)
}

/** Takes the user's own pending request back. Throws a Refusal: not_found, or conflict when it is decided. */
export async function withdrawIncrease(
  { db, clock, actor }: Parts,
  userId: number,
  id: number,
): Promise<IncreaseRequest> {
  const mine = and(eq(increaseRequests.id, id), eq(increaseRequests.userId, userId))
  const now = clock.now()
  const [withdrawn] = await db.batch([
    db
      .update(increaseRequests)
      .set({ status: 'withdrawn', updatedAt: now })
      .where(and(mine, eq(increaseRequests.status, 'pending')))
      .returning({ id: increaseRequests.id }),
    auditIfChanged(db, { actor, at: now, action: 'request.withdraw', target: `request:${id}` }),
  ])
  if (withdrawn.length > 0) return increaseOf(db, id)
  const [seen] = await db.select().from(increaseRequests).where(mine)
  throw seen ? decided() : nothingHere()
}

export interface IncreaseDecision {
  /** null = the command line, which may decide everything. */
  reviewerId: number | null
  status: 'approved' | 'rejected'
  note: string | null
  /** Micro-dollars; undefined = what was asked for. */
  amountMicros?: number | undefined
  /** Ms since 1970; undefined = for good. */
  until?: number | undefined
  /** That the amount is granted for; undefined = the one that was asked for. */
  period?: Period | undefined
}

/**
 * Decides a pending request. Approved, it is the person's own limit from the next request on. Throws a Refusal: not_found, also
 * for whoever may not decide it; own_application; invalid_input for more than a lead may give and for less than the person
 * has; conflict when it is decided.
 */
export async function decideIncrease(
  parts: Parts & { settings: Pick<Settings, 'limits'> },
  id: number,
  given: IncreaseDecision,
): Promise<IncreaseRequest> {
  const { db, clock, actor } = parts
  const { reviewerId, status, note, until = null } = given
  const request = await increaseOf(db, id)
  const { userId } = request
  const period = given.period ?? request.period
  const now = clock.now()
  if (until !== null && until <= now) throw invalidField('until', problem('future'))
  const isApproved = status === 'approved'
  const micros = given.amountMicros ?? request.amountMicros
  const owner = sql`increase_requests.user_id`
  const grant = {
    micros,
    period,
    until,
    now,
    mayLower: reviewerId === null && given.amountMicros !== undefined,
  }
  const allowed = isApproved ? mayGrant(reviewerId, owner, grant) : mayDecide(reviewerId, owner)
  const event = { actor, at: now, target: `request:${id}` }
  const granted = { granted_usd: usdOf(micros), granted_until: until === null ? null : timeText(until) }
  const after = { user_id: userId, period, note }
  const condition = sql`changes() > 0`
  if (isApproved) await assertRaises(parts, given, { request, micros, period })
  const [reviewed] = await db.batch([
    db
      .update(increaseRequests)
      .set({
        status,
        reviewerId,
        reviewNote: note,
        updatedAt: now,
        ...(isApproved ? { grantedMicros: micros, grantedUntil: until } : {}),
        limitBefore: isApproved ? rememberedLimit(owner, period) : null,
      })
      .where(and(eq(increaseRequests.id, id), eq(increaseRequests.status, 'pending'), allowed))
      .returning({ id: increaseRequests.id }),
    auditIfChanged(
      db,
      isApproved
        ? { ...event, action: 'request.approve', after: { ...after, ...granted } }
        : { ...event, action: 'request.reject', after },
    ),
    ...(isApproved
      ? [grantingLimit(db, { userId }, { micros, period, until, raises: true }, { now, condition })]
      : []),
    noticeIfChanged(db, { event: 'increase.decided', data: { id }, key: String(id), at: now }),
  ])
  if (reviewed.length > 0) return increaseOf(db, id)
  // Somebody else may have raised it meanwhile.
  if (isApproved) await assertRaises(parts, given, { request, micros, period })
  throw await whyNot(db, id, reviewerId)
}

/**
 * An approval takes nothing away: the limit may have been raised since it was asked for, and a lead gives limits only. Programs
 * and the command line may name any amount. Throws a Refusal invalid_input.
 */
async function assertRaises(
  { db, clock, settings }: Parts & { settings: Pick<Settings, 'limits'> },
  { reviewerId, amountMicros, until }: IncreaseDecision,
  { request, micros, period }: { request: IncreaseRequest; micros: number; period: Period },
): Promise<void> {
  if (reviewerId === null && amountMicros !== undefined) return
  const [seen] = await listIncreases(db, { id: request.id, decidedBy: reviewerId })
  if (seen?.status !== 'pending') return
  const { userId } = request
  const own = await listSpendLimits(db, { scope: 'user', scopeId: userId })
  // What is temporary and higher stays beside an amount for good, which has to raise what comes after it.
  const ends = own.find((limit) => limit.period === period)?.temporaryUntil ?? 0
  const at = until === undefined ? Math.max(clock.now(), ends) : clock.now()
  const caps = (await capsOf({ db, settings }, [userId], at)).get(userId) ?? []
  const present = caps.find((cap) => cap.period === period)?.micros ?? null
  if (present === null) throw invalidField('amount_usd', problem('no_limit_to_raise'))
  if (micros < present) throw invalidField('amount_usd', problem('below_limit', { usd: usdOf(present) }))
}

async function whyNot(db: Db, id: number, reviewerId: number | null): Promise<Refusal> {
  const { userId, status } = await increaseOf(db, id)
  const seen = await listIncreases(db, { id, decidedBy: reviewerId })
  if (userId === reviewerId && status === 'pending') return ownRequest()
  if (seen.length === 0) return nothingHere()
  if (status !== 'pending') return decided()
  return invalidField('amount_usd', problem('above_lead'))
}

/** Up to 500 requests, pending ones first, then the newest; `decidedBy`: those that this user may decide. */
export function listIncreases(
  db: Db,
  filter: {
    id?: number
    userId?: number | undefined
    status?: IncreaseRequest['status'] | undefined
    decidedBy?: number | null | undefined
  },
): Promise<IncreaseRequest[]> {
  const { id, userId, status, decidedBy } = filter
  const conditions: (SQL | undefined)[] = [
    id === undefined ? undefined : eq(increaseRequests.id, id),
    userId === undefined ? undefined : eq(increaseRequests.userId, userId),
    status === undefined ? undefined : eq(increaseRequests.status, status),
    decidedBy === undefined ? undefined : mayDecide(decidedBy, sql`increase_requests.user_id`),
  ]
  const pendingFirst = desc(sql`${increaseRequests.status} = 'pending'`)
  return select(db)
    .where(and(...conditions))
    .orderBy(pendingFirst, desc(increaseRequests.id))
    .limit(MOST_LISTED)
}

/** Throws a Refusal not_found. */
async function increaseOf(db: Db, id: number): Promise<IncreaseRequest> {
  const [found] = await select(db).where(eq(increaseRequests.id, id))
  if (!found) throw nothingHere()
  return found
}

function ownRequest(): Refusal {
  return new Refusal('own_application', 'Somebody else has to decide your own request.')
}

function decided(): Refusal {
  return new Refusal('conflict', 'This request is decided already.')
}

function select(db: Db) {
  const { limitBefore: _, ...told } = getTableColumns(increaseRequests)
  return db
    .select({ ...told, itcode: users.itcode })
    .from(increaseRequests)
    .innerJoin(users, eq(users.id, increaseRequests.userId))
    .$dynamic()
}

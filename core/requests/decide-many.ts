/** Deciding many at once, and taking decisions back for a moment. */
import { sql } from 'drizzle-orm'
import { type Actor, auditIfChanged } from '../audit/record.ts'
import { nothingHere, Refusal } from '../errors.ts'
import { restoringLimit } from '../limits/person-limit.ts'
import type { Clock, Db } from '../ports.ts'
import type { Prices } from '../pricing/prices.ts'
import type { Settings } from '../settings.ts'
import { review } from './decide.ts'
import { decideIncrease } from './increases.ts'
import { mayDecide } from './may-decide.ts'
import type { QueueRef } from './queue.ts'

export interface Outcome extends QueueRef {
  /** Why it was not done. */
  refusal: Refusal | undefined
}

interface Parts {
  db: Db
  clock: Clock
  actor: Actor
}

/** Decides each by itself: limits are raised to what was asked for. The refusals are those of `review` and `decideIncrease`. */
export function decideMany(
  parts: Parts & { prices: Prices; settings: Pick<Settings, 'limits'> },
  items: readonly QueueRef[],
  decision: { reviewerId: number; status: 'approved' | 'rejected'; note: string | null },
): Promise<Outcome[]> {
  return each(items, ({ kind, id }) =>
    kind === 'application' ? review(parts, id, decision) : decideIncrease(parts, id, decision),
  )
}

/** How long a decision can be taken back: what a page offers for ten seconds, on the slowest of networks. */
const UNDO_MS = 60_000

/**
 * Takes decisions of `reviewerId` back that are younger than a minute, so that they wait again. Refusals: not_found for what
 * somebody else decided or nobody did; conflict for what can no longer be taken back, also where a limit that was raised was
 * changed since.
 */
export function reopenMany(parts: Parts, items: readonly QueueRef[], reviewerId: number): Promise<Outcome[]> {
  return each(items, (item) => reopen(parts, item, reviewerId))
}

/** Rejected; or approved, and the limit is still the one that was set with it. */
const IS_AS_DECIDED = sql`(status = 'rejected' or status = 'approved' and exists (select 1 from spend_limits as own
  where own.scope = 'user' and own.scope_id = increase_requests.user_id
    and own.period = limit_before ->> 'period' and own.updated_at = increase_requests.updated_at))`

const limitBefore = (id: number) => sql`select limit_before from increase_requests where id = ${id}`

async function reopen(
  { db, clock, actor }: Parts,
  { kind, id }: QueueRef,
  reviewerId: number,
): Promise<void> {
  const isApplication = kind === 'application'
  const table = isApplication ? sql`applications` : sql`increase_requests`
  const [mine] = await db.all<{ userId: number }>(sql`
    select user_id as "userId" from ${table} where id = ${id} and reviewer_id = ${reviewerId}`)
  if (!mine) throw nothingHere()
  const now = clock.now()
  const same = isApplication ? sql`other.model = ${table}.model` : sql`other.period = ${table}.period`
  const decided = isApplication ? sql`status in ('approved', 'rejected')` : IS_AS_DECIDED
  const isOpen = sql`exists (select 1 from ${table} where id = ${id} and status = 'pending' and updated_at = ${now})`
  const notice = `${isApplication ? 'application' : 'increase'}.decided ${id}`
  const [reopened] = await db.batch([
    db.all<{ id: number }>(sql`
      update ${table} set status = 'pending', reviewer_id = null, review_note = null, updated_at = ${now}
        ${isApplication ? sql`` : sql`, granted_micros = null, granted_until = null`}
      where id = ${id} and reviewer_id = ${reviewerId} and ${decided} and updated_at >= ${now - UNDO_MS}
        and ${mayDecide(reviewerId, sql`${table}.user_id`)}
        and not exists (select 1 from ${table} as other
          where other.user_id = ${table}.user_id and ${same} and other.status = 'pending')
      returning id`),
    auditIfChanged(db, {
      actor,
      at: now,
      action: `${kind}.reopen`,
      target: `${kind}:${id}`,
      after: { user_id: mine.userId },
    }),
    // A grant that was there before the decision stays.
    db.run(sql`delete from grants where ${isApplication ? sql`application_id = ${id}` : sql`false`}
      and created_at >= ${now - UNDO_MS} and ${isOpen}`),
    ...(isApplication ? [] : restoringLimit(db, mine.userId, limitBefore(id), { now, condition: isOpen })),
    // The next decision is told again; what was sent already was sent.
    db.run(sql`delete from notice_deliveries
      where notice_id in (select id from notices where dedupe_key = ${notice}) and ${isOpen}`),
    db.run(sql`delete from notices where dedupe_key = ${notice} and ${isOpen}`),
  ])
  if (reopened.length === 0) throw new Refusal('conflict', 'This decision can no longer be taken back.')
}

/** One after the other, so that each sees what the one before it did. */
async function each(
  items: readonly QueueRef[],
  action: (item: QueueRef) => Promise<unknown>,
): Promise<Outcome[]> {
  const outcomes: Outcome[] = []
  for (const { kind, id } of items) {
    const refusal = await action({ kind, id }).then(
      () => undefined,
      (cause: unknown) => {
        if (cause instanceof Refusal) return cause
        throw cause
      },
    )
    outcomes.push({ kind, id, refusal })
  }
  return outcomes
}

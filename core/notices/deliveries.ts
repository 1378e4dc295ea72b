/** The outbox's deliveries as rows: addressing notices, claiming one to send, and what became of it. */
import { asc, eq, isNull, sql } from 'drizzle-orm'
import { noticeChannels, noticeDeliveries, notices } from '../db/schema.ts'
import type { Db } from '../ports.ts'
import { DAY_MS, HOUR_MS, MINUTE_MS } from '../units.ts'
import { peopleFor } from './audience.ts'
import { knownNotice } from './compose.ts'
import { type NoticeEvent, parseChannelEvents } from './events.ts'

/** A process that claimed a delivery has sent it by then, or died. Longer than any attempt takes. */
export const CLAIM_MS = MINUTE_MS
const FIRST_RETRY_MS = 10_000
const LONGEST_RETRY_MS = HOUR_MS
/** About a day and a half. */
const MOST_ATTEMPTS = 40
/** About twenty minutes, because the others wait for a message that a channel will never take. */
const MOST_REFUSALS = 8
const ADDRESSED_AT_ONCE = 50
/** Longer than any period but `total`, so that what is told once for a period is not told again. */
const KEPT_MS = 100 * DAY_MS

export type RecipientKind = 'channel' | 'user'

export interface Delivery {
  id: number
  noticeId: number
  /** channel:3 or user:7 */
  recipient: string
  attempts: number
}

/** Ms until the next attempt after so many. */
export function retryAfter(attempts: number): number {
  return Math.min(FIRST_RETRY_MS * 2 ** (attempts - 1), LONGEST_RETRY_MS)
}

/** Writes whom each waiting notice goes to. Several processes may do so at once: no delivery is written twice. */
export async function addressWaiting(db: Db, now: number, mails: boolean): Promise<void> {
  const waiting = await db
    .select()
    .from(notices)
    .where(isNull(notices.addressedAt))
    .orderBy(asc(notices.id))
    .limit(ADDRESSED_AT_ONCE)
  for (const notice of waiting) {
    const known = knownNotice(notice)
    const recipients = known
      ? [
          ...(await channelsFor(db, known.event)).map((id) => `channel:${id}`),
          ...(mails ? await peopleFor(db, known.event, known.data) : []).map((id) => `user:${id}`),
        ]
      : []
    await db.batch([
      db.run(sql`with failing as materialized (select recipient, max(due_at) as due_at from notice_deliveries
          where due_at > ${now} and last_error is not null group by recipient)
        insert into notice_deliveries (notice_id, recipient, due_at)
        select ${notice.id}, value, coalesce(due_at, ${now}) from json_each(${JSON.stringify(recipients)})
        left join failing on recipient = value where true on conflict do nothing`),
      db.update(notices).set({ addressedAt: now }).where(eq(notices.id, notice.id)),
    ])
  }
}

async function channelsFor(db: Db, event: NoticeEvent): Promise<number[]> {
  const rows = await db.select().from(noticeChannels).where(eq(noticeChannels.enabled, true))
  return rows.filter(({ events }) => parseChannelEvents(events).includes(event)).map(({ id }) => id)
}

/**
 * The delivery to a recipient of this kind that is due first, now this process's for CLAIM_MS. One statement, so that nobody else
 * gets it. Nothing to a recipient for whom another is under way or waits for its next attempt, and what waits behind that one is
 * due no earlier, so that each gets them in their order.
 */
export async function claimDelivery(db: Db, kind: RecipientKind, now: number): Promise<Delivery | undefined> {
  const [claimed] = await db.all<Delivery>(sql`
    update notice_deliveries set attempts = attempts + 1, due_at = ${now + CLAIM_MS}
    where id = (select id from notice_deliveries where due_at <= ${now} and recipient like ${`${kind}:%`}
      and recipient not in (select recipient from notice_deliveries where due_at > ${now}) order by due_at, id limit 1)
    returning id, notice_id as noticeId, recipient, attempts`)
  return claimed
}

/** It is over: delivered, or nothing is told any more. What waits behind it is due now. */
export async function deliveryOver(
  db: Db,
  { id, recipient, attempts }: Delivery,
  { now, isSent }: { now: number; isSent: boolean },
) {
  await db.batch([
    db
      .update(noticeDeliveries)
      .set({ dueAt: null, deliveredAt: isSent ? now : null, lastError: null })
      .where(eq(noticeDeliveries.id, id)),
    ...(attempts > 1 ? [waitingDue(db, recipient, now)] : []),
    ...(isSent ? [channelWorks(db, recipient)] : []),
  ])
}

/** It is tried again later, and nothing else goes to the recipient before. False once it is given up. */
export async function deliveryFailed(
  db: Db,
  { id, recipient, attempts }: Delivery,
  { now, problem, isRefused }: { now: number; problem: string; isRefused: boolean },
): Promise<boolean> {
  const goesOn = attempts < (isRefused ? MOST_REFUSALS : MOST_ATTEMPTS)
  await db.batch([
    db
      .update(noticeDeliveries)
      .set({ lastError: problem, ...(goesOn ? {} : { dueAt: null }) })
      .where(eq(noticeDeliveries.id, id)),
    waitingDue(db, recipient, goesOn ? now + retryAfter(attempts) : now),
    channelFails(db, recipient, now, problem),
  ])
  return goesOn
}

/** All that waits for the recipient is due at once, because then the oldest goes first. */
export function waitingDue(db: Db, recipient: string, at: number) {
  return db.run(
    sql`update notice_deliveries set due_at = ${at} where recipient = ${recipient} and due_at is not null`,
  )
}

export function channelWorks(db: Db, recipient: string) {
  return db.run(sql`update notice_channels set failing_since = null, last_error = null
    where ${recipient} = 'channel:' || id and failing_since is not null`)
}

export function channelFails(db: Db, recipient: string, now: number, problem: string) {
  return db.run(sql`update notice_channels set failing_since = coalesce(failing_since, ${now}), last_error = ${problem}
    where ${recipient} = 'channel:' || id`)
}

/** Removes old notices, and keeps of those the ones whose limit never begins again. */
export async function sweepNotices(db: Db, now: number): Promise<void> {
  const old = sql`created_at < ${now - KEPT_MS}`
  await db.batch([
    db.run(sql`delete from notice_deliveries where notice_id in (select id from notices where ${old})`),
    db.run(
      sql`delete from notices where ${old} and not (event = 'limit.reached' and data->>'period' = 'total')`,
    ),
  ])
}

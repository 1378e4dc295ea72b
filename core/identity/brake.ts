/**
 * Stops pausing where a provider refuses too many people at once, because that is rather a mistake at the provider, such as an
 * application that was deleted, than so many people who left.
 */
import { and, eq, gt, type SQL, sql } from 'drizzle-orm'
import { auditRowUnless, SYSTEM } from '../audit/record.ts'
import { auditEvents } from '../db/schema.ts'
import type { Deps } from '../deps.ts'
import { noticeIfChanged } from '../notices/outbox.ts'
import type { Db } from '../ports.ts'
import { MINUTE_MS } from '../units.ts'

const WINDOW_MS = 10 * MINUTE_MS
const SHARE = 0.05
const FEWEST = 5

/** Whether another person may be paused because their provider refused them. For the statement that pauses, `now` in ms. */
export function isBelowBrake(now: number): SQL {
  return sql`((${pausedLately(now)}) < max(${FEWEST}, ${SHARE} * (select count(*) from users as anybody
    where anybody.kind = 'person' and anybody.status = 'active')))`
}

function pausedLately(now: number): SQL {
  return sql`select count(*) from audit_events where action = 'user.pause' and at > ${now - WINDOW_MS}
    and json_extract(after, '$.reason') = 'refused'`
}

/** Whether pausing was stopped within `graceMs`. */
export async function isStopped(db: Db, now: number, graceMs: number): Promise<boolean> {
  const stopped = and(eq(auditEvents.action, 'identity.pausing_stopped'), gt(auditEvents.at, now - graceMs))
  return (await db.select({ id: auditEvents.id }).from(auditEvents).where(stopped).limit(1)).length > 0
}

/** Tells administrators, once however many processes find it out. */
export async function stopPausing(
  { db, clock, logger, settings }: Pick<Deps, 'db' | 'clock' | 'logger' | 'settings'>,
  issuer: string,
): Promise<void> {
  const now = clock.now()
  const { graceMs } = settings.identity
  const [row] = await db.all<{ count: number }>(sql`select (${pausedLately(now)}) as count`)
  const count = row?.count ?? 0
  const isTold = sql`exists (select 1 from audit_events where action = 'identity.pausing_stopped' and at > ${now - graceMs})`
  const event = {
    actor: SYSTEM,
    at: now,
    action: 'identity.pausing_stopped' as const,
    target: `provider:${issuer}`,
    after: { count },
  }
  const [told] = await db.batch([
    auditRowUnless(db, event, isTold),
    noticeIfChanged(db, { event: 'people.paused', data: { count }, key: String(now), at: now }),
  ])
  if (told.length > 0) logger.error('identity.pausing_stopped', { issuer, count, for_ms: graceMs })
}

/** Audit rows, written in the same batch as the change that they describe. Callers never pass secrets. */
import { type SQL, sql } from 'drizzle-orm'
import type { Db } from '../ports.ts'
import { storable } from '../text.ts'
import { HOUR_MS, timeText } from '../units.ts'
import type { Audited, CountedAction } from './action.ts'

/** Who acts: a signed-in user, a program with its admin key, or the command line or the gateway itself, for which all is null. */
export interface Actor {
  id: number | null
  adminKeyId?: number
  ip: string | null
  requestId: string | null
}
export const COMMAND_LINE: Actor = { id: null, ip: null, requestId: null }
/** The gateway acts by itself. */
export const SYSTEM: Actor = { id: null, ip: null, requestId: null }

interface Occasion {
  actor: Actor
  at: number
  /** e.g. key:12 or user:ann@example.com */
  target: string
}
export type AuditEvent = Occasion & Audited

/** Inserts the row in any case. */
export function auditRow(db: Db, event: AuditEvent) {
  return db.run(sql`${insertOf(event)}`)
}

/**
 * Inserts the row only if the statement right before it in the batch changed something. Afterwards changes() is 1 or 0
 * accordingly, so that further statements of the batch can use the same condition.
 */
export function auditIfChanged(db: Db, event: AuditEvent) {
  return db.run(sql`${insertOf(event)} where changes() > 0`)
}

/** Inserts the row unless `condition` holds. Returns its id, if it did. */
export function auditRowUnless(db: Db, event: AuditEvent, condition: SQL) {
  return db.all<{ id: number }>(sql`${insertOf(event)} where not ${condition} returning id`)
}

/** Inserts a row for each of `rows`, a query of targets and of what was made, as JSON: for what only the batch itself knows. */
export function auditRowsOf(
  db: Db,
  { actor, at, action }: Omit<Occasion, 'target'> & Pick<Audited, 'action'>,
  rows: SQL,
) {
  return db.run(sql`insert into audit_events (at, actor_id, admin_key_id, action, target, after, ip, request_id)
    select ${at}, ${actor.id}, ${actor.adminKeyId ?? null}, ${action}, made.target, made.after, ${actor.ip}, ${actor.requestId}
    from (${rows}) as made`)
}

/**
 * Counts events that strangers can cause without end: the first in an hour for a target inserts a row, the others raise
 * `count` and set `last_at` in it.
 */
export function auditTally(db: Db, event: Occasion & { action: CountedAction }) {
  const { action, target, at } = event
  const lastAt = timeText(at)
  const tally = `${action} ${target} ${Math.floor(at / HOUR_MS)}`
  return db.run(sql`insert into audit_events (at, actor_id, action, target, after, ip, request_id, tally)
    values (${at}, ${event.actor.id}, ${action}, ${target}, json_object('count', 1, 'last_at', ${lastAt}), ${event.actor.ip},
      ${event.actor.requestId}, ${tally})
    on conflict (tally) where tally is not null do update set
      after = json_object('count', json_extract(audit_events.after, '$.count') + 1, 'last_at', ${lastAt})`)
}

function insertOf({ actor, at, action, target, before, after }: AuditEvent) {
  return sql`insert into audit_events (at, actor_id, admin_key_id, action, target, before, after, ip, request_id)
    select ${at}, ${actor.id}, ${actor.adminKeyId ?? null}, ${action}, ${storable(target)}, ${textOf(before)}, ${textOf(after)}, ${actor.ip},
      ${actor.requestId}`
}

function textOf(value: object | undefined): string | null {
  return value ? JSON.stringify(value, (_, one) => (typeof one === 'string' ? storable(one) : one)) : null
}

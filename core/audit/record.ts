/** Audit rows, made to stand in the same batch as the change they tell of. Never given a secret. */
import { auditEvents } from '../db/schema.ts'
import type { Db } from '../ports.ts'

/** Who acts: a signed-in user, or nobody (the command line, the system). */
export interface Actor {
  id: number | null
  ip: string | null
  requestId: string | null
}
export const COMMAND_LINE: Actor = { id: null, ip: null, requestId: null }

export interface AuditEvent {
  actor: Actor
  at: number
  /** e.g. key.create */
  action: string
  /** e.g. key:12 or user:ann@example.com */
  target: string
  before?: object
  after?: object
}

/** The insert, for a batch. */
export function auditRow(db: Db, event: AuditEvent) {
  return db.insert(auditEvents).values({
    at: event.at,
    actorId: event.actor.id,
    action: event.action,
    target: event.target,
    before: event.before ? JSON.stringify(event.before) : null,
    after: event.after ? JSON.stringify(event.after) : null,
    ip: event.actor.ip,
    requestId: event.actor.requestId,
  })
}

/** The route that reads the audit. No route changes it. */
import * as z from 'zod'
import { AUDIT_ACTION_NAMES } from '../core/audit/action.ts'
import { type AuditRow, listAudit } from '../core/audit/list.ts'
import { timeText } from '../core/units.ts'
import { idInQuery, line, page, pageSize, timestamp } from './fields.ts'
import { report } from './route.ts'

/** Any string, because rows of other releases may have actions that this one does not know. */
const AuditAction = z
  .union([z.enum(AUDIT_ACTION_NAMES), z.string()])
  .meta({ id: 'AuditAction', description: 'One of these, or what another release did.' })
const AuditEvent = z
  .strictObject({
    id: z.int(),
    at: timestamp,
    actor_id: z.int().nullable().meta({ description: 'null is the system or the command line.' }),
    actor_itcode: z.string().nullable(),
    action: AuditAction,
    target: z.string(),
    before: z.looseObject({}).nullable(),
    after: z.looseObject({}).nullable(),
    ip: z.string().nullable(),
    request_id: z.string().nullable(),
  })
  .meta({ id: 'AuditEvent' })
export type AuditEvent = z.infer<typeof AuditEvent>

export const audit = [
  report({
    path: '/admin/api/audit',
    tier: 'admin',
    summary: 'Who did what, newest first.',
    query: z.strictObject({
      actor: idInQuery.optional(),
      action: line(64).optional(),
      page,
      page_size: pageSize,
    }),
    reply: z.strictObject({ events: z.array(AuditEvent), total: z.int(), page: z.int(), page_size: z.int() }),
    async handle({ deps, query }) {
      const { page, page_size } = query
      const filter = { actorId: query.actor, action: query.action }
      const { events, total } = await listAudit(deps.db, filter, { page, pageSize: page_size })
      return { events: events.map(auditEvent), total, page, page_size }
    },
  }),
]

function auditEvent(row: AuditRow): AuditEvent {
  return {
    id: row.id,
    at: timeText(row.at),
    actor_id: row.actorId,
    actor_itcode: row.actorItcode,
    action: row.action,
    target: row.target,
    before: row.before,
    after: row.after,
    ip: row.ip,
    request_id: row.requestId,
  }
}

/** The route that reads the audit. No route changes it. */
import * as z from 'zod'
import { AUDIT_ACTION_NAMES } from '../core/audit/action.ts'
import { auditView, listAudit } from '../core/audit/list.ts'
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
    actor_id: z.int().nullable().meta({ description: 'null is a program, the system or the command line.' }),
    actor_itcode: z.string().nullable(),
    admin_key_id: z.int().nullable().meta({ description: 'Of a program that acts with an admin key.' }),
    admin_key_name: z.string().nullable(),
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
    tier: 'auditor',
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
      return { events: events.map(auditView), total, page, page_size }
    },
  }),
]

/** The routes that read the audit. No route changes it. */
import * as z from 'zod'
import { AUDIT_ACTION_NAMES } from '../core/audit/action.ts'
import type { AuditFilter } from '../core/audit/filter.ts'
import { type AuditRow, auditView, exportAudit, listAudit } from '../core/audit/list.ts'
import { type Subject, subjectsOf } from '../core/audit/subjects.ts'
import { type Cell, csvStream } from '../core/reports/csv.ts'
import { rangeOf } from '../core/reports/range.ts'
import { idInQuery, line, page, pageSize, searchText, timestamp } from './fields.ts'
import { type ReportDeps, report } from './route.ts'
import { DatesOnly, datesOf } from './usage-views.ts'

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

const AuditSubject = z
  .strictObject({
    ref: z.string().meta({ description: 'As targets and ids of the events name it, such as key:12.' }),
    id: z.int(),
    name: z.string().meta({ description: 'As it is called today.' }),
    user_id: z.int().nullable().meta({ description: 'Whose it is.' }),
    itcode: z.string().nullable(),
  })
  .meta({ id: 'AuditSubject' })
export type AuditSubject = z.infer<typeof AuditSubject>

const searched = 'Looked for in the newest 100,000 events, or those before end_date.'
const filters = DatesOnly.extend({
  actor: idInQuery.optional().meta({ description: 'Who did it: the id of a user.' }),
  about: idInQuery.optional().meta({ description: `Whom it concerns: the id of a user. ${searched}` }),
  action: line(64).optional(),
  target: line(300)
    .optional()
    .meta({ description: 'As events have it, such as key:12; or a kind with its colon, such as key:' }),
  q: searchText
    .optional()
    .meta({ description: `Text in target, change or actor, or an address or request id. ${searched}` }),
})

const COLUMNS = [
  'id',
  'at',
  'actor_itcode',
  'admin_key_name',
  'action',
  'target',
  'target_name',
  'before',
  'after',
  'ip',
  'request_id',
] as const

export const audit = [
  report({
    path: '/admin/api/audit',
    tier: 'auditor',
    summary: 'Who did what, newest first, and what the things it names are called. Without dates: all.',
    query: filters.extend({ order: z.enum(['asc', 'desc']).default('desc'), page, page_size: pageSize }),
    reply: z.strictObject({
      events: z.array(AuditEvent),
      subjects: z.array(AuditSubject),
      total: z.int(),
      page: z.int(),
      page_size: z.int(),
    }),
    async handle({ deps, query }) {
      const { page, page_size, order } = query
      const { events, total } = await listAudit(deps.db, filterOf(query), {
        page,
        pageSize: page_size,
        order,
      })
      const subjects = await subjectsOf(deps.db, events)
      return { events: events.map(auditView), subjects: subjects.map(subjectView), total, page, page_size }
    },
  }),
  report({
    path: '/admin/api/audit/export',
    tier: 'auditor',
    summary: 'The same events as a CSV file, newest first. The export is audited.',
    query: filters,
    produces: ['text/csv'],
    file: true,
    async handle({ deps, query, actor, id, over }) {
      const slices = await exportAudit({ ...deps, actor }, { filter: filterOf(query), asked: query })
      return new Response(csvStream(COLUMNS, slicesOf(deps, slices, id), over), {
        headers: {
          'content-type': 'text/csv; charset=utf-8; header=present',
          'content-disposition': 'attachment; filename="audit.csv"',
          'cache-control': 'no-store',
          'request-id': id,
        },
      })
    },
  }),
]

function filterOf(query: z.output<typeof filters>): AuditFilter {
  const { actor: actorId, about, action, target, q } = query
  const range = query.start_date || query.end_date ? rangeOf(datesOf(query)) : undefined
  return { actorId, about, action, target, q, range }
}

function subjectView({ userId, ...subject }: Subject) {
  return { ...subject, user_id: userId }
}

/** A failure can only be logged, because the headers are sent already. */
async function* slicesOf(
  { db, logger }: Pick<ReportDeps, 'db' | 'logger'>,
  slices: AsyncIterable<AuditRow[]>,
  id: string,
): AsyncGenerator<Cell[][]> {
  try {
    for await (const events of slices) {
      const names = new Map((await subjectsOf(db, events)).map(({ ref, name }) => [ref, name]))
      yield events.map((event): Cell[] => {
        const { before, after, ...view } = auditView(event)
        const told = { before: before && JSON.stringify(before), after: after && JSON.stringify(after) }
        const row = { ...view, ...told, target_name: names.get(event.target) ?? null }
        return COLUMNS.map((column) => row[column])
      })
    }
  } catch (cause) {
    logger.error('audit.export_failed', { id, cause: String(cause) })
    // Without the cause, because the server may show this error.
    throw new Error('The file broke off.')
  }
}

/** What happened, newest first. */
import { and, count, desc, eq } from 'drizzle-orm'
import { auditEvents, users } from '../db/schema.ts'
import type { Db } from '../ports.ts'

export type AuditRow = typeof auditEvents.$inferSelect & { actorItcode: string | null }

export async function listAudit(
  db: Db,
  filter: { actorId?: number | undefined; action?: string | undefined },
  { page, pageSize }: { page: number; pageSize: number },
): Promise<{ events: AuditRow[]; total: number }> {
  const { actorId, action } = filter
  const where = and(
    actorId === undefined ? undefined : eq(auditEvents.actorId, actorId),
    action === undefined ? undefined : eq(auditEvents.action, action),
  )
  const [counted] = await db.select({ total: count() }).from(auditEvents).where(where)
  const rows = await db
    .select({ event: auditEvents, itcode: users.itcode })
    .from(auditEvents)
    .leftJoin(users, eq(users.id, auditEvents.actorId))
    .where(where)
    .orderBy(desc(auditEvents.id))
    .limit(pageSize)
    .offset((page - 1) * pageSize)
  const events = rows.map(({ event, itcode }) => ({ ...event, actorItcode: itcode }))
  return { events, total: counted?.total ?? 0 }
}

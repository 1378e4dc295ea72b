/** Reads the audit, newest first. */
import { and, count, desc, eq } from 'drizzle-orm'
import { auditEvents, users } from '../db/schema.ts'
import { isRecord } from '../json/is-record.ts'
import { parsedJson } from '../json/parse.ts'
import type { Db } from '../ports.ts'
import { timeText, usdOf } from '../units.ts'

export interface AuditRow extends Omit<typeof auditEvents.$inferSelect, 'before' | 'after' | 'tally'> {
  actorItcode: string | null
  before: AuditEntry | null
  after: AuditEntry | null
}
type AuditEntry = Record<string, unknown>

/** One page of matching rows and how many match. Rows of earlier releases are converted to today's names and units. */
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
  const events = rows.map(({ event, itcode }) => ({
    ...event,
    actorItcode: itcode,
    before: entryOf(event.before),
    after: entryOf(event.after),
  }))
  return { events, total: counted?.total ?? 0 }
}

function entryOf(text: string | null): AuditEntry | null {
  const value = text === null ? undefined : parsedJson(text)
  return isRecord(value) ? Object.fromEntries(Object.entries(value).map(spelled)) : null
}

/** Releases before this one wrote some names in camelCase, money in micro-dollars and times in ms. */
function spelled([name, value]: [string, unknown]): [string, unknown] {
  const snake = name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)
  if (typeof value !== 'number') return [snake, value]
  if (snake.endsWith('_micros')) return [snake.replace(/_micros$/, '_usd'), usdOf(value)]
  return [snake, snake.endsWith('_at') ? timeText(value) : value]
}

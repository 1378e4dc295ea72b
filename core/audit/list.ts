/** Reads the audit: newest first, or what came after an event. */
import { and, asc, count, desc, eq, gt, lt, sql } from 'drizzle-orm'
import { adminKeys, auditEvents, users } from '../db/schema.ts'
import { isRecord } from '../json/is-record.ts'
import { parsedJson } from '../json/parse.ts'
import type { Clock, Db } from '../ports.ts'
import { timeText, usdOf } from '../units.ts'
import { type AuditFilter, auditWhere } from './filter.ts'
import { type Actor, type AuditEvent, auditRow } from './record.ts'

export interface AuditRow extends Omit<typeof auditEvents.$inferSelect, 'before' | 'after' | 'tally'> {
  actorItcode: string | null
  adminKeyName: string | null
  before: AuditEntry | null
  after: AuditEntry | null
}
type AuditEntry = Record<string, unknown>

/** One page of matching rows, newest first unless `order` is asc, and how many match. Rows of earlier releases are converted to today's names and units. */
export async function listAudit(
  db: Db,
  filter: AuditFilter,
  { page, pageSize, order = 'desc' }: { page: number; pageSize: number; order?: 'asc' | 'desc' },
): Promise<{ events: AuditRow[]; total: number }> {
  const where = await auditWhere(db, filter)
  const [counted] = await db.select({ total: count() }).from(auditEvents).where(where)
  const rows = await select(db)
    .where(where)
    .orderBy(order === 'asc' ? asc(auditEvents.id) : desc(auditEvents.id))
    .limit(pageSize)
    .offset((page - 1) * pageSize)
  const events = rows.map(rowFrom)
  return { events, total: counted?.total ?? 0 }
}

/** All matching rows, newest first, in slices. The export is audited before the first slice is read. */
export async function exportAudit(
  { db, clock, actor }: { db: Db; clock: Clock; actor: Actor },
  { filter, asked }: { filter: AuditFilter; asked: Extract<AuditEvent, { action: 'audit.export' }>['after'] },
): Promise<AsyncGenerator<AuditRow[]>> {
  await auditRow(db, { actor, at: clock.now(), action: 'audit.export', target: 'audit', after: asked })
  return allAudit(db, filter)
}

const SLICE = 500
/** What comes meanwhile is not among them. */
async function* allAudit(db: Db, filter: AuditFilter): AsyncGenerator<AuditRow[]> {
  const where = await auditWhere(db, filter)
  let last = Number.MAX_SAFE_INTEGER
  for (;;) {
    const rows = await select(db)
      .where(and(where, lt(auditEvents.id, last)))
      .orderBy(desc(auditEvents.id))
      .limit(SLICE)
    yield rows.map(rowFrom)
    last = rows.at(-1)?.event.id ?? 0
    if (rows.length < SLICE) return
  }
}

/** The id of the newest event, 0 if there is none. */
export const NEWEST_AUDIT_ID = sql<number>`(select coalesce(max(id), 0) from ${auditEvents})`

export async function newestAuditId(db: Db): Promise<number> {
  const [newest] = await db.all<{ id: number }>(sql`select ${NEWEST_AUDIT_ID} as id`)
  return newest?.id ?? 0
}

/** Up to `most` events after the one with this id, oldest first. */
export async function auditAfter(db: Db, id: number, most: number): Promise<AuditRow[]> {
  const rows = await select(db).where(gt(auditEvents.id, id)).orderBy(asc(auditEvents.id)).limit(most)
  return rows.map(rowFrom)
}

/** As programs are told. */
export function auditView(row: AuditRow) {
  const { id, action, target, before, after, ip } = row
  return {
    id,
    at: timeText(row.at),
    actor_id: row.actorId,
    actor_itcode: row.actorItcode,
    admin_key_id: row.adminKeyId,
    admin_key_name: row.adminKeyName,
    action,
    target,
    before,
    after,
    ip,
    request_id: row.requestId,
  }
}

function select(db: Db) {
  return db
    .select({ event: auditEvents, itcode: users.itcode, adminKeyName: adminKeys.name })
    .from(auditEvents)
    .leftJoin(users, eq(users.id, auditEvents.actorId))
    .leftJoin(adminKeys, eq(adminKeys.id, auditEvents.adminKeyId))
    .$dynamic()
}

function rowFrom({ event, itcode, adminKeyName }: Awaited<ReturnType<typeof select>>[number]): AuditRow {
  const { tally: _, ...rest } = event
  return {
    ...rest,
    actorItcode: itcode,
    adminKeyName,
    before: entryOf(event.before),
    after: entryOf(event.after),
  }
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

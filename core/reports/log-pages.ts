/**
 * Pages of the log, newest first, by number or by cursor. Sums show which hours hold the rows of a page, so that a deep page
 * or a rare model needs no scan of the log.
 */
import { desc, eq, getTableColumns, type SQL, sql } from 'drizzle-orm'
import type { SQLiteSelect } from 'drizzle-orm/sqlite-core'
import { apiKeys, usageLogs, users } from '../db/schema.ts'
import type { Db } from '../ports.ts'
import { keptSince } from '../retention/retention.ts'
import { HOUR_MS } from '../units.ts'
import { type Filter, placesOf, restOf, slotsOf, sumsOf, withOwner } from './query.ts'
import { ALL_TIME, type Range } from './range.ts'

/** A row with the names of its key and user, also of deleted ones; null if they never existed here. */
export type LogRow = Omit<typeof usageLogs.$inferSelect, 'extra'> & {
  keyName: string | null
  itcode: string | null
}

/** `createdAt` and `id` of a row. The rows after it are older, or of the same ms with a smaller id. */
export interface Cursor {
  at: number
  id: number
}

export interface LogPage {
  logs: LogRow[]
  total: number
  next: Cursor | null
}

/** The number of matching calls. */
export async function countLogs(db: Db, filter: Filter, range: Range): Promise<number> {
  const known = await withOwner(db, filter)
  return known ? countOf(db, known, await keptOf(db, range)) : 0
}

/** The part of the range in which every call has its row; sums go back further. */
async function keptOf(db: Db, { from, to }: Range): Promise<Range> {
  const since = await keptSince(db)
  return { from: Math.max(from, since), to: Math.max(to, since) }
}

async function countOf(db: Db, known: Filter, range: Range): Promise<number> {
  const sums = sumsOf(known, [range])
  const [counted] = await db.all<{ n: number }>(sql`select total(requests) as n from (${sums})`)
  return counted?.n ?? 0
}

/** One page; `page` counts from 1. */
export async function logPage(
  db: Db,
  filter: Filter,
  asked: Range,
  { page, pageSize }: { page: number; pageSize: number },
): Promise<LogPage> {
  const known = await withOwner(db, filter)
  const range = await keptOf(db, asked)
  const total = known ? await countOf(db, known, range) : 0
  const skip = (page - 1) * pageSize
  if (!known || skip >= total) return { logs: [], total, next: null }
  const slots = await hoursWith(db, known, range, { skip, take: pageSize })
  const wanted = idsIn(known, slots, { skip: skip - (slots[0]?.before ?? 0), take: pageSize })
  const logs = await rowsOf(db, wanted)
  return { logs, total, next: skip + logs.length < total ? after(logs) : null }
}

/** Up to `take` rows after `cursor` (null = from the newest), and the cursor of the next page. */
export async function logsAfter(
  db: Db,
  filter: Filter,
  asked: Range,
  { cursor, take }: { cursor: Cursor | null; take: number },
  read = rowsOf,
): Promise<Omit<LogPage, 'total'>> {
  const known = await withOwner(db, filter)
  const range = await keptOf(db, asked)
  if (!known) return { logs: [], next: null }
  const from = cursor && cursor.at < range.to ? cursor : { at: range.to, id: 0 }
  const { keyId, model, backend } = known
  const ordered = keyId === undefined && model === undefined && backend === undefined
  const wanted = ordered
    ? idsAfter(known, range, from, take + 1)
    : idsIn(known, await hoursBefore(db, known, range, from, take + 1), { before: from, take: take + 1 })
  const logs = await read(db, wanted)
  const more = logs.length > take
  return { logs: logs.slice(0, take), next: more ? after(logs.slice(0, take)) : null }
}

/** All matching rows in slices, so that they fill neither memory nor the event loop. */
export async function* allLogs(db: Db, filter: Filter, range: Range, slice = 500): AsyncGenerator<LogRow[]> {
  for (let cursor: Cursor | null = null; ; ) {
    const { logs, next }: Omit<LogPage, 'total'> = await logsAfter(
      db,
      filter,
      range,
      { cursor, take: slice },
      manyRowsOf,
    )
    if (logs.length > 0) yield logs
    if (!next) return
    cursor = next
    // The driver of a local file answers without leaving this turn of the event loop: give other requests theirs.
    await new Promise((resolve) => setTimeout(resolve))
  }
}

function after(logs: readonly LogRow[]): Cursor | null {
  const last = logs.at(-1)
  return last ? { at: last.createdAt, id: last.id } : null
}

interface Slot {
  since: number
  until: number
  /** Number of matching rows in newer slots. */
  before: number
}

/** The hours, or parts of hours at the ends of the range, that hold rows `skip` to `skip + take`, newest first. */
async function hoursWith(
  db: Db,
  filter: Filter,
  range: Range,
  { skip, take }: { skip: number; take: number },
): Promise<Slot[]> {
  const locate = (ranges: readonly Range[], coarsest: 'day' | 'hour', skipped: number) =>
    db.all<Slot>(sql`
      with slots as (select since, until, total(requests) as n from (${slotsOf(filter, ranges, coarsest)}) group by 1, 2),
      ranked as (select since, until, n, total(n) over (order by since desc) - n as before from slots)
      select since, until, before from ranked
      where before < ${skipped + take} and before + n > ${skipped} order by since desc`)
  const days = await locate([range], 'day', skip)
  const newer = days[0]?.before ?? 0
  const ranges = days.map(({ since, until }) => ({ from: since, to: until }))
  const hours = await locate(ranges, 'hour', skip - newer)
  return hours.map((slot) => ({ ...slot, before: slot.before + newer }))
}

/** The cursor's hour up to the cursor, and the hours before it that hold the next `take` rows. */
async function hoursBefore(
  db: Db,
  filter: Filter,
  range: Range,
  cursor: Cursor,
  take: number,
): Promise<Slot[]> {
  const hour = Math.max(range.from, Math.floor(cursor.at / HOUR_MS) * HOUR_MS)
  const older = await hoursWith(db, filter, { from: range.from, to: hour }, { skip: 0, take })
  return cursor.at < ALL_TIME.to
    ? [{ since: hour, until: Math.min(cursor.at + 1, range.to), before: 0 }, ...older]
    : older
}

/** Selects the ids of matching rows in these slots. */
function idsIn(
  filter: Filter,
  slots: readonly Slot[],
  { before, skip = 0, take }: { before?: Cursor; skip?: number; take: number },
): SQL {
  const list = JSON.stringify(slots.map(({ since, until }) => [since, until]))
  const cursor = before ? sql`and (created_at, usage_logs.id) < (${before.at}, ${before.id})` : sql``
  return sql`select usage_logs.id from json_each(${list}) as slot cross join usage_logs
    on ${whoOf(filter)} created_at >= slot.value->>0 and created_at < slot.value->>1 ${restOf(filter)} ${cursor}
    order by created_at desc, usage_logs.id desc limit ${take} offset ${skip}`
}

/** Condition on the user. Without `userId` it names the users who called the model or backend in that hour. */
function whoOf({ userId, model, backend }: Filter): SQL {
  if (userId !== undefined) return sql`user_id = ${userId} and`
  if (model === undefined && backend === undefined) return sql``
  const hour = sql.raw(String(HOUR_MS))
  return sql`user_id in (select user_id from usage_hourly
    where hour = slot.value->>0 / ${hour} * ${hour} ${placesOf({ model, backend })}) and`
}

/** Selects the ids of the rows after the cursor, in the order of an index. */
function idsAfter({ userId }: Filter, { from }: Range, cursor: Cursor, take: number): SQL {
  const who = userId === undefined ? sql`` : sql`user_id = ${userId} and`
  return sql`select id from usage_logs where ${who} created_at >= ${from} and (created_at, id) < (${cursor.at}, ${cursor.id})
    order by created_at desc, id desc limit ${take}`
}

const { extra: _extra, ...OWN } = getTableColumns(usageLogs)
const COLUMNS = { ...OWN, keyName: apiKeys.name, itcode: users.itcode }
const LISTED = Object.entries(COLUMNS).map(([name, { dataType }]) => ({
  name,
  isBoolean: dataType === 'boolean',
}))

/** The rows with these ids (a select), newest first. */
export async function rowsOf(db: Db, ids: SQL): Promise<LogRow[]> {
  return withNames(db.select(COLUMNS).from(usageLogs).$dynamic(), ids)
}

/** As rowsOf: a row comes as one JSON text, because drivers take longer for a value than SQLite for the text of all. */
async function manyRowsOf(db: Db, ids: SQL): Promise<LogRow[]> {
  const text = sql<string>`json_array(${sql.join(Object.values(COLUMNS), sql`, `)})`
  const found = await withNames(db.select({ text }).from(usageLogs).$dynamic(), ids)
  const rows: unknown[][] = JSON.parse(`[${found.map((row) => row.text).join()}]`)
  return rows.map((values) => {
    const fields: unknown[][] = LISTED.map(({ name, isBoolean }, at) => [
      name,
      isBoolean ? values[at] === 1 : values[at],
    ])
    return Object.fromEntries(fields)
  })
}

function withNames<Query extends SQLiteSelect>(query: Query, ids: SQL) {
  return query
    .leftJoin(apiKeys, eq(apiKeys.id, usageLogs.apiKeyId))
    .leftJoin(users, eq(users.id, usageLogs.userId))
    .where(sql`${usageLogs.id} in (${ids})`)
    .orderBy(desc(usageLogs.createdAt), desc(usageLogs.id))
}

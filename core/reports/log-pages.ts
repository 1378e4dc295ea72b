/**
 * Pages of the log, newest first, by number or by cursor. Sums show which hours hold the rows of a page, so that a deep page
 * or a rare model needs no scan of the log.
 */
import { type SQL, sql } from 'drizzle-orm'
import type { Db } from '../ports.ts'
import type { Outcome } from '../record.ts'
import { keptSince } from '../retention/retention.ts'
import { HOUR_MS } from '../units.ts'
import { type LogRow, manyRowsOf, rowsOf } from './log-rows.ts'
import { type Filter, placesOf, restOf, slotsOf, sumsOf, withOwner } from './query.ts'
import { ALL_TIME, type Range } from './range.ts'

/** `createdAt` and `id` of a row. The rows after it are older, or of the same ms with a smaller id. */
export interface Cursor {
  at: number
  id: number
}

/** Rows that match every given field. `session` is of `userId`: the hash of one of their sessions. */
export interface LogFilter extends Filter {
  /** failed: every one but ok. */
  outcome?: Outcome | 'failed' | undefined
  session?: string | undefined
  requestId?: string | undefined
}

export interface LogPage {
  logs: LogRow[]
  total: number
  next: Cursor | null
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

/**
 * Up to `take` rows after `cursor` (null = from the newest), and the cursor of the next page. Where one outcome is rare, a page may
 * have fewer rows, or none, and still have a next one: so each takes a bounded time.
 */
export async function logsAfter(
  db: Db,
  filter: LogFilter,
  asked: Range,
  { cursor, take }: { cursor: Cursor | null; take: number },
  read = rowsOf,
): Promise<Omit<LogPage, 'total'>> {
  const known = await withOwner(db, filter)
  const range = await keptOf(db, asked)
  if (!known) return { logs: [], next: null }
  const from = cursor && cursor.at < range.to ? cursor : { at: range.to, id: 0 }
  const { keyId, model, backend, outcome, session, requestId } = known
  const isOne = session !== undefined || requestId !== undefined
  const isOrdered = [keyId, model, backend, outcome].every((part) => part === undefined)
  const { logs, rest } =
    isOne || isOrdered
      ? { logs: await read(db, idsAfter(known, range, from, take + 1)), rest: null }
      : await searched(db, known, range, from, { take: take + 1, read })
  const more = logs.length > take
  return { logs: logs.slice(0, take), next: more ? after(logs.slice(0, take)) : rest }
}

/** All matching rows in slices, so that they fill neither memory nor the event loop. */
export async function* allLogs(
  db: Db,
  filter: LogFilter,
  range: Range,
  slice = 500,
): AsyncGenerator<LogRow[]> {
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
  filter: LogFilter,
  range: Range,
  { skip, take }: { skip: number; take: number },
): Promise<Slot[]> {
  const locate = (ranges: readonly Range[], coarsest: 'day' | 'hour', skipped: number) =>
    db.all<Slot>(sql`
      with slots as (select since, until, total(requests) as n from (${slotsOf(filter, ranges, coarsest, countedOf(filter))}) group by 1, 2),
      ranked as (select since, until, n, total(n) over (order by since desc) - n as before from slots)
      select since, until, before from ranked
      where before < ${skipped + take} and before + n > ${skipped} order by since desc`)
  const days = await locate([range], 'day', skip)
  const newer = days[0]?.before ?? 0
  const ranges = days.map(({ since, until }) => ({ from: since, to: until }))
  const hours = await locate(ranges, 'hour', skip - newer)
  return hours.map((slot) => ({ ...slot, before: slot.before + newer }))
}

/** Sums know how many calls failed, but not how: hours of failures are looked through so many times for one answer. */
const MOST_ROUNDS = 8

/** The rows of the cursor's hour up to the cursor, and of the hours before it, and where it goes on if they were too many. */
async function searched(
  db: Db,
  filter: LogFilter,
  range: Range,
  cursor: Cursor,
  { take, read }: { take: number; read: typeof rowsOf },
): Promise<{ logs: LogRow[]; rest: Cursor | null }> {
  const logs: LogRow[] = []
  let edge = Math.max(range.from, Math.floor(cursor.at / HOUR_MS) * HOUR_MS)
  const begun =
    cursor.at < ALL_TIME.to ? [{ since: edge, until: Math.min(cursor.at + 1, range.to), before: 0 }] : []
  for (let round = 0; round < MOST_ROUNDS; round++) {
    const left = take - logs.length
    const older = await hoursWith(db, filter, { from: range.from, to: edge }, { skip: 0, take: left })
    const slots = round === 0 ? [...begun, ...older] : older
    if (slots.length > 0) logs.push(...(await read(db, idsIn(filter, slots, { before: cursor, take: left }))))
    const last = older.at(-1)
    if (logs.length >= take || !last) return { logs, rest: null }
    edge = last.since
  }
  return { logs, rest: { at: edge, id: 0 } }
}

/** Selects the ids of matching rows in these slots. */
function idsIn(
  filter: LogFilter,
  slots: readonly Slot[],
  { before, skip = 0, take }: { before?: Cursor; skip?: number; take: number },
): SQL {
  const list = JSON.stringify(slots.map(({ since, until }) => [since, until]))
  const cursor = before ? sql`and (created_at, usage_logs.id) < (${before.at}, ${before.id})` : sql``
  return sql`select usage_logs.id from json_each(${list}) as slot cross join usage_logs
    on ${whoOf(filter)} created_at >= slot.value->>0 and created_at < slot.value->>1 ${restOf(filter)} ${outcomeOf(filter)} ${cursor}
    order by created_at desc, usage_logs.id desc limit ${take} offset ${skip}`
}

/** Of a row of sums, how many of its calls may match. */
function countedOf({ outcome }: LogFilter): SQL {
  if (outcome === undefined) return sql`requests`
  return outcome === 'ok' ? sql`requests - errors` : sql`errors`
}

/** A condition on the outcome, with a leading `and`. */
function outcomeOf({ outcome }: LogFilter): SQL {
  if (outcome === undefined) return sql``
  return outcome === 'failed' ? sql`and outcome <> 'ok'` : sql`and outcome = ${outcome}`
}

/** Condition on the user. Without `userId` it names the users who called the model or backend, or whose calls failed, in that hour. */
function whoOf({ userId, model, backend, outcome }: LogFilter): SQL {
  if (userId !== undefined) return sql`user_id = ${userId} and`
  const isFailure = outcome !== undefined && outcome !== 'ok'
  if (model === undefined && backend === undefined && !isFailure) return sql``
  const hour = sql.raw(String(HOUR_MS))
  return sql`user_id in (select user_id from usage_hourly
    where hour = slot.value->>0 / ${hour} * ${hour} ${placesOf({ model, backend })} ${isFailure ? sql`and errors > 0` : sql``}) and`
}

/** Selects the ids of the rows after the cursor, in the order of an index; those of a session and of one request have their own. */
function idsAfter(filter: LogFilter, { from }: Range, cursor: Cursor, take: number): SQL {
  const { userId, session, requestId } = filter
  const who = userId === undefined ? sql`` : sql`user_id = ${userId} and`
  // That the session has a name lets SQLite use the index of those that have.
  const whole = session === undefined ? sql`` : sql`session = ${session} and session <> '' and`
  const one = requestId === undefined ? sql`` : sql`request_id = ${requestId} and`
  return sql`select id from usage_logs where ${who} ${whole} ${one} created_at >= ${from}
    and (created_at, id) < (${cursor.at}, ${cursor.id}) ${restOf(filter)} ${outcomeOf(filter)}
    order by created_at desc, id desc limit ${take}`
}

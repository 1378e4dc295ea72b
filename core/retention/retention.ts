/** Removes rows that are older than what is kept, in pieces, each archived before it goes. */
import { asc, getTableColumns, lt, sql } from 'drizzle-orm'
import { auditEvents, usageLogs, usageSummed } from '../db/schema.ts'
import type { Archive, Clock, Db } from '../ports.ts'
import { groupUp } from '../reports/by-group.ts'
import { DAY_MS } from '../units.ts'

/** A batch of so many rows holds up writers for some hundredths of a second. */
const PIECE = 2_000
/** Of every hour. What is left then goes in the next. */
const LONGEST_MS = 20_000

interface Parts {
  db: Db
  clock: Clock
  /** Undefined where there is no place for files: the rows are deleted for good. */
  archive: Archive | undefined
}

/**
 * Removes the calls of UTC days that ended `keepMs` ago; their sums stay. A crash between archiving and deleting loses nothing:
 * the next run archives the same rows under the same name. Returns the number of removed rows.
 */
export async function expireUsage(parts: Parts, keepMs: number): Promise<number> {
  const { db, clock } = parts
  const end = Math.floor((clock.now() - keepMs) / DAY_MS) * DAY_MS
  return inPieces(clock, async () => {
    const [oldest] = await db
      .select({ at: usageLogs.createdAt })
      .from(usageLogs)
      .where(lt(usageLogs.createdAt, end))
      .orderBy(asc(usageLogs.createdAt))
      .limit(1)
    if (!oldest) return 0
    const dayEnd = Math.floor(oldest.at / DAY_MS + 1) * DAY_MS
    const rows = await db
      .select(getTableColumns(usageLogs))
      .from(usageLogs)
      .where(lt(usageLogs.createdAt, dayEnd))
      .orderBy(asc(usageLogs.createdAt), asc(usageLogs.id))
      .limit(PIECE)
    await store(parts, 'usage', oldest.at, rows)
    await db.batch([
      // Sums by group have the newest rows of the log only now and then, and an import has old rows among them.
      ...groupUp(db),
      // Before they are deleted, so that nobody takes the sums of a day with missing rows for wrong.
      db.update(usageSummed).set({ keptSince: sql`max(${usageSummed.keptSince}, ${dayEnd})` }),
      db.delete(usageLogs).where(sql`${usageLogs.id} in (${idsOf(rows)})`),
    ])
    return rows.length
  })
}

/** Removes entries of the audit that are older than `keepMs`, as expireUsage. */
export async function expireAudit(parts: Parts, keepMs: number): Promise<number> {
  const { db, clock } = parts
  const end = clock.now() - keepMs
  return inPieces(clock, async () => {
    // The oldest come first; a condition on the time would read all rows to find none.
    const first = await db.select().from(auditEvents).orderBy(asc(auditEvents.id)).limit(PIECE)
    const young = first.findIndex(({ at }) => at >= end)
    const rows = young < 0 ? first : first.slice(0, young)
    const [oldest] = rows
    if (!oldest) return 0
    await store(parts, 'audit', oldest.at, rows)
    await db.delete(auditEvents).where(sql`${auditEvents.id} in (${idsOf(rows)})`)
    return rows.length
  })
}

/** The time (ms, the start of a UTC day) since which every call has its row; 0 = ever. */
export async function keptSince(db: Db): Promise<number> {
  const [row] = await db.select({ since: usageSummed.keptSince }).from(usageSummed)
  return row?.since ?? 0
}

async function inPieces(clock: Clock, remove: () => Promise<number>): Promise<number> {
  const deadline = clock.elapsed() + LONGEST_MS
  let removed = 0
  for (;;) {
    const rows = await remove()
    removed += rows
    if (rows === 0 || clock.elapsed() > deadline) return removed
    // The driver of a local file answers without leaving this turn of the event loop: give calls theirs.
    await new Promise((resolve) => setTimeout(resolve))
  }
}

/** The name has the first row's day and id, so that the same rows have the same name. */
async function store({ archive }: Parts, kind: string, at: number, rows: readonly { id: number }[]) {
  const name = `${kind}-${new Date(at).toISOString().slice(0, 10)}-${rows[0]?.id}`
  await archive?.write(
    name,
    rows.map((row) => JSON.stringify(row)),
  )
}

function idsOf(rows: readonly { id: number }[]) {
  return sql`select value from json_each(${JSON.stringify(rows.map(({ id }) => id))})`
}

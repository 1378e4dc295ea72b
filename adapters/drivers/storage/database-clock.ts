/** The time of a database server's clock, for what processes with different clocks share there. */
import { sql } from 'drizzle-orm'
import type { Clock, Db } from '../../../core/ports.ts'

const SYNC_MS = 30_000

/** `clock`, set right by the server's, now and then every half minute. Without an answer the last difference holds. */
export async function databaseClock(db: Db, clock: Clock): Promise<Clock> {
  let aheadMs = 0
  let syncedAt = clock.elapsed()
  async function sync() {
    syncedAt = clock.elapsed()
    const before = clock.now()
    const [row] = await db
      .all<{ now: number }>(sql`select cast(unixepoch('subsec') * 1000 as integer) as now`)
      .catch(() => [])
    if (row) aheadMs = Math.round(row.now - (before + clock.now()) / 2)
  }
  await sync()
  return {
    ...clock,
    now() {
      if (clock.elapsed() - syncedAt > SYNC_MS) void sync()
      return clock.now() + aheadMs
    },
  }
}

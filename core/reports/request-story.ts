/** One request with its neighbours, and one session with its calls. Whose they are is part of each query. */
import { and, asc, desc, eq, gte, type SQL, sql } from 'drizzle-orm'
import { usageLogs } from '../db/schema.ts'
import type { Db } from '../ports.ts'
import { keptSince } from '../retention/retention.ts'
import { type LogRow, rowsOf } from './log-rows.ts'

/** The most calls of a session that are answered, its newest. */
export const MOST_CALLS = 500

/** A session is told apart within one person, because clients choose its name. */
export interface SessionOf {
  userId: number
  session: string
}

export interface FoundRequest {
  row: LogRow
  /** Request ids in the same session; null where there is none. */
  previous: string | null
  next: string | null
}

/** `userId`: of a person who may see only their own. Undefined if there is no such request for them. */
export async function findRequest(
  db: Db,
  requestId: string,
  userId?: number,
): Promise<FoundRequest | undefined> {
  const who = userId === undefined ? sql`` : sql`and user_id = ${userId}`
  const since = await keptSince(db)
  const [row] = await rowsOf(
    db,
    sql`select id from usage_logs where request_id = ${requestId} and created_at >= ${since} ${who}`,
  )
  if (!row) return undefined
  if (row.session === '') return { row, previous: null, next: null }
  const [previous, next] = await Promise.all([neighbour(db, row, '<'), neighbour(db, row, '>')])
  return { row, previous, next }
}

async function neighbour(db: Db, row: LogRow, side: '<' | '>'): Promise<string | null> {
  const order = side === '<' ? desc : asc
  const [found] = await db
    .select({ requestId: usageLogs.requestId })
    .from(usageLogs)
    .where(
      and(
        isOf(row),
        sql`(${usageLogs.createdAt}, ${usageLogs.id}) ${sql.raw(side)} (${row.createdAt}, ${row.id})`,
      ),
    )
    .orderBy(order(usageLogs.createdAt), order(usageLogs.id))
    .limit(1)
  return found?.requestId ?? null
}

export interface SessionSums {
  requests: number
  failed: number
  costMicros: number
  savedMicros: number
  inputTokens: number
  outputTokens: number
  cacheReadTokens: number
  cacheWriteTokens: number
  cacheMisses: number
}

/** The calls of a session, oldest first, and sums of all of them; undefined if there are none. */
export async function findSession(
  db: Db,
  of: SessionOf,
): Promise<{ calls: LogRow[]; sums: SessionSums } | undefined> {
  const kept = and(isOf(of), gte(usageLogs.createdAt, await keptSince(db)))
  const [sums] = await db.select(SUMS).from(usageLogs).where(kept)
  if (!sums || sums.requests === 0) return undefined
  const newest = await rowsOf(
    db,
    sql`select id from usage_logs where ${kept} order by created_at desc, id desc limit ${MOST_CALLS}`,
  )
  return { calls: newest.reverse(), sums }
}

/** That the session has a name lets SQLite use the index of those that have. */
function isOf({ userId, session }: SessionOf): SQL | undefined {
  return and(eq(usageLogs.userId, userId), eq(usageLogs.session, session), sql`session <> ''`)
}

const total = (what: SQL) => sql<number>`total(${what})`.mapWith(Number)
const SUMS = {
  requests: sql<number>`count(*)`.mapWith(Number),
  failed: total(sql`outcome <> 'ok'`),
  costMicros: total(sql`cost_micros`),
  savedMicros: total(sql`saved_micros`),
  inputTokens: total(sql`input_tokens`),
  outputTokens: total(sql`output_tokens`),
  cacheReadTokens: total(sql`cache_read_tokens`),
  cacheWriteTokens: total(sql`cache_write_5m_tokens + cache_write_1h_tokens`),
  cacheMisses: total(sql`cache_miss <> ''`),
}

/** Totals of keys and users, of all time and since a day, each from the coarsest sums that have them. */
import { and, type Column, eq, gte, type SQL, sql } from 'drizzle-orm'
import { usageSums } from '../db/schema.ts'
import type { Db } from '../ports.ts'
import { ALL_TOKENS } from './rollups.ts'

export interface Totals {
  requests: number
  totalTokens: number
  costMicros: number
  /** When the last call arrived (ms since 1970); null = never. */
  lastUsedAt: number | null
}

export const TOTAL_TOKENS = sql<number>`sum(${ALL_TOKENS})`.mapWith(Number)

const COST = sql<number>`sum(${usageSums.costMicros})`.mapWith(Number)
const TOTALS = {
  requests: sql<number>`sum(${usageSums.requests})`.mapWith(Number),
  totalTokens: TOTAL_TOKENS,
  costMicros: COST,
  lastUsedAt: sql<number>`max(${usageSums.lastAt})`.mapWith(Number),
}

/** All-time totals by key id. Keys without a call are missing. */
export async function totalsByKey(db: Db, ids: readonly number[]): Promise<Map<number, Totals>> {
  const rows = await db
    .select({ id: usageSums.apiKeyId, ...TOTALS })
    .from(usageSums)
    .where(and(since(0), among(usageSums.apiKeyId, ids)))
    .groupBy(usageSums.apiKeyId)
  return new Map(rows.map(({ id, ...totals }) => [id, totals]))
}

/** All-time totals by user id. Users without a call are missing. */
export async function totalsByUser(db: Db, ids: readonly number[]): Promise<Map<number, Totals>> {
  const rows = await db
    .select({ id: usageSums.userId, ...TOTALS })
    .from(usageSums)
    .where(and(since(0), among(usageSums.userId, ids)))
    .groupBy(usageSums.userId)
  return new Map(rows.map(({ id, ...totals }) => [id, totals]))
}

/** Condition for the sums by user and key since `start` (ms, the start of a UTC day; 0 = ever). */
export function since(start: number): SQL | undefined {
  if (start === 0) return and(eq(usageSums.cut, 'total'), eq(usageSums.start, 0))
  // Naming the users lets SQLite use the primary key; otherwise it would read all days.
  const everybody = sql`${usageSums.userId} in (select distinct user_id from usage_sums where cut = 'total')`
  return and(eq(usageSums.cut, 'key_day'), everybody, gte(usageSums.start, start))
}

/** `column in (ids)` with one parameter, because D1 takes 100: https://developers.cloudflare.com/d1/platform/limits/ */
export function among<T>(column: Column & { _: { data: T } }, ids: readonly T[]): SQL {
  return sql`${column} in (select value from json_each(${JSON.stringify(ids)}))`
}

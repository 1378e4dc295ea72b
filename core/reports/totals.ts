/** All-time totals of keys and users, and what they have used since a day, each from the coarsest sums that tell it. */
import { and, type Column, eq, gte, type SQL, sql } from 'drizzle-orm'
import { apiKeys, usageLogs, usageSums } from '../db/schema.ts'
import type { Db } from '../ports.ts'
import { ALL_TOKENS } from './rollups.ts'

export interface Totals {
  requests: number
  totalTokens: number
  costMicros: number
  /** When the last call arrived, ms; null = never. */
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

/** All that ever went through these keys. Keys without a call are missing. */
export async function totalsByKey(db: Db, ids: readonly number[]): Promise<Map<number, Totals>> {
  const rows = await db
    .select({ id: usageSums.apiKeyId, ...TOTALS })
    .from(apiKeys)
    // By its owner the rows of a key are found without a look at all others.
    .innerJoin(
      usageSums,
      and(since(0), eq(usageSums.userId, apiKeys.userId), eq(usageSums.apiKeyId, apiKeys.id)),
    )
    .where(among(apiKeys.id, ids))
    .groupBy(usageSums.apiKeyId)
  return new Map(rows.map(({ id, ...totals }) => [id, totals]))
}

/** All that these users ever used. Users without a call are missing. */
export async function totalsByUser(db: Db, ids: readonly number[]): Promise<Map<number, Totals>> {
  const rows = await db
    .select({ id: usageSums.userId, ...TOTALS })
    .from(usageSums)
    .where(and(since(0), among(usageSums.userId, ids)))
    .groupBy(usageSums.userId)
  return new Map(rows.map(({ id, ...totals }) => [id, totals]))
}

/** What these users have used since `start` (ms, at a UTC day's start; 0 = ever). Users without a call are missing. */
export async function usedByUsers(
  db: Db,
  ids: readonly number[],
  start: number,
): Promise<Map<number, { tokens: number; costMicros: number }>> {
  const rows = await db
    .select({ id: usageSums.userId, tokens: TOTAL_TOKENS, costMicros: COST })
    .from(usageSums)
    .where(and(since(start), among(usageSums.userId, ids)))
    .groupBy(usageSums.userId)
  return new Map(rows.map(({ id, ...used }) => [id, used]))
}

/** What one user has used since `start` (as above), in all and by key. */
export async function usedByUser(db: Db, userId: number, start: number) {
  const rows = await usedByKey(db, userId, start)
  const user = { tokens: 0, costMicros: 0 }
  for (const { tokens, costMicros } of rows) {
    user.tokens += tokens
    user.costMicros += costMicros
  }
  return { user, keys: new Map(rows.map(({ keyId, ...used }) => [keyId, used])) }
}

/** What one user has used since `start` (as above) by key, and which of `calls` (ids) are in it: of one moment. */
export async function usedWithCalls(db: Db, userId: number, start: number, calls: readonly string[]) {
  const [used, rows] = await db.batch([
    usedByKey(db, userId, start),
    db.select({ id: usageLogs.requestId }).from(usageLogs).where(among(usageLogs.requestId, calls)),
  ])
  return { used, recorded: new Set(rows.map(({ id }) => id)) }
}

function usedByKey(db: Db, userId: number, start: number) {
  return db
    .select({ keyId: usageSums.apiKeyId, tokens: TOTAL_TOKENS, costMicros: COST })
    .from(usageSums)
    .where(ofUserSince(userId, start))
    .groupBy(usageSums.apiKeyId)
}

/** The sums of one user by key since `start` (as above). */
export function ofUserSince(userId: number, start: number): SQL | undefined {
  const ofUser = eq(usageSums.userId, userId)
  if (start === 0) return and(eq(usageSums.cut, 'total'), ofUser, eq(usageSums.start, 0))
  return and(eq(usageSums.cut, 'key_day'), ofUser, gte(usageSums.start, start))
}

/** The sums by user and key since `start` (ms, at a UTC day's start; 0 = ever). */
export function since(start: number): SQL | undefined {
  if (start === 0) return and(eq(usageSums.cut, 'total'), eq(usageSums.start, 0))
  // With the users named, the primary key leads to the days of each; without, all days would be read.
  const everybody = sql`${usageSums.userId} in (select distinct user_id from usage_sums where cut = 'total')`
  return and(eq(usageSums.cut, 'key_day'), everybody, gte(usageSums.start, start))
}

/** As one parameter, however many: D1 takes a hundred. */
function among<T>(column: Column & { _: { data: T } }, ids: readonly T[]): SQL {
  return sql`${column} in (select value from json_each(${JSON.stringify(ids)}))`
}

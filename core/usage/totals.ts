/** All-time totals of keys and users, and what users have used in a period. */
import { and, gte, inArray, sql } from 'drizzle-orm'
import { usageHourly } from '../db/schema.ts'
import type { Db } from '../ports.ts'

export interface Totals {
  requests: number
  totalTokens: number
  costMicros: number
  lastUsedAt: number | null
}
const tokens =
  sql<number>`sum(${usageHourly.inputTokens} + ${usageHourly.outputTokens} + ${usageHourly.cacheReadTokens}
  + ${usageHourly.cacheWrite5mTokens} + ${usageHourly.cacheWrite1hTokens})`.mapWith(Number)
const sums = {
  requests: sql<number>`sum(${usageHourly.requests})`.mapWith(Number),
  totalTokens: tokens,
  costMicros: sql<number>`sum(${usageHourly.costMicros})`.mapWith(Number),
  lastUsedAt: sql<number>`max(${usageHourly.lastAt})`.mapWith(Number),
}

export async function totalsByKey(db: Db, ids: readonly number[]): Promise<Map<number, Totals>> {
  const rows = await db
    .select({ id: usageHourly.apiKeyId, ...sums })
    .from(usageHourly)
    .where(inArray(usageHourly.apiKeyId, [...ids]))
    .groupBy(usageHourly.apiKeyId)
  return new Map(rows.map(({ id, ...totals }) => [id, totals]))
}

export async function totalsByUser(db: Db, ids: readonly number[]): Promise<Map<number, Totals>> {
  const rows = await db
    .select({ id: usageHourly.userId, ...sums })
    .from(usageHourly)
    .where(inArray(usageHourly.userId, [...ids]))
    .groupBy(usageHourly.userId)
  return new Map(rows.map(({ id, ...totals }) => [id, totals]))
}

export async function usedByUsers(
  db: Db,
  ids: readonly number[],
  since: number,
): Promise<Map<number, { tokens: number; costMicros: number }>> {
  const rows = await db
    .select({ id: usageHourly.userId, tokens, costMicros: sums.costMicros })
    .from(usageHourly)
    .where(and(inArray(usageHourly.userId, [...ids]), gte(usageHourly.hour, since)))
    .groupBy(usageHourly.userId)
  return new Map(rows.map(({ id, ...used }) => [id, used]))
}

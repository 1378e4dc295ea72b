/** Sums of usage, always from the hourly rollup, never from the log. */
import { asc, desc, eq, gte, sql } from 'drizzle-orm'
import { usageHourly, users } from '../db/schema.ts'
import type { Db } from '../ports.ts'

export interface UsageSum {
  name: string
  requests: number
  errors: number
  totalTokens: number
  costMicros: number
}
export type UsageBy = 'user' | 'model' | 'backend' | 'day'

/** Use since `start` (ms), summed by one dimension: days in order, the rest with the dearest first. */
export function sumUsage(db: Db, by: UsageBy, start: number): Promise<UsageSum[]> {
  const name = {
    user: sql<string>`coalesce(${users.itcode}, 'user ' || ${usageHourly.userId})`,
    model: sql<string>`${usageHourly.model}`,
    backend: sql<string>`${usageHourly.backend}`,
    day: sql<string>`date(${usageHourly.hour} / 1000, 'unixepoch')`,
  }[by]
  const costMicros = sql<number>`sum(${usageHourly.costMicros})`.mapWith(Number)
  return db
    .select({
      name,
      requests: sql<number>`sum(${usageHourly.requests})`.mapWith(Number),
      errors: sql<number>`sum(${usageHourly.errors})`.mapWith(Number),
      totalTokens:
        sql<number>`sum(${usageHourly.inputTokens} + ${usageHourly.outputTokens} + ${usageHourly.cacheReadTokens}
        + ${usageHourly.cacheWrite5mTokens} + ${usageHourly.cacheWrite1hTokens})`.mapWith(Number),
      costMicros,
    })
    .from(usageHourly)
    .leftJoin(users, eq(users.id, usageHourly.userId))
    .where(gte(usageHourly.hour, start))
    .groupBy(name)
    .orderBy(by === 'day' ? asc(name) : desc(costMicros))
}

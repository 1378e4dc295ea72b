/** Usage of whole UTC days by user, model, backend or day, for the command line. */

import { and, asc, desc, eq, gte, sql } from 'drizzle-orm'
import { usageSums, users } from '../db/schema.ts'
import type { Db } from '../ports.ts'
import { GATEWAY_ID, GATEWAY_NAME } from './gateway-calls.ts'
import { since, TOTAL_TOKENS } from './totals.ts'

export interface UsageSum {
  name: string
  requests: number
  errors: number
  totalTokens: number
  costMicros: number
}
export type UsageBy = 'user' | 'model' | 'backend' | 'day'

/** Use since `start` (ms, the start of a UTC day) by one dimension. Days are in order, others the most expensive first. */
export function sumUsage(db: Db, by: UsageBy, start: number): Promise<UsageSum[]> {
  const name = {
    user: sql<string>`case ${usageSums.userId} when ${GATEWAY_ID} then ${GATEWAY_NAME}
      else coalesce(${users.itcode}, 'user ' || ${usageSums.userId}) end`,
    model: sql<string>`${usageSums.model}`,
    backend: sql<string>`${usageSums.backend}`,
    day: sql<string>`date(${usageSums.start} / 1000, 'unixepoch')`,
  }[by]
  const ofSite = and(eq(usageSums.cut, 'site_day'), eq(usageSums.userId, 0), gte(usageSums.start, start))
  const costMicros = sql<number>`sum(${usageSums.costMicros})`.mapWith(Number)
  return db
    .select({
      name,
      requests: sql<number>`sum(${usageSums.requests})`.mapWith(Number),
      errors: sql<number>`sum(${usageSums.errors})`.mapWith(Number),
      totalTokens: TOTAL_TOKENS,
      costMicros,
    })
    .from(usageSums)
    .leftJoin(users, eq(users.id, usageSums.userId))
    .where(by === 'user' ? since(start) : ofSite)
    .groupBy(name)
    .orderBy(by === 'day' ? asc(name) : desc(costMicros))
}

/** Which models were called, at any time. */
import { sql } from 'drizzle-orm'
import type { Db } from '../ports.ts'

/** More than a list to choose from can show. */
const MOST = 200

/** By a person, or by anybody; the most expensive first. */
export async function modelsUsed(db: Db, userId?: number): Promise<string[]> {
  const whose = userId === undefined ? sql`` : sql`and user_id = ${userId}`
  const rows = await db.all<{ model: string }>(sql`select model from usage_sums where cut = 'total' ${whose}
    group by model order by sum(cost_micros) desc, model limit ${MOST}`)
  return rows.map(({ model }) => model)
}

/** How often a person may ask in a day, because each time is a message to all who decide: whoever withdraws may ask again. */
import { type SQL, sql } from 'drizzle-orm'
import { Refusal } from '../errors.ts'
import type { Db } from '../ports.ts'
import { CLOCK_SKEW_MS } from '../skew.ts'
import { DAY_MS } from '../units.ts'

/** More than anybody needs who may have twenty pending. */
const MOST_A_DAY = 40

interface Asker {
  userId: number
  now: number
}

/** Of those of the last day, when the one was made that has to be a day old before another is taken; null while there is room. */
export function oftenSince(table: 'applications' | 'increase_requests', { userId, now }: Asker): SQL {
  return sql`(select created_at from ${sql.raw(table)} where user_id = ${userId}
    and created_at > ${now - DAY_MS} and created_at <= ${now + CLOCK_SKEW_MS}
    order by created_at desc limit 1 offset ${MOST_A_DAY - 1})`
}

/** Throws a Refusal rate_limited. */
export async function assertNotOften(
  db: Db,
  table: 'applications' | 'increase_requests',
  asker: Asker,
): Promise<void> {
  const [row] = await db.all<{ since: number | null }>(sql`select ${oftenSince(table, asker)} as since`)
  if (row?.since == null) return
  throw new Refusal('rate_limited', `You have asked ${MOST_A_DAY} times within a day. Ask again later.`, {
    retryAfterMs: row.since + DAY_MS - asker.now,
  })
}

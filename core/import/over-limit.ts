/** Who has used up a limit: after an import, the calls of the present period count from the start. */
import { and, eq, like } from 'drizzle-orm'
import { limitSpent, users } from '../db/schema.ts'
import { capsOf } from '../limits/caps.ts'
import { createPeriods } from '../limits/period.ts'
import type { Clock, Db } from '../ports.ts'
import type { Settings } from '../settings.ts'

interface OverLimit {
  itcode: string
  /** Used in the period and allowed, in tokens (`quota`) or micro-dollars (`budget`). */
  limit: 'quota' | 'budget'
  used: number
  allowed: number
}

/** Active users who are refused from now on by a limit for limits.period, by name. */
export async function overLimit({
  db,
  clock,
  settings,
}: {
  db: Db
  clock: Clock
  settings: Pick<Settings, 'limits'>
}): Promise<OverLimit[]> {
  const { period, timeZone } = settings.limits
  const now = clock.now()
  const { start } = createPeriods(timeZone).spanOf(period, now)
  const spent = await db
    .select()
    .from(limitSpent)
    .where(and(like(limitSpent.owner, 'user:%'), eq(limitSpent.period, period), eq(limitSpent.start, start)))
  const used = new Map(spent.map((row) => [row.owner, row]))
  const active = await db.select().from(users).where(eq(users.status, 'active')).orderBy(users.itcode)
  const caps = await capsOf(
    { db, settings },
    active.map(({ id }) => id),
    now,
  )
  return active.flatMap(({ id, itcode, quotaTokens }) => {
    const { tokens = 0, micros = 0 } = used.get(`user:${id}`) ?? {}
    const cap = caps.get(id)?.find((one) => one.period === period)?.micros ?? Number.POSITIVE_INFINITY
    const over: OverLimit[] = []
    if (quotaTokens > 0 && tokens >= quotaTokens) {
      over.push({ itcode, limit: 'quota', used: tokens, allowed: quotaTokens })
    }
    if (micros >= cap) over.push({ itcode, limit: 'budget', used: micros, allowed: cap })
    return over
  })
}

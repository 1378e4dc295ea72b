/** Who has used up a limit: after an import, the calls of the present period count from the start. */
import { and, eq, gt, or } from 'drizzle-orm'
import { users } from '../db/schema.ts'
import { periodOf } from '../limits/period.ts'
import type { Clock, Db } from '../ports.ts'
import { usedSince } from '../reports/write.ts'
import type { Period } from '../settings.ts'

interface OverLimit {
  itcode: string
  /** Used in the period and allowed, in tokens (`quota`) or micro-dollars (`budget`). */
  limit: 'quota' | 'budget'
  used: number
  allowed: number
}

/** Active users who are refused from now on, by name. */
export async function overLimit(
  { db, clock }: { db: Db; clock: Clock },
  period: Period,
): Promise<OverLimit[]> {
  const used = new Map<number, { tokens: number; costMicros: number }>()
  for (const { userId, tokens, costMicros } of await usedSince(db, periodOf(period, clock.now()).start)) {
    const sum = used.get(userId) ?? { tokens: 0, costMicros: 0 }
    used.set(userId, { tokens: sum.tokens + tokens, costMicros: sum.costMicros + costMicros })
  }
  const limited = await db
    .select()
    .from(users)
    .where(and(eq(users.status, 'active'), or(gt(users.quotaTokens, 0), gt(users.budgetMicros, 0))))
    .orderBy(users.itcode)
  return limited.flatMap(({ id, itcode, quotaTokens, budgetMicros }) => {
    const { tokens, costMicros } = used.get(id) ?? { tokens: 0, costMicros: 0 }
    const limits = [
      { itcode, limit: 'quota' as const, used: tokens, allowed: quotaTokens },
      { itcode, limit: 'budget' as const, used: costMicros, allowed: budgetMicros },
    ]
    return limits.filter(({ used: spent, allowed }) => allowed > 0 && spent >= allowed)
  })
}

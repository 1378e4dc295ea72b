/** Makes spend limits of the budgets that earlier releases kept in users.budget_micros: once for a database. */
import { sql } from 'drizzle-orm'
import type { Clock, Db } from '../ports.ts'
import type { Settings } from '../settings.ts'

/**
 * Budgets above 0 become limits of the people for limits.period. Those equal to limits.default_budget_usd become none,
 * because that holds for everybody without a row. One audit row each. Several processes may run it at once.
 */
export async function moveBudgets({
  db,
  clock,
  settings,
}: {
  db: Db
  clock: Clock
  settings: Pick<Settings, 'limits'>
}): Promise<void> {
  const [state] = await db.all<{ moved: number }>(
    sql`select budgets_moved as moved from limit_state where id = 1`,
  )
  if (state?.moved === 1) return
  const { period, defaultBudgetMicros } = settings.limits
  const now = clock.now()
  const isMoved = sql`exists (select 1 from limit_state where id = 1 and not budgets_moved)`
  const kept = sql`budget_micros > 0 and budget_micros <> ${defaultBudgetMicros} and ${isMoved}`
  const dropped = sql`budget_micros > 0 and budget_micros = ${defaultBudgetMicros} and ${isMoved}`
  const target = sql`'limit:user:' || id || ':' || ${period}`
  const amount = sql`json_object('amount_usd', budget_micros / 1000000.0)`
  await db.batch([
    db.run(sql`insert into spend_limits (scope, scope_id, period, amount_micros, is_set, created_at, updated_at)
      select 'user', id, ${period}, budget_micros, 1, ${now}, ${now} from users where ${kept} on conflict do nothing`),
    db.run(sql`insert into audit_events (at, action, target, after)
      select ${now}, 'limit.moved', ${target}, ${amount} from users where ${kept}`),
    db.run(sql`insert into audit_events (at, action, target, before)
      select ${now}, 'limit.is_default', ${target}, ${amount} from users where ${dropped}`),
    db.run(sql`update limit_state set budgets_moved = true where id = 1`),
  ])
}

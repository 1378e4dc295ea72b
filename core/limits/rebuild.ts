/** What was used in the current periods, counted again where limits go by another time zone than before. */
import { eq, sql } from 'drizzle-orm'
import { RESERVED } from '../db/batches.ts'
import { limitState } from '../db/schema.ts'
import type { Db, Logger } from '../ports.ts'
import { ALL_TOKENS } from '../reports/rollups.ts'
import { ownedIn } from '../reports/spent.ts'
import type { Settings } from '../settings.ts'
import { createPeriods } from './period.ts'

/**
 * Called at each start, at `now` (ms since 1970). Writes limit_spent of the current day, week and month again from the log if
 * `timeZone` is another than before: in one batch, so that of several processes one does it. Notes a changed `period`, because
 * quotas keep their numbers and hold for periods of another length.
 */
export async function adoptPeriods(
  { db, logger }: { db: Db; logger: Pick<Logger, 'info' | 'warn'> },
  { timeZone, period }: Pick<Settings['limits'], 'timeZone' | 'period'>,
  now: number,
): Promise<void> {
  const [before] = await db.select().from(limitState)
  if (!before || (before.timeZone === timeZone && before.period === period)) return
  if (before.timeZone !== timeZone) {
    logger.info('limits.counted_again', { from: before.timeZone, to: timeZone })
    await rebuild(db, timeZone, now)
  }
  if (before.period === period) return
  if (before.period !== null) {
    const unchanged = 'quotas and budgets keep their numbers'
    logger.warn('limits.period_changed', { from: before.period, to: period, note: unchanged })
  }
  await db.update(limitState).set({ period })
}

/** As far as the log has rows: those that `usage.keep` removed count no longer. */
async function rebuild(db: Db, timeZone: string, now: number): Promise<void> {
  const [day, week, month] = createPeriods(timeZone).startsAt(now)
  const first = Math.min(day, week, month)
  const isOther = sql`exists (select 1 from limit_state where time_zone <> ${timeZone})`
  const starts = sql`(values ('daily', ${day}), ('weekly', ${week}), ('monthly', ${month}))`
  // In pieces by what lies in which period, so that each call is read once.
  const used = sql`
    select user_id, api_key_id, billing_group_id, billing_parents, created_at >= ${day} as of_day,
      created_at >= ${week} as of_week, created_at >= ${month} as of_month, sum(cost_micros) as micros, sum(${ALL_TOKENS}) as tokens
    from usage_logs where created_at >= ${first} and id <= (select spent_id from usage_summed) and ${isOther}
    group by 1, 2, 3, 4, 5, 6, 7
    union all select user_id, api_key_id, billing_group_id, billing_parents, created_at >= ${day}, created_at >= ${week},
      created_at >= ${month}, micros, tokens from ${RESERVED} where created_at >= ${first} and ${isOther}`
  await db.batch([
    db.run(sql`delete from limit_spent where ${isOther}
      and exists (select 1 from ${starts} as s where s.column1 = period and limit_spent.start >= s.column2)`),
    db.run(sql`with used as materialized (${used}), ${ownedIn('of_day, of_week, of_month')},
      periods as (select column1 as period, column2 as start from ${starts})
      insert into limit_spent (owner, period, start, micros, tokens)
      select owner, period, start, sum(micros), sum(tokens) from owned cross join periods
      where case period when 'daily' then of_day when 'weekly' then of_week else of_month end group by 1, 2, 3`),
    // What is freed later comes off the periods that it was counted in.
    db.run(sql`update batches set day = iif(created_at >= ${day}, ${day}, day), week = iif(created_at >= ${week}, ${week}, week),
      month = iif(created_at >= ${month}, ${month}, month) where state in ('sending', 'open') and ${isOther}`),
    db.update(limitState).set({ timeZone }).where(eq(limitState.id, 1)),
  ])
}

/** Repairs sums by group, and what counts against limits, that differ from the log because someone edited the database. */
import { type SQL, sql } from 'drizzle-orm'
import { RESERVED } from '../db/batches.ts'
import type { Periods } from '../limits/period.ts'
import type { Db } from '../ports.ts'
import { DAY_MS, HOUR_MS } from '../units.ts'
import {
  addToGroups,
  cutsOfLength,
  type GroupCut,
  groupedLog,
  groupedRows,
  groupUp,
  SIX_HOURS_MS,
} from './by-group.ts'
import { groupedSums, keptOf } from './grouped.ts'
import { ALL_TOKENS, FORTNIGHT_MS } from './rollups.ts'
import { ownedIn } from './spent.ts'
import { sumUp } from './write.ts'

/** Each is written again from the one before, the first from the log. */
const GRAINS = [
  ['hour', HOUR_MS],
  ['6h', SIX_HOURS_MS],
  ['day', DAY_MS],
  ['fortnight', FORTNIGHT_MS],
] as const
type Grain = (typeof GRAINS)[number][0]

const startOf = (at: number, ms: number) => Math.floor(at / ms) * ms

/** Everybody with calls or sums, and 0 for sums that have no users: naming them lets SQLite use the primary key. */
async function everybodyIn(db: Db): Promise<SQL> {
  const rows = await db.all<{ id: number }>(sql`select 0 as id
    union select user_id from usage_sums where cut = 'total'
    union select user_id from usage_by_group where cut in ('caller_fortnight', 'full_fortnight')`)
  return sql`user_id in (select value from json_each(${JSON.stringify(rows.map(({ id }) => id))}))`
}
/** The rows of the log that are in these sums. */
const SUMMED = sql`+id > (select ungrouped_id from usage_summed) and +id <= (select grouped_id from usage_summed)`

/** As repairSums, of usage_by_group. `start` is the start of a UTC hour since which the log has all rows. */
export async function repairGroups(db: Db, start: number): Promise<boolean> {
  await db.batch(groupUp(db))
  const who = await everybodyIn(db)
  if (await groupsAgree(db, who, start)) return false
  for (const [at, [grain, ms]] of GRAINS.entries()) {
    const from = startOf(start, ms)
    const finer = GRAINS[at - 1]?.[0]
    for (const begin of await startsOf(db, { who, grain, finer, ms, from })) {
      const span = sql`start >= ${begin} and start < ${begin + ms}`
      const rows = finer
        ? groupedRows(sql`usage_by_group where cut = ${`full_${finer}`} and ${who} and ${span}`)
        : groupedLog(
            sql`usage_logs where created_at >= ${begin} and created_at < ${begin + ms} and ${SUMMED}`,
          )
      await db.batch([
        db.run(sql`delete from usage_by_group where cut in ${cutsOfLength(grain)} and ${who} and ${span}`),
        db.run(addToGroups(rows, cutsOfLength(grain))),
      ])
    }
  }
  return true
}

/** When sums of this grain begin, or would. */
async function startsOf(
  db: Db,
  {
    who,
    grain,
    finer,
    ms,
    from,
  }: { who: SQL; grain: Grain; finer: Grain | undefined; ms: number; from: number },
): Promise<number[]> {
  const unit = sql.raw(String(ms))
  const origin = finer
    ? sql`select start from usage_by_group where cut = ${`full_${finer}`} and ${who} and start >= ${from}`
    : sql`select created_at as start from usage_logs where created_at >= ${from} and ${SUMMED}`
  const rows = await db.all<{ at: number }>(sql`
    select start / ${unit} * ${unit} as at from (${origin})
    union select start from usage_by_group where cut in ${cutsOfLength(grain)} and ${who} and start >= ${from}`)
  return rows.map(({ at }) => at)
}

/** Whether each cut has what the next finer one has, and the finest what the log has. */
async function groupsAgree(db: Db, who: SQL, start: number): Promise<boolean> {
  const log = groupedLog(sql`usage_logs where created_at >= ${start} and ${SUMMED}`)
  const comparisons = GRAINS.flatMap(([grain, ms], at) => {
    const from = startOf(start, ms)
    const finer = GRAINS[at - 1]?.[0]
    const expected = finer ? figuresOf(cutSince(`full_${finer}`, who, from)) : figuresOf(log)
    return cutsOfLength(grain).map((cut) => sql`${expected} = ${figuresOf(cutSince(cut, who, from))}`)
  })
  const [told] = await db.all<{ same: number }>(sql`select ${sql.join(comparisons, sql` and `)} as same`)
  return told?.same === 1
}

const cutSince = (cut: GroupCut, who: SQL, from: number) =>
  sql`select * from usage_by_group where cut = ${cut} and ${who} and start >= ${from}`

function figuresOf(rows: SQL): SQL {
  return sql`(select json_array(sum(requests), sum(errors), sum(${ALL_TOKENS}), sum(cost_micros), sum(input_micros),
    sum(output_micros), sum(cache_read_micros), sum(server_tool_micros), sum(saved_micros), sum(web_searches),
    sum(billing_group_id * requests), max(last_at)) from (${rows}))`
}

/**
 * Compares limit_spent of the current day, week and month with the sums, and writes it again if it differs. Returns whether it
 * did. Calls count in the periods in which they arrived.
 */
export async function repairSpent(db: Db, periods: Periods, now: number): Promise<boolean> {
  const starts = periods.startsAt(now)
  const ranges = starts.map((from) => ({ from, to: Math.max(now, from) + DAY_MS }))
  const sums = groupedSums(['user', 'key', 'group', 'parents'], {}, ranges, await keptOf(db))
  const expected = sql`with used as materialized (select user_id, api_key_id, billing_group_id, billing_parents,
      place = 0 as of_day, place = 1 as of_week, place = 2 as of_month, cost_micros as micros, ${ALL_TOKENS} as tokens
      from (${sums})
      union all select user_id, api_key_id, billing_group_id, billing_parents, day = ${starts[0]}, week = ${starts[1]},
        month = ${starts[2]}, micros, tokens from ${RESERVED}),
    ${ownedIn('of_day, of_week, of_month')},
    current (period, start) as (values ('daily', ${starts[0]}), ('weekly', ${starts[1]}), ('monthly', ${starts[2]})),
    expected as (select owner, period, start, sum(micros) as micros, sum(tokens) as tokens from owned cross join current
      where case period when 'daily' then of_day when 'weekly' then of_week else of_month end group by 1, 2, 3)`
  const [, , , , , differing] = await db.batch([
    ...sumUp(db),
    db.all<{ owner: string }>(sql`${expected}
      select owner from (select owner, period, micros, tokens from expected
        union all select owner, period, -micros, -tokens from limit_spent join current using (period, start))
      group by owner, period having sum(micros) <> 0 or sum(tokens) <> 0 limit 1`),
  ])
  if (differing.length === 0) return false
  await db.batch([
    ...sumUp(db),
    db.run(sql`delete from limit_spent where (period, start) in
      (values ('daily', ${starts[0]}), ('weekly', ${starts[1]}), ('monthly', ${starts[2]}))`),
    db.run(sql`insert into limit_spent (owner, period, start, micros, tokens) ${expected}
      select owner, period, start, micros, tokens from expected`),
  ])
  return true
}

/** Removes what was spent in periods before the current ones and those before them. Returns how many rows. */
export async function pruneSpent(db: Db, periods: Periods, now: number): Promise<number> {
  const old = (['daily', 'weekly', 'monthly'] as const).map((period) => {
    const { start } = periods.spanOf(period, now)
    return sql`(period = ${period} and start < ${periods.spanOf(period, start - 1).start})`
  })
  const removed = await db.all<{ owner: string }>(
    sql`delete from limit_spent where ${sql.join(old, sql` or `)} returning owner`,
  )
  return removed.length
}

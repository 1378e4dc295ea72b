/** Repairs sums that differ from the log. Both are written in one batch, so they differ only if someone edits the database. */
import { type SQL, sql } from 'drizzle-orm'
import type { Db } from '../ports.ts'
import { DAY_MS } from '../units.ts'
import { latencyOfLog } from './latency.ts'
import {
  ALL_TOKENS,
  addToHourly,
  addToLatency,
  addToSums,
  type Cut,
  FORTNIGHT_MS,
  ofHours,
  ofLog,
  ofSums,
} from './rollups.ts'
import { sumUp } from './write.ts'

/**
 * Compares the sums since `start` (ms, the start of a UTC hour) with the log and writes them again if they differ. Returns
 * whether they did.
 */
export async function repairSums(db: Db, start: number): Promise<boolean> {
  const day = Math.floor(start / DAY_MS) * DAY_MS
  const fortnight = Math.floor(start / FORTNIGHT_MS) * FORTNIGHT_MS
  if (await agree(db, { start, day, fortnight })) return false
  const log = sql`usage_logs where created_at >= ${start}`
  const hours = ofHours(sql`usage_hourly where hour >= ${day}`)
  const days = ofSums(sql`usage_sums where cut = 'full_day' and start >= ${fortnight}`)
  const timedHours = sql`select start, backend, bucket, requests from usage_latency where unit = 'hour' and start >= ${day}`
  await db.batch([
    ...sumUp(db),
    db.run(sql`delete from usage_hourly where hour >= ${start}`),
    db.run(addToHourly(ofLog(log))),
    db.run(sql`delete from usage_sums where cut in ('site_quarter', 'site_hour') and start >= ${start}`),
    db.run(addToSums(ofLog(log), ['site_quarter', 'site_hour'])),
    db.run(sql`delete from usage_sums where cut in ('site_day', 'key_day', 'full_day') and start >= ${day}`),
    db.run(addToSums(hours, ['site_day', 'key_day', 'full_day'])),
    db.run(sql`delete from usage_sums where cut = 'full_fortnight' and start >= ${fortnight}`),
    db.run(addToSums(days, ['full_fortnight'])),
    db.run(sql`delete from usage_sums where cut = 'total'`),
    db.run(addToSums(ofSums(sql`usage_sums where cut = 'full_fortnight'`), ['total'])),
    db.run(sql`delete from usage_latency where start >= iif(unit = 'day', ${day}, ${start})`),
    db.run(addToLatency(latencyOfLog(log), ['hour'])),
    db.run(addToLatency(timedHours, ['day'])),
  ])
  return true
}

/** Whether the log since `start`, every cut for that time and the totals are equal. */
async function agree(
  db: Db,
  { start, day, fortnight }: { start: number; day: number; fortnight: number },
): Promise<boolean> {
  const site = (cut: Cut, from: number) =>
    figuresOf(ofSums(sql`usage_sums where cut = ${cut} and user_id = 0 and start >= ${from}`))
  const people = (cut: Cut, from: number) =>
    figuresOf(
      ofSums(sql`usage_sums where cut = ${cut} and start >= ${from}
        and user_id in (select distinct user_id from usage_sums where cut = 'total')`),
    )
  const ever = (cut: Cut) => figuresOf(ofSums(sql`usage_sums where cut = ${cut}`))
  const timed = (unit: string, from: number) =>
    sql`(select total(requests) from usage_latency where unit = ${unit} and start >= ${from})`
  const [told] = await db.all<{ same: number }>(sql`
    with told as materialized (select
      ${figuresOf(ofLog(sql`usage_logs where created_at >= ${start}`))} as of_log,
      ${figuresOf(ofHours(sql`usage_hourly where hour >= ${day}`))} as of_days)
    select of_log = ${figuresOf(ofHours(sql`usage_hourly where hour >= ${start}`))}
      and of_log = ${site('site_quarter', start)} and of_log = ${site('site_hour', start)}
      and of_days = ${site('site_day', day)} and of_days = ${people('key_day', day)}
      and of_days = ${people('full_day', day)}
      and ${people('full_fortnight', fortnight)} = ${people('key_day', fortnight)}
      and ${ever('total')} = ${ever('full_fortnight')}
      and coalesce(of_log->>0, 0) = ${timed('hour', start)} and coalesce(of_days->>0, 0) = ${timed('day', day)}
      and (select coalesce(max(id), 0) from usage_logs) <= (select log_id from usage_summed) as same
    from told`)
  return told?.same === 1
}

/** The figures in which two sums of the same calls must agree, as one JSON text. `rows` have the columns of usage_sums. */
function figuresOf(rows: SQL): SQL {
  return sql`(select json_array(sum(requests), sum(errors), sum(${ALL_TOKENS}), sum(cost_micros),
    sum(latency_ms), max(last_at)) from (${rows}))`
}

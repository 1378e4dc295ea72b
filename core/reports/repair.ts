/** Repairs sums that differ from the log. Both are written in one batch, so they differ only if someone edits the database. */
import { type SQL, sql } from 'drizzle-orm'
import type { Db } from '../ports.ts'
import { keptSince } from '../retention/retention.ts'
import { DAY_MS, HOUR_MS } from '../units.ts'
import { latencyOfLog } from './latency.ts'
import { repairGroups } from './repair-groups.ts'
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

/** Users whose sums are written again in one batch. */
const USERS = 200

/**
 * Compares the sums since a time (ms, the start of a UTC hour) with the log and writes them again if they differ. Returns
 * whether they did. Days whose rows are not kept are left alone.
 *
 * They are written in pieces, each in a batch of its own, so that writers never wait for long. A call that is written between
 * two pieces is in the sums that are repaired already and in those that are not, because it is added to all of them.
 */
export async function repairSums(db: Db, since: number): Promise<boolean> {
  const start = Math.max(since, await keptSince(db))
  const repaired = await repairOlder(db, start)
  // After the others, which tell who has calls.
  return (await repairGroups(db, start)) || repaired
}

async function repairOlder(db: Db, start: number): Promise<boolean> {
  const day = startOf(start, DAY_MS)
  const fortnight = startOf(start, FORTNIGHT_MS)
  if (await agree(db, { start, day, fortnight })) return false
  await db.batch(sumUp(db))
  // Nearly always they lacked the newest calls alone.
  if (await agree(db, { start, day, fortnight })) return true
  const users = await usersSince(db, start)
  const hours = await hoursSince(db, start)
  for (const hour of hours) await repairHour(db, hour)
  const days = new Set([...hours.map((hour) => startOf(hour, DAY_MS)), ...(await daysSince(db, day, users))])
  for (const each of days) await repairDay(db, each, users)
  const fortnights = new Set([...days].map((each) => startOf(each, FORTNIGHT_MS)))
  for (let i = 0; i < users.length; i += USERS) {
    await repairPeople(db, [...fortnights], users.slice(i, i + USERS))
  }
  return true
}

const startOf = (at: number, ms: number) => Math.floor(at / ms) * ms

/** What is made from the log: sums and latencies of one hour. */
async function repairHour(db: Db, hour: number): Promise<void> {
  const end = hour + HOUR_MS
  const log = sql`usage_logs where created_at >= ${hour} and created_at < ${end}`
  await db.batch([
    db.run(sql`delete from usage_hourly where hour = ${hour}`),
    db.run(addToHourly(ofLog(log))),
    db.run(sql`delete from usage_sums where cut in ('site_quarter', 'site_hour') and user_id = 0
      and start >= ${hour} and start < ${end}`),
    db.run(addToSums(ofLog(log), ['site_quarter', 'site_hour'])),
    db.run(sql`delete from usage_latency where unit = 'hour' and start = ${hour}`),
    db.run(addToLatency(latencyOfLog(log), ['hour'])),
  ])
}

/** What is made from the hours: sums and latencies of one day. */
async function repairDay(db: Db, day: number, users: readonly number[]): Promise<void> {
  const end = day + DAY_MS
  const timed = sql`select start, backend, bucket, requests from usage_latency
    where unit = 'hour' and start >= ${day} and start < ${end}`
  await db.batch([
    db.run(sql`delete from usage_sums where cut in ('site_day', 'key_day', 'full_day')
      and user_id in (${listed([0, ...users])}) and start = ${day}`),
    db.run(
      addToSums(ofHours(sql`usage_hourly where hour >= ${day} and hour < ${end}`), [
        'site_day',
        'key_day',
        'full_day',
      ]),
    ),
    db.run(sql`delete from usage_latency where unit = 'day' and start = ${day}`),
    db.run(addToLatency(timed, ['day'])),
  ])
}

/** What is made from the days of some users: their fortnights and totals. */
async function repairPeople(db: Db, fortnights: readonly number[], users: readonly number[]): Promise<void> {
  const ofUsers = (cut: Cut) => sql`usage_sums where cut = ${cut} and user_id in (${listed(users)})`
  const again = fortnights.flatMap((from) => {
    const span = sql`start >= ${from} and start < ${from + FORTNIGHT_MS}`
    return [
      db.run(sql`delete from ${ofUsers('full_fortnight')} and ${span}`),
      db.run(addToSums(ofSums(sql`${ofUsers('full_day')} and ${span}`), ['full_fortnight'])),
    ]
  })
  await db.batch([
    db.run(sql`delete from ${ofUsers('total')}`),
    ...again,
    db.run(addToSums(ofSums(ofUsers('full_fortnight')), ['total'])),
  ])
}

/** Everybody with calls or sums, since `start` or in the totals. */
async function usersSince(db: Db, start: number): Promise<number[]> {
  const rows = await db.all<{ id: number }>(sql`
    select user_id as id from usage_logs where created_at >= ${start}
    union select user_id from usage_hourly where hour >= ${start}
    union select user_id from usage_sums where cut = 'full_fortnight'
    union select user_id from usage_sums where cut = 'total'`)
  return rows.map(({ id }) => id)
}

/** The hours since `start` with calls, sums or latencies. */
async function hoursSince(db: Db, start: number): Promise<number[]> {
  const hour = sql.raw(String(HOUR_MS))
  const rows = await db.all<{ at: number }>(sql`
    select created_at / ${hour} * ${hour} as at from usage_logs where created_at >= ${start}
    union select hour from usage_hourly where hour >= ${start}
    union select start from usage_latency where unit = 'hour' and start >= ${start}
    union select start / ${hour} * ${hour} from usage_sums
      where cut in ('site_quarter', 'site_hour') and user_id = 0 and start >= ${start}`)
  return rows.map(({ at }) => at)
}

/** The days since `day` with sums or latencies of these users. */
async function daysSince(db: Db, day: number, users: readonly number[]): Promise<number[]> {
  const rows = await db.all<{ at: number }>(sql`
    select start as at from usage_latency where unit = 'day' and start >= ${day}
    union select start from usage_sums where cut in ('site_day', 'key_day', 'full_day')
      and user_id in (${listed([0, ...users])}) and start >= ${day}`)
  return rows.map(({ at }) => at)
}

function listed(ids: readonly number[]): SQL {
  return sql`select value from json_each(${JSON.stringify(ids)})`
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

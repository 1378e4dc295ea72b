/** How calls become sums: the SQL that writing, repairing and reading share. */
import { type SQL, sql } from 'drizzle-orm'
import type { usageLatency, usageSums } from '../db/schema.ts'
import type { Db } from '../ports.ts'
import { DAY_MS, HOUR_MS, QUARTER_MS } from '../units.ts'
import { latencyOfLog } from './latency.ts'

/** Fortnights are counted from 1970-01-01. */
export const FORTNIGHT_MS = 14 * DAY_MS

export type Cut = typeof usageSums.$inferSelect.cut
export type LatencyUnit = typeof usageLatency.$inferSelect.unit

/** Length of a row's time in each cut, and whether it has users and keys (`people`), models and backends (`places`). */
const CUTS: Record<Cut, { ms: number; people: 0 | 1; places: 0 | 1 }> = {
  site_quarter: { ms: QUARTER_MS, people: 0, places: 1 },
  site_hour: { ms: HOUR_MS, people: 0, places: 1 },
  site_day: { ms: DAY_MS, people: 0, places: 1 },
  key_day: { ms: DAY_MS, people: 1, places: 0 },
  full_day: { ms: DAY_MS, people: 1, places: 1 },
  full_fortnight: { ms: FORTNIGHT_MS, people: 1, places: 1 },
  total: { ms: Number.MAX_SAFE_INTEGER, people: 1, places: 1 },
}
const ALL_CUTS = Object.keys(CUTS) as Cut[] // holds because CUTS is a Record<Cut, …>

/** Tokens of all kinds in a row of the log or of sums. */
export const ALL_TOKENS = sql.raw(
  'input_tokens + output_tokens + cache_read_tokens + cache_write_5m_tokens + cache_write_1h_tokens',
)

const COLUMNS =
  sql.raw(`requests, errors, input_tokens, output_tokens, cache_read_tokens, cache_write_5m_tokens,
  cache_write_1h_tokens, cost_micros, latency_ms, last_at`)
const ADDED = sql.raw(`sum(requests) as requests, sum(errors) as errors, sum(input_tokens) as input_tokens,
  sum(output_tokens) as output_tokens, sum(cache_read_tokens) as cache_read_tokens,
  sum(cache_write_5m_tokens) as cache_write_5m_tokens, sum(cache_write_1h_tokens) as cache_write_1h_tokens,
  sum(cost_micros) as cost_micros, sum(latency_ms) as latency_ms, max(last_at) as last_at`)
const ADD_ON_CONFLICT = sql.raw(`on conflict do update set
  requests = requests + excluded.requests, errors = errors + excluded.errors,
  input_tokens = input_tokens + excluded.input_tokens, output_tokens = output_tokens + excluded.output_tokens,
  cache_read_tokens = cache_read_tokens + excluded.cache_read_tokens,
  cache_write_5m_tokens = cache_write_5m_tokens + excluded.cache_write_5m_tokens,
  cache_write_1h_tokens = cache_write_1h_tokens + excluded.cache_write_1h_tokens,
  cost_micros = cost_micros + excluded.cost_micros, latency_ms = latency_ms + excluded.latency_ms,
  last_at = max(last_at, excluded.last_at)`)

/** Inlined, because a driver may bind a number as REAL and the division would then not be of integers. */
const HOUR = sql.raw(String(HOUR_MS))
const QUARTER = sql.raw(String(QUARTER_MS))

/** Selects log rows with the columns of usage_sums. `rows` is what follows FROM: usage_logs and a WHERE. */
export function ofLog(rows: SQL): SQL {
  return sql`select created_at as start, user_id, api_key_id, model, backend, 1 as requests,
    outcome <> 'ok' as errors, input_tokens, output_tokens, cache_read_tokens, cache_write_5m_tokens,
    cache_write_1h_tokens, cost_micros, latency_ms, created_at as last_at from ${rows}`
}

/** Selects hourly sums with the columns of usage_sums. `rows` is what follows FROM: usage_hourly and a WHERE. */
export function ofHours(rows: SQL): SQL {
  return sql`select hour as start, user_id, api_key_id, model, backend, ${COLUMNS} from ${rows}`
}

/** Selects sums. `rows` is what follows FROM: usage_sums and a WHERE. */
export function ofSums(rows: SQL): SQL {
  return sql`select start, user_id, api_key_id, model, backend, ${COLUMNS} from ${rows}`
}

/** For a batch: takes the log rows out of all sums, and deletes sums of no calls. `log` is what follows FROM. */
export function subtract(db: Db, log: SQL) {
  const dimensions = sql.raw('user_id, start, api_key_id, model, backend')
  const hours = sql`select user_id, start / ${HOUR} * ${HOUR}, api_key_id, model, backend from (${ofLog(log)})`
  const units = sql`${ofUnits(['hour', 'day'])} select unit, start / ms * ms, backend, bucket from (${latencyOfLog(log)})
    cross join units`
  return [
    db.run(addToHourly(negative(ofLog(log)))),
    db.run(addToSums(negative(ofLog(log)))),
    db.run(
      addToLatency(sql`select start, backend, bucket, -requests as requests from (${latencyOfLog(log)})`),
    ),
    db.run(sql`delete from usage_hourly where requests = 0
      and (user_id, hour, api_key_id, model, backend) in (${hours})`),
    db.run(sql`delete from usage_sums where requests = 0 and (cut, ${dimensions}) in (${ofCuts(ALL_CUTS)}
      select ${KEYS_OF_CUT} from (${ofLog(log)}) cross join cuts)`),
    db.run(
      sql`delete from usage_latency where requests = 0 and (unit, start, backend, bucket) in (${units})`,
    ),
  ] as const
}

function negative(rows: SQL): SQL {
  return sql`select start, user_id, api_key_id, model, backend, -requests as requests, -errors as errors,
    -input_tokens as input_tokens, -output_tokens as output_tokens, -cache_read_tokens as cache_read_tokens,
    -cache_write_5m_tokens as cache_write_5m_tokens, -cache_write_1h_tokens as cache_write_1h_tokens,
    -cost_micros as cost_micros, -latency_ms as latency_ms, last_at from (${rows})`
}

/** Adds rows with the columns of usage_sums to usage_hourly. */
export function addToHourly(rows: SQL): SQL {
  return sql`insert into usage_hourly (hour, user_id, api_key_id, model, backend, ${COLUMNS})
    select start / ${HOUR} * ${HOUR}, user_id, api_key_id, model, backend, ${ADDED}
    from (${rows}) where true group by 1, 2, 3, 4, 5 ${ADD_ON_CONFLICT}`
}

/** Adds rows with the columns of usage_sums to these cuts of it. */
export function addToSums(rows: SQL, cuts: readonly Cut[] = ALL_CUTS): SQL {
  // Rows of the same quarter hour and dimensions are added up before they are written to every cut.
  return sql`${ofCuts(cuts)},
    fine as materialized (select start / ${QUARTER} * ${QUARTER} as start, user_id, api_key_id, model, backend, ${ADDED}
      from (${rows}) group by 1, 2, 3, 4, 5)
    insert into usage_sums (cut, user_id, start, api_key_id, model, backend, ${COLUMNS})
    select ${KEYS_OF_CUT}, ${COLUMNS}
    from fine cross join cuts where true ${ADD_ON_CONFLICT}`
}

/** Adds counts of latencies to usage_latency, in rows of these units. */
export function addToLatency(rows: SQL, units: readonly LatencyUnit[] = ['hour', 'day']): SQL {
  return sql`${ofUnits(units)},
    fine as materialized (select start / ${HOUR} * ${HOUR} as start, backend, bucket, sum(requests) as requests
      from (${rows}) group by 1, 2, 3)
    insert into usage_latency (unit, start, backend, bucket, requests)
    select unit, start / ms * ms, backend, bucket, requests from fine cross join units
    where true on conflict do update set requests = requests + excluded.requests`
}

/** The key of usage_sums in each cut. */
const KEYS_OF_CUT = sql.raw(`cut, iif(people, user_id, 0), start / ms * ms, iif(people, api_key_id, 0),
  iif(places, model, ''), iif(places, backend, '')`)

/** A WITH clause that has the cuts as a table. */
function ofCuts(cuts: readonly Cut[]): SQL {
  const list = cuts.map((cut) => `('${cut}', ${CUTS[cut].ms}, ${CUTS[cut].people}, ${CUTS[cut].places})`)
  return sql`with cuts (cut, ms, people, places) as (values ${sql.raw(list.join())})`
}

function ofUnits(units: readonly LatencyUnit[]): SQL {
  const list = units.map((unit) => `('${unit}', ${unit === 'hour' ? HOUR_MS : DAY_MS})`)
  return sql`with units (unit, ms) as (values ${sql.raw(list.join())})`
}

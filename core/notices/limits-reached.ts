/** Tells of limits that are nearly used up, in the batch that writes what was used. */
import { sql } from 'drizzle-orm'
import type { Db } from '../ports.ts'
import { THRESHOLDS } from './events.ts'

/**
 * For a batch, after what was used is added up: a notice for the highest threshold that each of `limits` (JSON of RecordedLimit)
 * has reached, once for a limit of this amount in this period. Whoever wrote the use before does not matter.
 */
export function limitsReached(db: Db, limits: string) {
  const thresholds = sql.raw(THRESHOLDS.map((threshold) => `(${threshold})`).join())
  return db.run(sql`
    with told as (
      select value->>0 as owner, value->>1 as period, value->>2 as start, value->>3 as micros from json_each(${limits})),
    thresholds (threshold) as (values ${thresholds}),
    reached as (
      select told.owner, told.period, told.start, told.micros, max(threshold) as threshold
      from told join limit_spent as spent
        on spent.owner = told.owner and spent.period = told.period and spent.start = told.start
      join thresholds on spent.micros * 100 >= told.micros * threshold
      group by 1, 2, 3, 4)
    insert into notices (dedupe_key, event, data, created_at)
    select 'limit.reached ' || owner || ' ' || period || ' ' || start || ' ' || micros || ' ' || threshold, 'limit.reached',
      json_object('owner', owner, 'period', period, 'start', start, 'threshold', threshold, 'limit_micros', micros),
      (select created_at + latency_ms from usage_logs order by id desc limit 1)
    from reached where true on conflict do nothing`)
}

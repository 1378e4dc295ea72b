/** What counts against limits: the amounts of limit_spent, written in the batch that writes the rows of the calls. */
import { type SQL, sql } from 'drizzle-orm'
import { DAY_MS } from '../units.ts'
import { ALL_TOKENS } from './rollups.ts'

const DAY = sql.raw(String(DAY_MS))
const WEEK = sql.raw(String(7 * DAY_MS))
/** 1970-01-05, the first Monday. */
const MONDAY = sql.raw(String(4 * DAY_MS))

/** The periods of a call that an earlier release wrote, which counted in UTC. */
const UTC = {
  day: sql`created_at / ${DAY} * ${DAY}`,
  week: sql`(created_at - ${MONDAY}) / ${WEEK} * ${WEEK} + ${MONDAY}`,
  month: sql`unixepoch(created_at / 1000, 'unixepoch', 'start of month') * 1000`,
}

/**
 * Selects what log rows used. `log` is what follows FROM. `told` selects what records say of some of these calls: request_id,
 * client, and the starts of their day, week and month. A row that another release wrote of a call, perhaps because it took
 * its process for dead, counts as that release counted: in UTC.
 */
export function usedInLog(log: SQL, told: SQL): SQL {
  const used = sql`user_id, api_key_id, billing_group_id, billing_parents, cost_micros as micros, ${ALL_TOKENS} as tokens`
  const startOf = (period: keyof typeof UTC) =>
    sql`iif(said.client = call.client, said.${sql.raw(period)}, ${UTC[period]}) as ${sql.raw(period)}`
  // In two parts, because SQLite would make a left join without an index.
  return sql`with said as materialized (${told})
    select ${startOf('day')}, ${startOf('week')}, ${startOf('month')}, ${used}
      from said cross join (select * from ${log}) as call on call.request_id = said.id
    union all select ${UTC.day}, ${UTC.week}, ${UTC.month}, ${used}
      from (select * from ${log}) where request_id not in (select id from said)`
}

/**
 * For a WITH, after `used`: `owned` has what each owner of limits used, by three more columns. An owner may have several rows.
 */
export function ownedIn(columns: 'day, week, month' | 'of_day, of_week, of_month'): SQL {
  const carried = sql.raw(columns)
  return sql`scopes (scope) as (values ('user'), ('key'), ('group'), ('organisation')),
    owned (owner, ${carried}, micros, tokens) as (
      select scope || ':' || case scope when 'user' then user_id when 'key' then api_key_id
          when 'group' then billing_group_id else 0 end, ${carried}, sum(micros), sum(tokens)
        from used cross join scopes group by 1, 2, 3, 4
      union all select 'group:' || parent.value, ${carried}, micros, tokens
        from used cross join json_each('[' || billing_parents || ']') as parent where billing_parents <> '')`
}

/** Adds to limit_spent what `used` selects (as usedInLog), with `sign` -1 takes it out. */
export function addToSpent(used: SQL, sign: 1 | -1 = 1): SQL {
  const added = sql`${sql.raw(String(sign))}`
  return sql`with
    used as materialized (
      select user_id, api_key_id, billing_group_id, billing_parents, day, week, month,
        ${added} * sum(micros) as micros, ${added} * sum(tokens) as tokens
      from (${used}) group by 1, 2, 3, 4, 5, 6, 7),
    ${ownedIn('day, week, month')},
    periods (period) as (values ('daily'), ('weekly'), ('monthly'), ('total'))
    insert into limit_spent (owner, period, start, micros, tokens)
    select owner, period,
      case period when 'daily' then day when 'weekly' then week when 'monthly' then month else 0 end, micros, tokens
    from owned cross join periods where true
    on conflict do update set micros = micros + excluded.micros, tokens = tokens + excluded.tokens`
}

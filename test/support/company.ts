/**
 * A company's four months in a database, made by SQLite itself: people in departments, their keys and machines, and calls as
 * programs make them, twenty in a session. Always the same, but for the time: the last calls were just before `now`.
 */
import { type SQL, sql } from 'drizzle-orm'
import type { Db } from '../../core/ports.ts'
import { groupUp } from '../../core/reports/by-group.ts'
import { sumUp } from '../../core/reports/write.ts'
import { DAY_MS } from '../../core/units.ts'

const DEPARTMENTS = 12
/** The first departments, to which the others belong. */
const DIVISIONS = 3
const DAYS = 120
const CALLS_OF_SESSION = 20
/** Every eighth machine says that it runs with these settings, which nobody has any more. */
const OLD_SETTINGS = `sha256:${'0'.repeat(64)}`
const EVERY_OLD = 8

export interface CompanySize {
  /** `person-000` and so on; each has one machine on which Claude Code is signed in. */
  people: number
  keys: number
  /** A multiple of twenty. */
  calls: number
}
export const COMPANY: CompanySize = { people: 300, keys: 2_000, calls: 300_000 }

/** Inlined, because a driver may bind a number as REAL and a division would then not be of integers. */
const whole = (value: number): SQL => sql.raw(String(value))

/** Fills a database that is migrated and empty. */
export async function fillCompany(db: Db, size: CompanySize, now = Date.now()): Promise<void> {
  const { people, keys } = size
  const from = whole(now - DAYS * DAY_MS)
  await db.batch([
    db.run(sql`insert into users (id, itcode, name, role, status, created_at, updated_at)
      ${numbers(people)} select n + 1, printf('person-%03d', n), printf('person-%03d', n), 'user', 'active',
        ${from} + n, ${from} from numbers`),
    db.run(sql`insert into groups (id, name, source, bills, parent_id, created_at, updated_at)
      ${numbers(DEPARTMENTS)} select n + 1, 'Department ' || (n + 1), 'direct', 1,
        iif(n < ${whole(DIVISIONS)}, null, 1 + n % ${whole(DIVISIONS)}), ${from}, ${from} from numbers`),
    db.run(sql`insert into group_members (group_id, user_id, role, created_at)
      select ${departmentOf('id')}, id, iif(id <= ${DEPARTMENTS}, 'lead', 'member'), ${from} from users`),
    db.run(insertKeys({ first: 0, count: keys, kind: 'key', people, from })),
    db.run(insertKeys({ first: keys, count: people, kind: 'device', people, from })),
    db.run(sql`insert into device_settings (device_id, checksum, since)
      select id, ${OLD_SETTINGS}, ${now} from api_keys where kind = 'device' and id % ${whole(EVERY_OLD)} = 0`),
    db.run(sql`insert into spend_limits (scope, scope_id, period, amount_micros, created_at, updated_at)
      select 'user', id, 'monthly', 1000000000, ${from}, ${from} from users where id % 5 = 0`),
    db.run(sql`insert into applications (user_id, model, reason, status, reviewer_id, created_at, updated_at)
      select id, 'claude-fable-5-2', 'to compare it with others', iif(id % 4, 'approved', 'rejected'), 1,
        ${from} + id * 60000, ${from} + id * 90000 from users where id % 2 = 0`),
    db.run(sql`insert into audit_events (at, actor_id, action, target, after, ip)
      select created_at, user_id, 'key.created', 'key:' || id, json_object('name', name), '10.0.0.7' from api_keys`),
    db.run(insertCalls(size, now)),
    ...sumUp(db),
    ...groupUp(db),
  ])
}

/** A WITH clause whose `numbers` are 0, 1 and so on, `count` of them. */
function numbers(count: number): SQL {
  return sql`with recursive numbers (n) as (
    select 0 union all select n + 1 from numbers where n + 1 < ${whole(count)})`
}

const departmentOf = (user: 'id' | 'user_id') => sql.raw(`1 + (${user} - 1) % ${DEPARTMENTS}`)

interface Keys {
  /** How many keys there are already. */
  first: number
  count: number
  kind: 'key' | 'device'
  people: number
  from: SQL
}
function insertKeys({ first, count, kind, people, from }: Keys): SQL {
  return sql`insert into api_keys (id, user_id, name, hash, prefix, last4, kind, status, created_at, updated_at)
    ${numbers(count)} select ${whole(first)} + n + 1, 1 + n % ${whole(people)},
      iif(${kind} = 'device', printf('machine-%03d', n),
        json('["laptop","notebook","agent","nightly","editor","script","review"]')->>(n / ${whole(people)} % 7)),
      ${kind} || n, ${kind === 'device' ? 'device' : 'sk-co'}, printf('%04d', n), ${kind}, 'active', ${from} + n, ${from}
    from numbers`
}

/**
 * Chance comes from Park and Miller's generator. A session has one key, program and nearly one model. Each day's work is in the
 * nine hours before the time of day of `now`.
 */
function insertCalls({ keys, people, calls }: CompanySize, now: number): SQL {
  const sessions = whole(calls / CALLS_OF_SESSION)
  const each = whole(CALLS_OF_SESSION)
  const list = (values: string[]) => sql.raw(`'${JSON.stringify(values)}'`)
  return sql`
    ${numbers(calls / CALLS_OF_SESSION)},
    seeded as (select n, (n + 7) * 48271 % 2147483647 * 69621 % 2147483647 as a,
      (n + 11) * 69621 % 2147483647 * 48271 % 2147483647 as b from numbers),
    sessions as materialized (select n, a % 9973 / 9973.0 as who, a / 9973 % 100 as share, b % 1013 as which,
      ${whole(now)} - n * ${whole(DAYS)} / ${sessions} * ${whole(DAY_MS)} - b / 1013 % 32400 * 1000 as ended from seeded),
    turns (turn) as (select 0 union all select turn + 1 from turns where turn + 1 < ${each}),
    called as materialized (select n * ${each} + turn as call, sessions.*,
      ended - (${each} - 1 - turn) * 40000 as at, (n * 31 + turn * 7) * 48271 % 1000 as fate,
      200 + (n * 13 + turn * 29) * 69621 % 1800 as output from sessions cross join turns),
    priced as (select *, fate < 15 as is_failed, 20 + output / 2 as input, 3000 * (1 + call % ${each}) as cached,
      output * 3 as cache_write from called)
    insert into usage_logs (request_id, user_id, api_key_id, requested_model, model, backend, input_tokens,
      output_tokens, cache_read_tokens, cache_write_5m_tokens, cache_write_1h_tokens, cost_micros, status_code,
      outcome, estimated, unpriced, stream, attempts, latency_ms, ttft_ms, extra, created_at, billing_group_id,
      billing_parents, client, project, input_micros, output_micros, cache_read_micros, cache_write_5m_micros,
      saved_micros, context_window, session, error, upstream_id, story)
    select 'req_company_' || call, api_keys.user_id, api_keys.id, model, model, ${list(['claude', 'claude-second'])}->>(which % 100 > 65),
      iif(is_failed, 0, input), iif(is_failed, 0, output), iif(is_failed, 0, cached), iif(is_failed, 0, cache_write), 0,
      iif(is_failed, 0, input * 4 + output * 20 + cached * 2 / 5 + cache_write * 5),
      iif(is_failed, 529, 200), case when is_failed then 'error' when fate < 30 then 'client_aborted' else 'ok' end,
      fate between 15 and 29, 0, 1, 1 + is_failed, 350 + output * 14 + cast(1400 * who as integer),
      iif(is_failed, null, 300 + which), null, at, ${departmentOf('user_id')},
      iif(${departmentOf('user_id')} <= ${whole(DIVISIONS)}, '', (select parent_id from groups where id = ${departmentOf('user_id')})),
      ${list(['claude-code', 'codex', 'anthropic-sdk', 'python'])}->>(case when share < 70 then 0 else share % 4 end),
      iif(share % 3, '', 'project-' || (which % 9)),
      iif(is_failed, 0, input * 4), iif(is_failed, 0, output * 20), iif(is_failed, 0, cached * 2 / 5),
      iif(is_failed, 0, cache_write * 5), iif(is_failed, 0, cached * 3), iif(is_failed, '', '0-200k'),
      printf('%06x', n), iif(is_failed, 'all_backends_failed', ''), iif(is_failed, '', 'req_011C' || call),
      iif(is_failed, '[["claude",2,310,529],["claude-second",313,40,529]]', '')
    from (select *, case when fate % 20 = 0 or share < 15 then 'claude-haiku-4-5' when share < 60 then 'claude-opus-5-5'
        else 'claude-sonnet-5-5' end as model from priced) as asked
      cross join api_keys on api_keys.id = 1 + cast(who * who * ${whole(keys + people)} as integer)
    order by at`
}

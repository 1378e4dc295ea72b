/**
 * Fills a database with as many log rows as wanted, made by SQLite itself and always the same: 60 people with 90 keys,
 * 17 weeks of office hours, 4 models of which one is rare, 2 backends. The last call was at `now`.
 */
import { sql } from 'drizzle-orm'
import { apiKeys, users } from '../../core/db/schema.ts'
import type { Db } from '../../core/ports.ts'
import { repairSums } from '../../core/reports/repair.ts'

const PEOPLE = 60
const KEYS = 90
const WORKDAYS = 86
const SLICE = 100_000
export const MODELS = ['claude-opus-5-5', 'claude-sonnet-5', 'claude-haiku-4-5', 'claude-rare-1'] as const
export const RARE = MODELS[3]

export interface Filled {
  userIds: number[]
  keyIds: number[]
  /** When the first and the last call arrived, ms. */
  from: number
  to: number
}

export async function fillUsage(db: Db, rows: number, now = Date.UTC(2026, 10, 23, 12)): Promise<Filled> {
  const userIds = await makePeople(db)
  const keyIds = await makeKeys(db, userIds)
  // The Monday 17 weeks ago; the last workday is today, half of which is over.
  const monday = Math.floor(now / 86_400_000) * 86_400_000 - 17 * 7 * 86_400_000
  for (let from = 0; from < rows; from += SLICE) {
    await db.run(
      insertRows({ from, to: Math.min(from + SLICE, rows), rows, monday, firstKey: keyIds[0] ?? 0 }),
    )
  }
  await repairSums(db, 0)
  const [range] = await db.all<{ first: number; last: number }>(
    sql`select min(created_at) as first, max(created_at) as last from usage_logs`,
  )
  return { userIds, keyIds, from: range?.first ?? 0, to: range?.last ?? 0 }
}

async function makePeople(db: Db): Promise<number[]> {
  const people = Array.from({ length: PEOPLE }, (_, i) => {
    const itcode = `person-${String(i + 1).padStart(2, '0')}`
    return { itcode, name: itcode, role: 'user', status: 'active', createdAt: 1, updatedAt: 1 } as const
  })
  const ids: number[] = []
  // D1 takes a hundred parameters.
  for (let from = 0; from < PEOPLE; from += 10) {
    const made = await db
      .insert(users)
      .values(people.slice(from, from + 10))
      .returning({ id: users.id })
    ids.push(...made.map(({ id }) => id))
  }
  return ids
}

async function makeKeys(db: Db, userIds: number[]): Promise<number[]> {
  const ids: number[] = []
  for (let i = 0; i < KEYS; i++) {
    const name = `key ${i + 1}`
    const shown = { prefix: 'sk-gen', last4: String(i).padStart(4, '0') }
    const times = { createdAt: 1, updatedAt: 1 }
    const userId = userIds[i % PEOPLE] ?? 0
    const [made] = await db
      .insert(apiKeys)
      .values({ userId, name, hash: `generated-${i}`, status: 'active', ...shown, ...times })
      .returning({ id: apiKeys.id })
    ids.push(made?.id ?? 0)
  }
  return ids
}

/** Chance comes from Park and Miller's generator, seeded by the number of the row. The keys' ids follow one another. */
function insertRows(given: { from: number; to: number; rows: number; monday: number; firstKey: number }) {
  const { from, to, rows, monday, firstKey } = given
  return sql`
    with recursive
    numbers (n) as (select cast(${from} as integer) union all select n + 1 from numbers where n + 1 < ${to}),
    once as (select n, (n + 7) * 48271 % 2147483647 as a from numbers),
    seeded as materialized (select n, a * 48271 % 2147483647 as a,
      a * 69621 % 2147483647 * 48271 % 2147483647 as b from once),
    calls as materialized (select n, a % 997 / 997.0 as who, (a / 997) % 10000 as which, b % 1013 / 1013.0 as size,
      (b / 1013) % 1000 as fate, n * ${WORKDAYS - 0.6} / ${rows} as day from seeded),
    timed as materialized (select *, cast(day as integer) as workday,
      cast((8 + 10 * (day - cast(day as integer))) * 3600000 as integer) as ms,
      cast(60 + 1800 * size * size * size as integer) as output,
      case when which < 5500 then ${MODELS[0]} when which < 8500 then ${MODELS[1]} when which < 9999 then ${MODELS[2]}
        else ${MODELS[3]} end as model from calls)
    insert into usage_logs (request_id, user_id, api_key_id, requested_model, model, backend, input_tokens,
      output_tokens, cache_read_tokens, cache_write_5m_tokens, cache_write_1h_tokens, cost_micros, status_code,
      outcome, estimated, unpriced, stream, attempts, latency_ms, ttft_ms, extra, created_at)
    select 'req_generated_' || n, api_keys.user_id, api_keys.id, model, model,
      case when fate = 0 then '' when which % 100 < 65 then 'claude-primary' else 'claude-second' end,
      iif(fate < 15, 0, 20 + cast(900 * size as integer)), iif(fate < 15, 0, output), iif(fate < 15, 0, which * 5),
      iif(fate < 15, 0, which % 4000), iif(which % 50 = 0, 900, 0), iif(fate < 15, 0, output * 25 + which * 2 + fate),
      iif(fate < 15, 529, 200), case when fate < 15 then 'error' when fate < 30 then 'client_aborted' else 'ok' end,
      fate between 15 and 29, 0, 1, iif(fate < 15, 2, 1), 350 + cast(1400 * who as integer) + output * 14, 350, null,
      cast(${monday} as integer) + (workday / 5 * 7 + workday % 5 + (workday % 5 = 4 and fate % 40 = 0)) * 86400000 + ms
    from timed cross join api_keys on api_keys.id = cast(${firstKey} as integer) + cast(who * who * ${KEYS} as integer)`
}

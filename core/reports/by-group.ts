/** Sums by billing group, client and project: the SQL that writing, repairing and reading share. */
import { type SQL, sql } from 'drizzle-orm'
import type { usageByGroup } from '../db/schema.ts'
import type { Db } from '../ports.ts'
import { DAY_MS, HOUR_MS } from '../units.ts'
import { FORTNIGHT_MS } from './rollups.ts'

/** In zones other than UTC a day consists of these and of few hours. */
export const SIX_HOURS_MS = 6 * HOUR_MS

export type GroupCut = typeof usageByGroup.$inferSelect.cut

/** What the cuts of a kind tell apart, beside the group. `others`: backend, client and project. */
const TOLD = {
  caller: { users: 1, keys: 1, models: 0, others: 0 },
  person: { users: 1, keys: 0, models: 1, others: 0 },
  target: { users: 0, keys: 0, models: 1, others: 1 },
  full: { users: 1, keys: 1, models: 1, others: 1 },
} as const
const LENGTHS = { hour: HOUR_MS, '6h': SIX_HOURS_MS, day: DAY_MS, fortnight: FORTNIGHT_MS } as const
export type CutKind = keyof typeof TOLD
export type CutLength = keyof typeof LENGTHS
// Both hold because TOLD and LENGTHS are constants.
const KINDS = Object.keys(TOLD) as CutKind[]
const ALL_LENGTHS = Object.keys(LENGTHS) as CutLength[]

/** All cuts: the length of a row's time, and 1 for each thing that it tells. */
export const GROUP_CUTS: ReadonlyMap<
  GroupCut,
  Readonly<Record<'ms' | 'users' | 'keys' | 'models' | 'others', number>>
> = new Map(
  KINDS.flatMap((kind) =>
    ALL_LENGTHS.map((length) => [`${kind}_${length}`, { ms: LENGTHS[length], ...TOLD[kind] }] as const),
  ),
)

/** The cuts of all kinds with rows of this length. */
export function cutsOfLength(length: CutLength): GroupCut[] {
  return KINDS.map((kind) => `${kind}_${length}` as const)
}
const ALL_CUTS = [...GROUP_CUTS.keys()]

const DIMENSIONS = [
  'user_id',
  'start',
  'billing_group_id',
  'billing_parents',
  'api_key_id',
  'model',
  'backend',
  'client',
  'project',
]
/** Columns that are added up, named alike in the log. */
const FROM_LOG = [
  'input_tokens',
  'output_tokens',
  'cache_read_tokens',
  'cache_write_5m_tokens',
  'cache_write_1h_tokens',
  'cost_micros',
  'input_micros',
  'output_micros',
  'cache_read_micros',
  'cache_write_5m_micros',
  'cache_write_1h_micros',
  'server_tool_micros',
  'saved_micros',
  'web_searches',
  'latency_ms',
]
export const SUMMED = ['requests', 'errors', ...FROM_LOG]

const listed = (columns: readonly string[], textOf = (column: string) => column) =>
  sql.raw(columns.map(textOf).join(', '))
const COLUMNS = listed([...DIMENSIONS, ...SUMMED, 'last_at'])
const ADDED = listed([...SUMMED.map((column) => `sum(${column}) as ${column}`), 'max(last_at) as last_at'])
const BY_DIMENSION = listed(DIMENSIONS.map((_, at) => String(at + 1)))
const ADD_ON_CONFLICT = listed([
  ...SUMMED.map((column) => `${column} = ${column} + excluded.${column}`),
  'last_at = max(last_at, excluded.last_at)',
])
const HOUR = sql.raw(String(HOUR_MS))

/** Selects log rows with the columns of usage_by_group. `log` is what follows FROM. */
export function groupedLog(log: SQL): SQL {
  return sql`select user_id, created_at as start, billing_group_id, billing_parents, api_key_id, model, backend, client,
    project, 1 as requests, outcome <> 'ok' as errors, ${listed(FROM_LOG)}, created_at as last_at from ${log}`
}

/** Selects sums. `rows` is what follows FROM: usage_by_group and a WHERE. */
export function groupedRows(rows: SQL): SQL {
  return sql`select ${COLUMNS} from ${rows}`
}

/** Adds rows with the columns of usage_by_group to these cuts of it. */
export function addToGroups(rows: SQL, cuts: readonly GroupCut[] = ALL_CUTS): SQL {
  return sql`${ofCuts(cuts)},
    fine as materialized (select +user_id as user_id, start / ${HOUR} * ${HOUR} as start, billing_group_id, billing_parents, api_key_id,
        model, backend, client, project, ${ADDED} from (${rows}) group by ${BY_DIMENSION})
    insert into usage_by_group (cut, ${COLUMNS})
    select ${KEYS_OF_CUT}, ${listed(SUMMED)}, last_at from fine cross join cuts
    where true on conflict do update set ${ADD_ON_CONFLICT}`
}

/**
 * For a batch: adds the log rows above usage_summed.grouped_id to all cuts. Not with every call, because many calls of a person
 * in an hour become one row of a cut, and it is written as often as they are added.
 */
export function groupUp(db: Db) {
  return [
    db.run(addToGroups(groupedLog(sql`usage_logs where id > (select grouped_id from usage_summed)`))),
    db.run(sql`update usage_summed set grouped_id = (select coalesce(max(id), 0) from usage_logs)`),
  ] as const
}

/** For a batch: takes log rows out of all cuts, and deletes sums of no calls. `log` is what follows FROM. */
export function subtractFromGroups(db: Db, log: SQL) {
  const negative = listed(SUMMED, (column) => `-${column} as ${column}`)
  return [
    db.run(addToGroups(sql`select ${listed(DIMENSIONS)}, ${negative}, last_at from (${groupedLog(log)})`)),
    db.run(sql`delete from usage_by_group where requests = 0 and (cut, ${listed(DIMENSIONS)}) in (${ofCuts(ALL_CUTS)}
      select ${KEYS_OF_CUT} from (${groupedLog(log)}) cross join cuts)`),
  ] as const
}

/** The primary key in each cut. */
const KEYS_OF_CUT = sql.raw(`cut, iif(users, user_id, 0), start / ms * ms, billing_group_id, billing_parents,
  iif(keys, api_key_id, 0), iif(models, model, ''), iif(others, backend, ''), iif(others, client, ''),
  iif(others, project, '')`)

function ofCuts(cuts: readonly GroupCut[]): SQL {
  const list = cuts.map((cut) => {
    const { ms, users, keys, models, others } = GROUP_CUTS.get(cut) ?? { ms: 1, ...TOLD.full }
    return `('${cut}', ${ms}, ${users}, ${keys}, ${models}, ${others})`
  })
  return sql`with cuts (cut, ms, users, keys, models, others) as (values ${sql.raw(list.join())})`
}

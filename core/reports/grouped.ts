/**
 * Reads what calls used, by billing group and everything else that they are told apart by, from the coarsest sums that have it.
 * The result is exact at any moment and in every time zone: parts of hours, and calls that are not summed yet, come from the log.
 */
import { type SQL, sql } from 'drizzle-orm'
import { usageSummed } from '../db/schema.ts'
import type { Db } from '../ports.ts'
import { DAY_MS, HOUR_MS } from '../units.ts'
import { type CutKind, type GroupCut, groupedLog, SIX_HOURS_MS, SUMMED } from './by-group.ts'
import { sumsOf, wholeOf } from './query.ts'
import { type Range, readable } from './range.ts'
import { FORTNIGHT_MS } from './rollups.ts'

/** What calls are told apart by, and the column that says it. */
export const DIMENSIONS = {
  user: 'user_id',
  group: 'billing_group_id',
  key: 'api_key_id',
  model: 'model',
  backend: 'backend',
  client: 'client',
  project: 'project',
} as const
export type Dimension = keyof typeof DIMENSIONS
/** Also the parents that a group had then, against which a call counts, too. */
const TOLD = { ...DIMENSIONS, parents: 'billing_parents' } as const
type Told = keyof typeof TOLD

/** Calls that match every given field. */
export interface ReportFilter {
  userId?: number | undefined
  keyId?: number | undefined
  groupId?: number | undefined
  /** Booked to a group that this user leads. */
  ledBy?: number | undefined
  model?: string | undefined
  backend?: string | undefined
  client?: string | undefined
  project?: string | undefined
}

/** Since when the tables have what (ms). */
export interface Kept {
  /** Calls before this day may be in the older sums alone, and are in no group. */
  groupedSince: number
  /** Calls before this day may have no row any more. */
  keptSince: number
}

export async function keptOf(db: Db): Promise<Kept> {
  const [row] = await db
    .select({ groupedSince: usageSummed.groupedSince, keptSince: usageSummed.keptSince })
    .from(usageSummed)
  return row ?? { groupedSince: 0, keptSince: 0 }
}

const MEASURES = SUMMED.filter((column) => column !== 'latency_ms')
const listed = (textOf: (column: string) => string) => sql.raw(MEASURES.map(textOf).join(', '))
const COLUMNS = sql.raw(['start', ...Object.values(TOLD), ...MEASURES].join(', '))
/** Of the measures, those that the older sums have. */
const OLDER = new Set([
  'requests',
  'errors',
  'input_tokens',
  'output_tokens',
  'cache_read_tokens',
  'cache_write_5m_tokens',
  'cache_write_1h_tokens',
  'cost_micros',
])

/**
 * Selects the sums of matching calls: `place`, the index of their range in `ranges`; the columns of these dimensions; and the
 * measures.
 */
export function groupedSums(
  dimensions: readonly Told[],
  filter: ReportFilter,
  ranges: readonly Range[],
  kept: Kept,
): SQL {
  const told = [...dimensions, ...filteredBy(filter)]
  const cuts = cutsFor(told)
  const spans = ranges.map(({ from, to }) => readable({ from, to }, kept.keptSince))
  const parts = [booked(cuts, filter, spans)]
  const early = spans.map(({ from, to }) => ({ from, to: Math.min(to, kept.groupedSince) }))
  if (early.some(({ from, to }) => from < to) && takesUnassigned(filter)) {
    parts.push(...unassigned(told, filter, early))
  }
  const columns = ['place', ...dimensions.map((dimension) => TOLD[dimension])]
  return sql`select ${sql.raw(columns.join(', '))}, ${listed((column) => `sum(${column}) as ${column}`)}
    from (${sql.join(parts, sql` union all `)}) group by ${sql.raw(columns.map((_, at) => at + 1).join(', '))}`
}

/** Selects as groupedSums, from the log alone: one place for each `ms` of these spans, those of the second after the first's. */
export function loggedSums(
  dimensions: readonly Dimension[],
  filter: ReportFilter,
  spans: readonly Range[],
  ms: number,
): SQL {
  const columns = ['place', ...dimensions.map((dimension) => DIMENSIONS[dimension])]
  const told = sql.raw(
    columns
      .slice(1)
      .map((column) => `${column}, `)
      .join(''),
  )
  let first = 0
  const parts = spans.map(({ from, to }) => {
    const log = groupedLog(
      sql`usage_logs where created_at >= ${from} and created_at < ${to} ${restOf(filter)}`,
    )
    const place = sql.raw(`${first} + (start - ${from}) / ${ms} as place`)
    first += Math.ceil((to - from) / ms)
    return sql`select ${place}, ${told} ${listed((column) => `sum(${column}) as ${column}`)}
      from (${log}) group by ${sql.raw(columns.map((_, at) => at + 1).join(', '))}`
  })
  return sql.join(parts, sql` union all `)
}

function filteredBy(filter: ReportFilter): Dimension[] {
  const { userId, keyId, model, backend, client, project } = filter
  const given = { user: userId, key: keyId, model, backend, client, project }
  return (Object.keys(given) as (keyof typeof given)[]).filter((name) => given[name] !== undefined)
}

/** The sums to read, and whether they are of users, who must be named for them to be found. */
interface Cuts {
  kind: CutKind
  hasUsers: boolean
}

function cutsFor(told: readonly Told[]): Cuts {
  const hasKeys = told.includes('key')
  const hasUsers = hasKeys || told.includes('user')
  // Of everybody, one row is found where those of users are as many places to look at as there are users.
  if (!hasUsers) return { kind: 'target', hasUsers: false }
  const hasModels = told.includes('model')
  const hasOthers = told.some((dimension) => ['backend', 'client', 'project'].includes(dimension))
  if (hasOthers || (hasKeys && hasModels)) return { kind: 'full', hasUsers: true }
  return { kind: hasModels ? 'person' : 'caller', hasUsers: true }
}

type Piece = [place: number, from: number, to: number]
/** Lengths of sums, the longest first. */
const GRAINS = [
  ['fortnight', FORTNIGHT_MS],
  ['day', DAY_MS],
  ['6h', SIX_HOURS_MS],
  ['hour', HOUR_MS],
] as const

/** Splits every range into whole grains, and the parts of hours at its ends. */
function grainsOf(ranges: readonly Range[]) {
  const pieces = { fortnight: [], day: [], '6h': [], hour: [], fine: [] } as Record<
    (typeof GRAINS)[number][0] | 'fine',
    Piece[]
  >
  for (const [place, range] of ranges.entries()) {
    const addTo =
      (list: Piece[]) =>
      ({ from, to }: Range) => {
        if (from < to) list.push([place, from, to])
      }
    let whole = range
    let rest = pieces.fine
    for (const [grain, ms] of GRAINS.toReversed()) {
      whole = wholeOf(whole, ms, addTo(rest))
      rest = pieces[grain]
    }
    addTo(rest)(whole)
  }
  return pieces
}

/** What usage_by_group has, and the calls that it will have. */
function booked(cuts: Cuts, filter: ReportFilter, ranges: readonly Range[]): SQL {
  const pieces = grainsOf(ranges)
  const everybody = sql`user_id in (select distinct user_id from usage_sums where cut = 'total')`
  const who = cuts.hasUsers ? (filter.userId === undefined ? everybody : sql`true`) : sql`user_id = 0`
  const cut = (grain: (typeof GRAINS)[number][0]): GroupCut => `${cuts.kind}_${grain}`
  const sums = GRAINS.filter(([grain]) => pieces[grain].length > 0).map(
    ([
      grain,
    ]) => sql`select span.value->>0 as place, ${COLUMNS} from json_each(${JSON.stringify(pieces[grain])}) as span
      cross join usage_by_group on cut = ${cut(grain)} and ${who} and start >= span.value->>1 and start < span.value->>2
      ${restOf(filter)}`,
  )
  const parts: SQL[] = []
  const columns = sql`select span.value->>0 as place, ${COLUMNS}`
  const log = (where: SQL) => groupedLog(sql`usage_logs where ${where} ${restOf(filter)}`)
  // With a plus, so that SQLite finds them by time.
  const summed = sql`+id > (select ungrouped_id from usage_summed) and +id <= (select grouped_id from usage_summed)`
  const waiting = sql`id > (select grouped_id from usage_summed)`
  if (pieces.fine.length > 0) {
    parts.push(sql`${columns} from json_each(${JSON.stringify(pieces.fine)}) as span cross join (${log(summed)})
      on start >= span.value->>1 and start < span.value->>2`)
  }
  const spans = ranges
    .map(({ from, to }, place) => [place, from, to])
    .filter(([, from = 0, to = 0]) => from < to)
  parts.push(sql`${columns} from json_each(${JSON.stringify(spans)}) as span cross join (${log(waiting)})
    on start >= span.value->>1 and start < span.value->>2
    where span.value->>2 > (select min(+created_at) from usage_logs where ${waiting})`)
  // In two steps, because D1 takes five parts at most: https://developers.cloudflare.com/d1/platform/limits/
  const recent = sql.join(parts, sql` union all `)
  return sums.length === 0
    ? recent
    : sql`select * from (${sql.join(sums, sql` union all `)}) union all select * from (${recent})`
}

/** Of the time before the groups: what the older sums have, less what is in a group after all. */
function unassigned(told: readonly Told[], filter: ReportFilter, ranges: readonly Range[]): SQL[] {
  const { userId, keyId, model, backend } = filter
  const older = { userId, keyId, model, backend }
  const cuts = cutsFor(told)
  const targets = told.some((dimension) => dimension === 'model' || dimension === 'backend')
  const columns = sql`place, start, user_id, 0 as billing_group_id, api_key_id, model, backend, '' as client, '' as project,
    '' as billing_parents`
  return [
    sql`select ${columns}, ${listed((column) => (OLDER.has(column) ? column : `0 as ${column}`))}
      from (${sumsOf(older, ranges, { people: cuts.hasUsers, places: targets })})`,
    sql`select ${columns}, ${listed((column) => (OLDER.has(column) ? `-${column} as ${column}` : `0 as ${column}`))}
      from (${booked(cuts, older, ranges)})`,
  ]
}

/** Whether calls in no group, of no known program and project, match. */
function takesUnassigned({ groupId = 0, ledBy, client = '', project = '' }: ReportFilter): boolean {
  return groupId === 0 && ledBy === undefined && client === '' && project === ''
}

/** The conditions of a filter, each with a leading `and`. */
export function restOf(filter: ReportFilter): SQL {
  const { userId, keyId, groupId, model, backend, client, project, ledBy } = filter
  const given = { user: userId, key: keyId, group: groupId, model, backend, client, project }
  const parts = (Object.keys(given) as (keyof typeof given)[])
    .filter((name) => given[name] !== undefined)
    .map((name) => sql`and ${sql.raw(DIMENSIONS[name])} = ${given[name]}`)
  if (ledBy !== undefined) {
    parts.push(
      sql`and billing_group_id in (select group_id from group_members where user_id = ${ledBy} and role = 'lead')`,
    )
  }
  return sql.join(parts, sql` `)
}

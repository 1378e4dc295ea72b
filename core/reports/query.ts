/**
 * Chooses the coarsest sums that have the dimensions of a query. A range consists of whole fortnights and UTC days, then of
 * hours; quarter hours or the log cover the parts of hours at its ends, so that the result is exact in every time zone, except
 * where rows are gone (`readable` in range.ts).
 */
import { type SQL, sql } from 'drizzle-orm'
import type { Db } from '../ports.ts'
import { DAY_MS, HOUR_MS } from '../units.ts'
import { isAllTime, type Range } from './range.ts'
import { type Cut, FORTNIGHT_MS, ofHours, ofLog, ofSums } from './rollups.ts'

/** Calls that match every given field. */
export interface Filter {
  userId?: number | undefined
  keyId?: number | undefined
  model?: string | undefined
  backend?: string | undefined
}

/**
 * The filter with the owner of its key added, because sums and log are indexed by user; without one where a key has had several,
 * as one has that was moved to a service account. Undefined if the key does not exist.
 * A `userId` that is given stays: it restricts people to their own calls.
 */
export async function withOwner<F extends Filter>(db: Db, filter: F): Promise<F | undefined> {
  const { keyId, userId } = filter
  if (keyId === undefined || userId !== undefined) return filter
  const [owner] = await db.all<{ id: number; kind: 'person' | 'service' }>(
    sql`select users.id, users.kind from api_keys cross join users on users.id = user_id where api_keys.id = ${keyId}`,
  )
  if (!owner) return undefined
  const moved = owner.kind === 'service' && (await callersWith(db, keyId)).some((id) => id !== owner.id)
  return moved ? filter : { ...filter, userId: owner.id }
}

/** Who ever called with a key. */
async function callersWith(db: Db, keyId: number): Promise<number[]> {
  const rows = await db.all<{ id: number }>(
    sql`select distinct user_id as id from usage_sums where cut = 'total' and api_key_id = ${keyId}`,
  )
  return rows.map(({ id }) => id)
}

/** Whether calls are told apart by their users and keys. */
function isOfPeople({ userId, keyId }: Filter): boolean {
  return userId !== undefined || keyId !== undefined
}

/**
 * Selects the sums of matching calls: the columns of usage_sums and `place`, the index of their range in `ranges`. With
 * `people` the rows have users and keys; with `places` they have models and backends then, too. Ranges begin and end at quarter hours, as the days of all time zones do.
 */
export function sumsOf(
  filter: Filter,
  ranges: readonly Range[],
  {
    people = isOfPeople(filter),
    places = false,
    coarsest,
  }: { people?: boolean; places?: boolean; coarsest?: 'hour' } = {},
): SQL {
  const rows = people ? ofPeople(filter, places) : ofSite(filter)
  if (ranges[0] && isAllTime(ranges[0])) return sql`select 0 as place, called.* from (${rows.ever}) as called`
  const pieces = piecesOf(ranges, coarsest ?? (people ? 'fortnight' : 'day'))
  return piecewise(pieces, rows, () => sql`span.value->>0 as place, called.*`)
}

/**
 * Selects how many matching calls arrived when: rows of `since`, `until` (ms) and `requests` (or what `counted` makes of a row of sums), by day or hour and by the parts
 * of hours at the ends of the ranges. Several rows may have the same times.
 */
export function slotsOf(
  filter: Filter,
  ranges: readonly Range[],
  coarsest: 'day' | 'hour',
  counted = sql`requests`,
): SQL {
  const rows = isOfPeople(filter) ? ofPeople(filter) : ofSite(filter)
  const times: Record<Grain, SQL> = {
    fortnight: sql`${sql.raw(`start as since, start + ${FORTNIGHT_MS} as until`)}, ${counted} as requests`,
    day: sql`${sql.raw(`start as since, start + ${DAY_MS} as until`)}, ${counted} as requests`,
    hour: sql`${sql.raw(`start as since, start + ${HOUR_MS} as until`)}, ${counted} as requests`,
    fine: sql`span.value->>1 as since, span.value->>2 as until, ${counted} as requests`,
  }
  return piecewise(piecesOf(ranges, coarsest), rows, (grain) => times[grain])
}

type Grain = 'fortnight' | 'day' | 'hour' | 'fine'
type Rows = Partial<Record<Grain, SQL>> & { ever: SQL }

function ofSite(filter: Filter): Rows {
  const places = placesOf(filter)
  const cut = (name: Cut) => ofSums(sql`usage_sums where cut = ${name} and user_id = 0 ${places}`)
  return {
    ever: ofSums(sql`usage_sums where cut = 'total' ${places}`),
    day: cut('site_day'),
    hour: cut('site_hour'),
    fine: cut('site_quarter'),
  }
}

function ofPeople(filter: Filter, places = false): Rows {
  const { userId, model, backend } = filter
  // Naming the users lets SQLite use the primary keys of the sums.
  const everybody = sql`user_id in (select distinct user_id from usage_sums where cut = 'total')`
  const who = userId === undefined ? everybody : sql`user_id = ${userId}`
  const what = restOf(filter)
  const needsPlaces = places || model !== undefined || backend !== undefined || isOfPeople(filter)
  return {
    ever: ofSums(sql`usage_sums where cut = 'total' and ${who} ${what}`),
    fortnight: ofSums(sql`usage_sums where cut = 'full_fortnight' and ${who} ${what}`),
    day: ofSums(sql`usage_sums where cut = ${needsPlaces ? 'full_day' : 'key_day'} and ${who} ${what}`),
    hour: ofHours(sql`usage_hourly where ${who} ${what}`),
    fine: ofLog(sql`usage_logs where ${userId === undefined ? sql`true` : who} ${what}`),
  }
}

/** SQL conditions of a filter except the user, each with a leading `and`. */
export function restOf(filter: Filter): SQL {
  const key = filter.keyId === undefined ? sql`` : sql`and api_key_id = ${filter.keyId}`
  return sql`${key} ${placesOf(filter)}`
}

export function placesOf({ model, backend }: Filter): SQL {
  const named = model === undefined ? sql`` : sql`and model = ${model}`
  return backend === undefined ? named : sql`${named} and backend = ${backend}`
}

type Piece = [place: number, from: number, to: number]
type Pieces = Record<Grain, Piece[]>

/** One select for each grain with pieces. `columns` may use `span`, the piece, and `called`, a row of sums. */
function piecewise(pieces: Pieces, rows: Rows, columns: (grain: Grain) => SQL): SQL {
  const given = (['fortnight', 'day', 'hour', 'fine'] as const).filter((grain) => pieces[grain].length > 0)
  const grains = given.length > 0 ? given : (['hour'] as const)
  const selects = grains.map(
    (grain) => sql`select ${columns(grain)} from json_each(${JSON.stringify(pieces[grain])}) as span
      cross join (${rows[grain]}) as called on called.start >= span.value->>1 and called.start < span.value->>2`,
  )
  return sql.join(selects, sql` union all `)
}

/** Splits every range into pieces of whole grains, `coarsest` first, and `fine` remainders at its ends. */
export function piecesOf(ranges: readonly Range[], coarsest: Exclude<Grain, 'fine'>): Pieces {
  const pieces: Pieces = { fortnight: [], day: [], hour: [], fine: [] }
  for (const [place, { from, to }] of ranges.entries()) {
    const add = (grain: Grain) => (range: Range) => {
      if (range.from < range.to) pieces[grain].push([place, range.from, range.to])
    }
    const hours = wholeOf({ from, to }, HOUR_MS, add('fine'))
    const days = coarsest === 'hour' ? hours : wholeOf(hours, DAY_MS, add('hour'))
    add(coarsest)(coarsest === 'fortnight' ? wholeOf(days, FORTNIGHT_MS, add('day')) : days)
  }
  return pieces
}

/** The part of a range that consists of whole units. The remainders at both ends, or all of it, go to `rest`. */
export function wholeOf({ from, to }: Range, unit: number, rest: (range: Range) => void): Range {
  const whole = { from: Math.ceil(from / unit) * unit, to: Math.floor(to / unit) * unit }
  if (whole.from >= whole.to) {
    rest({ from, to })
    return { from: to, to }
  }
  rest({ from, to: whole.from })
  rest({ from: whole.to, to })
  return whole
}

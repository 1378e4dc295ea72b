/** What people may spend now, and what they have spent, as it is told to them. */
import { sql } from 'drizzle-orm'
import { readOrganisation, readUsersOf } from '../organisation/read.ts'
import type { Db } from '../ports.ts'
import type { Period, Settings } from '../settings.ts'
import { ORGANISATION, ownerText, parseOwner } from './owner.ts'
import { PERIODS, type Periods } from './period.ts'
import { bookedTo, type Cap, capsAt } from './resolve.ts'
import type { SpendLimit } from './spend-limit.ts'

export interface UsedCap extends Cap {
  /** In the current period, in micro-dollars. */
  usedMicros: number
  /** Ms since 1970. */
  resetsAt: number
}

interface Parts {
  db: Db
  settings: Pick<Settings, 'limits'>
}

/** The caps of these people at `now` (ms since 1970), by their ids. */
export async function capsOf(
  { db, settings }: Parts,
  userIds: readonly number[],
  now: number,
): Promise<ReadonlyMap<number, Cap[]>> {
  const [organisation, found] = await Promise.all([readOrganisation(db), readUsersOf(db, userIds)])
  return new Map(found.map((user) => [user.id, capsAt(settings.limits, organisation, user, now)]))
}

/** The caps of a person with what they used, and the group that their calls are booked to. */
export async function limitsOfPerson(
  { db, settings, periods }: Parts & { periods: Periods },
  userId: number,
  now: number,
): Promise<{ caps: UsedCap[]; billingGroupId: number; used: ReadonlyMap<Period, Used> }> {
  const [organisation, [user]] = await Promise.all([readOrganisation(db), readUsersOf(db, [userId])])
  if (!user) return { caps: [], billingGroupId: 0, used: new Map() }
  const used = await usedIn(db, ownerText({ scope: 'user', id: userId }), periods, now)
  const caps = capsAt(settings.limits, organisation, user, now).map((cap) => ({
    ...cap,
    usedMicros: used.get(cap.period)?.micros ?? 0,
    resetsAt: periods.spanOf(cap.period, now).end,
  }))
  return { caps, billingGroupId: bookedTo(organisation, user, null)[0], used }
}

/** What people used in the current period of a kind, by their ids. Who used nothing is missing. */
export async function usedByPeople(
  { db, periods }: { db: Db; periods: Periods },
  userIds: readonly number[],
  period: Period,
  now: number,
): Promise<ReadonlyMap<number, Used>> {
  const owners = JSON.stringify(userIds.map((id) => ownerText({ scope: 'user', id })))
  const { start } = periods.spanOf(period, now)
  const rows = await db.all<Used & { owner: string }>(sql`
    select owner, micros, tokens from limit_spent
    where owner in (select value from json_each(${owners})) and period = ${period} and start = ${start}`)
  return new Map(rows.map(({ owner, micros, tokens }) => [parseOwner(owner).id, { micros, tokens }]))
}

/** What the owners of these limits used in the current period of each, by the limits' ids; where members have them for themselves, nothing. */
export async function usedOfLimits(
  parts: { db: Db; periods: Periods },
  limits: readonly SpendLimit[],
  now: number,
): Promise<ReadonlyMap<number, number>> {
  const owned = limits.flatMap((limit) => {
    const owner = ownerOf(limit)
    return owner === undefined ? [] : [{ limit, owner }]
  })
  const used = await usedByOwners(
    parts,
    owned.map(({ owner }) => owner),
    now,
  )
  return new Map(owned.map(({ limit, owner }) => [limit.id, used.get(`${owner} ${limit.period}`) ?? 0]))
}

/** Micro-dollars that owners of limits used in the current period of each kind, by `owner period`. */
export async function usedByOwners(
  { db, periods }: { db: Db; periods: Periods },
  owners: readonly string[],
  now: number,
): Promise<ReadonlyMap<string, number>> {
  const starts = PERIODS.map((period) => [period, periods.spanOf(period, now).start])
  const rows = await db.all<{ owner: string; period: Period; micros: number }>(sql`
    select owner, period, micros from json_each(${JSON.stringify(starts)}) as current_periods, limit_spent
    where owner in (select value from json_each(${JSON.stringify(owners)}))
      and period = current_periods.value ->> 0 and start = current_periods.value ->> 1`)
  return new Map(rows.map(({ owner, period, micros }) => [`${owner} ${period}`, micros]))
}

/** Whose use counts against a limit; undefined where it is that of each member. */
function ownerOf({ scope, scopeId }: SpendLimit): string | undefined {
  if (scope === 'user') return ownerText({ scope, id: scopeId })
  if (scope === 'group_pool') return ownerText({ scope: 'group', id: scopeId })
  return scope === 'organisation_pool' ? ownerText(ORGANISATION) : undefined
}

export interface Used {
  micros: number
  tokens: number
}

/** What an owner of limits used in the current period of each kind. */
async function usedIn(db: Db, owner: string, periods: Periods, now: number) {
  const rows = await db.all<Used & { period: Period; start: number }>(
    sql`select period, start, micros, tokens from limit_spent where owner = ${owner}`,
  )
  const current = rows.filter(({ period, start }) => start === periods.spanOf(period, now).start)
  return new Map(current.map(({ period, ...used }) => [period, used]))
}

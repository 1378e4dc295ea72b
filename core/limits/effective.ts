/** What everybody may spend and has spent in each period, whose limit that is, and which row says it: for programs. */
import { and, asc, desc, gt, isNull, or, type SQL, sql } from 'drizzle-orm'
import type { User } from '../auth/account.ts'
import { users } from '../db/schema.ts'
import { readOrganisation, readUsersOf } from '../organisation/read.ts'
import type { Db } from '../ports.ts'
import { among } from '../reports/totals.ts'
import type { Period, Settings } from '../settings.ts'
import { usedByPeople } from './caps.ts'
import type { Periods } from './period.ts'
import { type Cap, capsAt } from './resolve.ts'
import type { SpendLimit } from './spend-limit.ts'

export interface EffectiveCap extends Cap {
  spentMicros: number
  /** The row of spend_limits; null = the configuration says it. */
  limitId: number | null
}
export interface EffectiveUser {
  user: User
  groups: { id: number; name: string }[]
  caps: EffectiveCap[]
}

export interface EffectiveFilter {
  userIds?: readonly number[] | undefined
  periods: readonly Exclude<Period, 'total'>[]
  /** Text to find in account or display name. */
  q?: string | undefined
}

/** Where a page begins: after this person, of those sorted by what they spent this month after this amount. */
export interface EffectiveCursor {
  limit: number
  afterId?: number | undefined
  /** Micro-dollars; undefined = sorted by id. */
  afterMicros?: number | undefined
  bySpend: boolean
}

interface Parts {
  db: Db
  settings: Pick<Settings, 'limits'>
  periods: Periods
}

/** A page of people and service accounts who are not deleted, and where the next one begins; undefined = it was the last. */
export async function effectiveLimits(
  parts: Parts,
  filter: EffectiveFilter,
  cursor: EffectiveCursor,
  now: number,
): Promise<{ people: EffectiveUser[]; next: { id: number; micros: number } | undefined }> {
  const { db, settings } = parts
  const found = await peopleIn(parts, filter, cursor, now)
  const kept = found.slice(0, cursor.limit)
  const ids = kept.map(({ user }) => user.id)
  const [organisation, read, limits, ...spent] = await Promise.all([
    readOrganisation(db),
    readUsersOf(db, ids),
    limitIds(db, ids),
    ...filter.periods.map((period) => usedByPeople(parts, ids, period, now)),
  ])
  const spentIn = new Map(filter.periods.map((period, at) => [period as Period, spent[at]]))
  const reads = new Map(read.map((user) => [user.id, user]))
  const people = kept.map(({ user }): EffectiveUser => {
    const limited = reads.get(user.id)
    const caps = limited ? capsAt(settings.limits, organisation, limited, now) : []
    return {
      user,
      groups: (limited?.groupIds ?? []).flatMap((id) => organisation.groups.get(id) ?? []),
      caps: caps
        .filter(({ period }) => spentIn.has(period))
        .map((cap) => ({
          ...cap,
          spentMicros: spentIn.get(cap.period)?.get(user.id)?.micros ?? 0,
          limitId: limits.get(rowOf(cap, user.id)) ?? null,
        })),
    }
  })
  const last = kept.at(-1)
  return {
    people,
    next: found.length > kept.length && last ? { id: last.user.id, micros: last.micros } : undefined,
  }
}

async function peopleIn(
  { db, periods }: Parts,
  { userIds, q }: EffectiveFilter,
  { limit, afterId, afterMicros, bySpend }: EffectiveCursor,
  now: number,
): Promise<{ user: User; micros: number }[]> {
  const { start } = periods.spanOf('monthly', now)
  const spent = sql<number>`coalesce((select micros from limit_spent
    where owner = 'user:' || ${users.id} and period = 'monthly' and start = ${start}), 0)`
  const micros = bySpend ? spent : sql<number>`0`
  const text = q?.toLowerCase()
  const rest: SQL | undefined =
    afterId === undefined
      ? undefined
      : afterMicros === undefined
        ? gt(users.id, afterId)
        : or(sql`${micros} < ${afterMicros}`, and(sql`${micros} = ${afterMicros}`, gt(users.id, afterId)))
  return db
    .select({ user: users, micros: micros.mapWith(Number) })
    .from(users)
    .where(
      and(
        isNull(users.deletedAt),
        userIds && among(users.id, userIds),
        text
          ? or(
              sql`instr(${users.itcode}, ${text}) > 0`,
              sql`instr(lower(${users.name}), ${text}) > 0`,
              sql`instr(coalesce(${users.email}, ''), ${text}) > 0`,
            )
          : undefined,
        rest,
      ),
    )
    .orderBy(...(bySpend ? [desc(micros)] : []), asc(users.id))
    .limit(limit + 1)
}

type Row = `${SpendLimit['scope']} ${number} ${Period}`

function rowOf({ source, groupId = 0, period }: Cap, userId: number): Row {
  if (source === 'group') return `group_each ${groupId} ${period}`
  return source === 'organisation' ? `organisation_each 0 ${period}` : `user ${userId} ${period}`
}

/** Ids of the limits of these people, of all groups and of the organisation. */
async function limitIds(db: Db, userIds: readonly number[]): Promise<ReadonlyMap<Row, number>> {
  const rows = await db.all<Pick<SpendLimit, 'id' | 'scope' | 'period'> & { scope_id: number }>(sql`
    select id, scope, scope_id, period from spend_limits where scope in ('group_each', 'organisation_each')
      or (scope = 'user' and scope_id in (select value from json_each(${JSON.stringify(userIds)})))`)
  return new Map(
    rows.map(({ id, scope, scope_id, period }): [Row, number] => [`${scope} ${scope_id} ${period}`, id]),
  )
}

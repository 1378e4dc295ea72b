/** Lists users for administrators, with what each has used. */
import { and, asc, count, eq, isNotNull, isNull, or, type SQL, sql } from 'drizzle-orm'
import type { User } from '../auth/account.ts'
import { users } from '../db/schema.ts'
import { usedByPeople } from '../limits/caps.ts'
import type { Periods } from '../limits/period.ts'
import { ownAmounts } from '../limits/spend-limit.ts'
import type { Clock, Db } from '../ports.ts'
import { type Totals, totalsByUser } from '../reports/totals.ts'
import type { Settings } from '../settings.ts'

export interface UserFilter {
  /** Text to find in account, display name or address, taken literally; case is ignored. */
  q?: string | undefined
  status?: User['status'] | undefined
  role?: User['role'] | undefined
  kind?: User['kind'] | undefined
  /** Those that were deleted, instead of all others. */
  deleted?: boolean | undefined
}

export const USER_SORTS = ['itcode', 'last_used_at', 'cost_usd', 'budget_used_usd', 'created_at'] as const
type UserSort = (typeof USER_SORTS)[number]

interface UserPage {
  page: number
  pageSize: number
  sort: UserSort
  order: 'asc' | 'desc'
}

export interface ListedUser extends Totals {
  user: User
  /** Their own spend limit of limits.period in micro-dollars; 0 = none. */
  ownMicros: number
  /** Tokens and micro-dollars in the current period of quotas and budgets. */
  periodTokens: number
  periodMicros: number
}

interface Parts {
  db: Db
  clock: Clock
  settings: Settings
  periods: Periods
}

/** One page of matching users, and how many match. Who is equal is in the order of account names. */
export async function findUsers(
  parts: Parts,
  { q, status, role, kind, deleted = false }: UserFilter,
  { page, pageSize, sort, order }: UserPage,
): Promise<{ users: ListedUser[]; total: number }> {
  const { db } = parts
  const text = q?.toLowerCase()
  const named = text
    ? or(
        sql`instr(${users.itcode}, ${text}) > 0`,
        sql`instr(lower(${users.name}), ${text}) > 0`,
        sql`instr(${users.email}, ${text}) > 0`,
      )
    : undefined
  const where = and(
    named,
    status && eq(users.status, status),
    role && eq(users.role, role),
    kind && eq(users.kind, kind),
    deleted ? isNotNull(users.deletedAt) : isNull(users.deletedAt),
  )
  const [counted] = await db.select({ total: count() }).from(users).where(where)
  const found = await db
    .select()
    .from(users)
    .where(where)
    .orderBy(sql`${sortedBy(parts, sort)} ${sql.raw(order)}`, asc(users.itcode))
    .limit(pageSize)
    .offset((page - 1) * pageSize)
  return { users: await withUse(parts, found), total: counted?.total ?? 0 }
}

/** What a user is sorted by; who used nothing has 0. */
function sortedBy({ clock, settings, periods }: Parts, sort: UserSort): SQL {
  const { period } = settings.limits
  const ever = sql`from usage_sums where cut = 'total' and user_id = users.id and start = 0`
  switch (sort) {
    case 'itcode':
      return sql`${users.itcode}`
    case 'created_at':
      return sql`${users.createdAt}`
    case 'last_used_at':
      return sql`(select coalesce(max(last_at), 0) ${ever})`
    case 'cost_usd':
      return sql`(select coalesce(sum(cost_micros), 0) ${ever})`
    case 'budget_used_usd':
      return sql`(select coalesce(sum(micros), 0) from limit_spent where owner = 'user:' || users.id
        and period = ${period} and start = ${periods.spanOf(period, clock.now()).start})`
  }
}

/** One user with what they have used; undefined when there is none. */
export async function describedUser(parts: Parts, id: number): Promise<ListedUser | undefined> {
  const found = await parts.db.select().from(users).where(eq(users.id, id))
  const [listed] = await withUse(parts, found)
  return listed
}

async function withUse({ db, clock, settings, periods }: Parts, found: User[]): Promise<ListedUser[]> {
  const ids = found.map(({ id }) => id)
  const { period } = settings.limits
  const [totals, used, own] = await Promise.all([
    totalsByUser(db, ids),
    usedByPeople({ db, periods }, ids, period, clock.now()),
    ownAmounts(db, ids, period),
  ])
  const none: Totals = { requests: 0, totalTokens: 0, costMicros: 0, lastUsedAt: null }
  return found.map((user) => {
    const { tokens, micros } = used.get(user.id) ?? { tokens: 0, micros: 0 }
    const ownMicros = own.get(user.id) ?? 0
    return {
      user,
      ownMicros,
      ...none,
      ...totals.get(user.id),
      periodTokens: tokens,
      periodMicros: micros,
    }
  })
}

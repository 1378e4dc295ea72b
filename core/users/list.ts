/** Lists users for administrators, with what each has used. */
import { and, asc, count, eq, isNotNull, isNull, or, sql } from 'drizzle-orm'
import type { User } from '../auth/account.ts'
import { users } from '../db/schema.ts'
import { usedByPeople } from '../limits/caps.ts'
import type { Periods } from '../limits/period.ts'
import { ownAmounts } from '../limits/spend-limit.ts'
import type { Clock, Db } from '../ports.ts'
import { type Totals, totalsByUser } from '../reports/totals.ts'
import type { Settings } from '../settings.ts'

export interface UserFilter {
  /** Text to find in account or display name, taken literally; case is ignored. */
  q?: string | undefined
  status?: User['status'] | undefined
  role?: User['role'] | undefined
  kind?: User['kind'] | undefined
  /** Those that were deleted, instead of all others. */
  deleted?: boolean | undefined
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

/** One page of matching users, ordered by account name, and how many match. */
export async function findUsers(
  parts: Parts,
  { q, status, role, kind, deleted = false }: UserFilter,
  { page, pageSize }: { page: number; pageSize: number },
): Promise<{ users: ListedUser[]; total: number }> {
  const { db } = parts
  const text = q?.toLowerCase()
  const named = text
    ? or(sql`instr(${users.itcode}, ${text}) > 0`, sql`instr(lower(${users.name}), ${text}) > 0`)
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
    .orderBy(asc(users.itcode))
    .limit(pageSize)
    .offset((page - 1) * pageSize)
  return { users: await withUse(parts, found), total: counted?.total ?? 0 }
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

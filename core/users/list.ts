/** Lists users for administrators, with what each has used. */
import { and, asc, count, eq, or, sql } from 'drizzle-orm'
import type { User } from '../auth/account.ts'
import { users } from '../db/schema.ts'
import { periodOf } from '../limits/period.ts'
import type { Clock, Db } from '../ports.ts'
import { type Totals, totalsByUser, usedByUsers } from '../reports/totals.ts'
import type { Settings } from '../settings.ts'

export interface UserFilter {
  /** Text to find in account or display name, taken literally; case is ignored. */
  q?: string | undefined
  status?: User['status'] | undefined
  role?: User['role'] | undefined
}

export interface ListedUser extends Totals {
  user: User
  /** Tokens and micro-dollars in the current period of quotas and budgets. */
  periodTokens: number
  periodMicros: number
}

interface Parts {
  db: Db
  clock: Clock
  settings: Settings
}

/** One page of matching users, ordered by account name, and how many match. */
export async function findUsers(
  parts: Parts,
  { q, status, role }: UserFilter,
  { page, pageSize }: { page: number; pageSize: number },
): Promise<{ users: ListedUser[]; total: number }> {
  const { db } = parts
  const text = q?.toLowerCase()
  const named = text
    ? or(sql`instr(${users.itcode}, ${text}) > 0`, sql`instr(lower(${users.name}), ${text}) > 0`)
    : undefined
  const where = and(named, status && eq(users.status, status), role && eq(users.role, role))
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

async function withUse({ db, clock, settings }: Parts, found: User[]): Promise<ListedUser[]> {
  const ids = found.map(({ id }) => id)
  const { start } = periodOf(settings.limits.period, clock.now())
  const [totals, used] = await Promise.all([totalsByUser(db, ids), usedByUsers(db, ids, start)])
  const none: Totals = { requests: 0, totalTokens: 0, costMicros: 0, lastUsedAt: null }
  return found.map((user) => {
    const { tokens, costMicros } = used.get(user.id) ?? { tokens: 0, costMicros: 0 }
    return { user, ...none, ...totals.get(user.id), periodTokens: tokens, periodMicros: costMicros }
  })
}

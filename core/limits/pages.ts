/** Pages of spend limits, of what people ask for, and of what was changed, for programs. */
import { and, eq, inArray, isNull, like, ne, or, sql } from 'drizzle-orm'
import { alias } from 'drizzle-orm/sqlite-core'
import type { User } from '../auth/account.ts'
import { auditEvents, increaseRequests, spendLimits, users } from '../db/schema.ts'
import { type Cursor, type Page, pageOf, type Read } from '../organisation/pages.ts'
import type { Db } from '../ports.ts'
import { among } from '../reports/totals.ts'
import type { SpendLimit } from './spend-limit.ts'

/** Anthropic's Admin API knows no period `total`. */
const isPeriodic = ne(spendLimits.period, 'total')

export type PagedLimit = SpendLimit & { isService: boolean }

export interface LimitFilter {
  id?: number
  scopes?: readonly SpendLimit['scope'][] | undefined
  /** Of the pool of this group. */
  groupId?: number | undefined
  /** Of this person or service account. */
  userId?: number
  period?: SpendLimit['period']
}

export function limitPage(
  db: Db,
  filter: LimitFilter,
  cursor: Cursor = { limit: 1 },
): Promise<Page<PagedLimit>> {
  const { id, scopes, groupId, userId, period } = filter
  const of = (scope: SpendLimit['scope'], scopeId: number) =>
    and(eq(spendLimits.scope, scope), eq(spendLimits.scopeId, scopeId))
  const matching = and(
    isPeriodic,
    id === undefined ? undefined : eq(spendLimits.id, id),
    scopes && inArray(spendLimits.scope, [...scopes]),
    groupId === undefined ? undefined : of('group_pool', groupId),
    userId === undefined ? undefined : of('user', userId),
    period && eq(spendLimits.period, period),
  )
  return pageOf(cursor, spendLimits.id, async (where, order, most) => {
    const rows = await db
      .select({ limit: spendLimits, kind: users.kind })
      .from(spendLimits)
      .leftJoin(users, and(eq(spendLimits.scope, 'user'), eq(users.id, spendLimits.scopeId)))
      .where(and(matching, where))
      .orderBy(order)
      .limit(most)
    return rows.map(({ limit, kind }) => ({ ...limit, isService: kind === 'service' }))
  })
}

export interface PagedIncrease {
  request: typeof increaseRequests.$inferSelect
  user: User
  reviewer: User | null
  /** The admin key that decided it; null = none did. */
  adminKeyId: number | null
}

/** Requests of periods, the newest first, without those that were withdrawn and those of people who are gone. */
export function increasePage(
  db: Db,
  filter: {
    id?: number
    statuses?: readonly PagedIncrease['request']['status'][] | undefined
    userIds?: readonly number[] | undefined
  },
  cursor: Cursor = { limit: 1 },
): Promise<Page<PagedIncrease>> {
  const { id, statuses, userIds } = filter
  const reviewer = alias(users, 'reviewer')
  const matching = and(
    ne(increaseRequests.period, 'total'),
    ne(increaseRequests.status, 'withdrawn'),
    isNull(users.deletedAt),
    id === undefined ? undefined : eq(increaseRequests.id, id),
    statuses && inArray(increaseRequests.status, [...statuses]),
    userIds && among(increaseRequests.userId, userIds),
  )
  const adminKeyId = sql<number | null>`(select decided.admin_key_id from audit_events as decided
    where decided.action in ('request.approve', 'request.reject') and decided.target = 'request:' || ${increaseRequests.id})`
  const read: Read<PagedIncrease> = (where, order, most) =>
    db
      .select({ request: increaseRequests, user: users, reviewer, adminKeyId })
      .from(increaseRequests)
      .innerJoin(users, eq(users.id, increaseRequests.userId))
      .leftJoin(reviewer, eq(reviewer.id, increaseRequests.reviewerId))
      .where(and(matching, where))
      .orderBy(order)
      .limit(most)
  return pageOf(cursor, increaseRequests.id, read, true)
}

/** Changes of spend limits, the newest first. */
export function limitEventPage(db: Db, cursor: Cursor): Promise<Page<typeof auditEvents.$inferSelect>> {
  const { action, id } = auditEvents
  const isOfLimits = or(like(action, 'limit.%'), inArray(action, ['request.approve', 'request.reject']))
  return pageOf(
    cursor,
    id,
    (where, order, most) =>
      db.select().from(auditEvents).where(and(isOfLimits, where)).orderBy(order).limit(most),
    true,
  )
}

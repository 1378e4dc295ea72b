/**
 * Pages of people, keys and groups in the order of their ids, which never change: a cursor stays good whatever is added or
 * deleted while somebody reads on.
 */
import {
  and,
  asc,
  type Column,
  desc,
  eq,
  gt,
  inArray,
  isNotNull,
  isNull,
  lt,
  ne,
  or,
  type SQL,
  sql,
} from 'drizzle-orm'
import type { User } from '../auth/account.ts'
import { apiKeys, groupMembers, groups, invitations, users } from '../db/schema.ts'
import type { Db } from '../ports.ts'
import { billingGroupOf } from './billing-group.ts'
import { type Group, UNASSIGNED } from './groups.ts'
import { type Invitation, type InvitationStatus, statusSql } from './invitations.ts'

/** Rows after one id, or the last ones before one. */
export interface Cursor {
  limit: number
  after?: number | undefined
  before?: number | undefined
}
export interface Page<T> {
  rows: T[]
  /** In the direction that the cursor reads. */
  hasMore: boolean
}
export type Read<T> = (where: SQL | undefined, order: SQL, most: number) => Promise<T[]>

export async function pageOf<T>(
  { limit, after, before }: Cursor,
  id: Column,
  read: Read<T>,
  newestFirst = false,
): Promise<Page<T>> {
  const isBack = before !== undefined
  const isUp = newestFirst === isBack
  const from = before ?? after
  const where = from === undefined ? undefined : isUp ? gt(id, from) : lt(id, from)
  const rows = await read(where, isUp ? asc(id) : desc(id), limit + 1)
  const kept = rows.slice(0, limit)
  return { rows: isBack ? kept.reverse() : kept, hasMore: rows.length > limit }
}

/** People who are not deleted. `names`: those who have one of these as account name or address. */
export function userPage(
  db: Db,
  filter: { names?: readonly string[] | undefined; roles?: readonly User['role'][] | undefined },
  cursor: Cursor,
): Promise<Page<User>> {
  const { names, roles } = filter
  const matching = and(
    eq(users.kind, 'person'),
    isNull(users.deletedAt),
    names && or(inArray(users.itcode, [...names]), inArray(users.email, [...names])),
    roles && inArray(users.role, [...roles]),
  )
  return pageOf(cursor, users.id, (where, order, most) =>
    db.select().from(users).where(and(matching, where)).orderBy(order).limit(most),
  )
}

export interface PagedKey {
  key: typeof apiKeys.$inferSelect
  owner: Pick<User, 'id' | 'kind'>
  /** Where its calls are booked to; 0 = unassigned. */
  groupId: number
}
export type KeyStatus = 'active' | 'inactive' | 'archived' | 'expired'

/** Keys, also deleted ones, with what they are at `now` (ms since 1970). */
export function keyPage(
  db: Db,
  filter: {
    id?: number | undefined
    status?: KeyStatus | undefined
    groupId?: number | undefined
    userId?: number | undefined
  },
  now: number,
  cursor: Cursor = { limit: 1 },
): Promise<Page<PagedKey & { status: KeyStatus }>> {
  const status = sql<KeyStatus>`case when ${apiKeys.deletedAt} is not null then 'archived'
    when ${apiKeys.expiresAt} <= ${now} then 'expired' when ${apiKeys.status} = 'active' then 'active' else 'inactive' end`
  // The rule of billingGroupIds.
  const groupId = sql<number>`coalesce((select own.id from groups as own
      join group_members as mine on mine.group_id = own.id and mine.user_id = ${apiKeys.userId}
      where own.id = ${apiKeys.billingGroupId} and own.bills and own.deleted_at is null),
    ${billingGroupOf(sql`${apiKeys.userId}`)})`
  const matching = and(
    eq(apiKeys.kind, 'key'),
    filter.id === undefined ? undefined : eq(apiKeys.id, filter.id),
    filter.status && eq(status, filter.status),
    filter.groupId === undefined ? undefined : eq(groupId, filter.groupId),
    filter.userId === undefined ? undefined : eq(apiKeys.userId, filter.userId),
  )
  return pageOf(cursor, apiKeys.id, (where, order, most) =>
    db
      .select({ key: apiKeys, owner: { id: users.id, kind: users.kind }, groupId, status })
      .from(apiKeys)
      .innerJoin(users, eq(users.id, apiKeys.userId))
      .where(and(matching, where))
      .orderBy(order)
      .limit(most),
  )
}

/** Groups but the built-in one: those that are not deleted, or all; with `bills` those that calls can be booked to. */
export function groupPage(
  db: Db,
  { bills, deleted }: { bills?: true; deleted?: boolean },
  cursor: Cursor,
): Promise<Page<Group>> {
  const matching = and(
    ne(groups.id, UNASSIGNED),
    bills && eq(groups.bills, true),
    deleted ? undefined : isNull(groups.deletedAt),
  )
  return pageOf(cursor, groups.id, (where, order, most) =>
    db.select().from(groups).where(and(matching, where)).orderBy(order).limit(most),
  )
}

export type PagedMember = { user: User; createdAt: number }

export function memberPage(
  db: Db,
  groupId: number,
  cursor: Cursor,
  userId?: number,
): Promise<Page<PagedMember>> {
  const matching = and(
    eq(groupMembers.groupId, groupId),
    userId === undefined ? undefined : eq(groupMembers.userId, userId),
  )
  return pageOf(cursor, groupMembers.userId, (where, order, most) =>
    db
      .select({ user: users, createdAt: groupMembers.createdAt })
      .from(groupMembers)
      .innerJoin(users, eq(users.id, groupMembers.userId))
      .where(and(matching, where))
      .orderBy(order)
      .limit(most),
  )
}

export interface PagedInvitation {
  invitation: Invitation
  acceptedAt: number | null
}

/** Invitations of one address each. */
export function invitationPage(
  db: Db,
  filter: {
    id?: number
    email?: string | undefined
    roles?: readonly User['role'][] | undefined
    statuses?: readonly InvitationStatus[]
  },
  now: number,
  cursor: Cursor = { limit: 1 },
): Promise<Page<PagedInvitation>> {
  const { id, email, roles, statuses } = filter
  const acceptedAt = sql<
    number | null
  >`(select min(used_at) from invitation_uses where invitation_id = ${invitations.id})`
  const matching = and(
    isNotNull(invitations.email),
    id === undefined ? undefined : eq(invitations.id, id),
    email === undefined ? undefined : eq(invitations.email, email),
    roles && inArray(invitations.role, [...roles]),
    statuses && inArray(statusSql(now), [...statuses]),
  )
  return pageOf(cursor, invitations.id, (where, order, most) =>
    db
      .select({ invitation: invitations, acceptedAt })
      .from(invitations)
      .where(and(matching, where))
      .orderBy(order)
      .limit(most),
  )
}

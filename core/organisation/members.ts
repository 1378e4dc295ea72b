/** Who is in a group, and who leads it. Members of a group that a directory keeps cannot be changed here. */
import { and, asc, eq, isNull, type SQL, sql } from 'drizzle-orm'
import { type Actor, auditIfChanged } from '../audit/record.ts'
import { groupMembers, groups, users } from '../db/schema.ts'
import { nothingHere, Refusal } from '../errors.ts'
import type { Clock, Db } from '../ports.ts'
import { builtIn, type Group, groupOf, UNASSIGNED } from './groups.ts'

export type GroupRole = (typeof groupMembers.$inferSelect)['role']

export interface Member {
  userId: number
  itcode: string
  name: string
  role: GroupRole
  createdAt: number
}

interface Parts {
  db: Db
  clock: Clock
  actor: Actor
}

/**
 * Makes a person a member or lead. Without a role, who is in the group stays what they are, and others are members. Throws a
 * Refusal: not_found for an unknown group or person; conflict for the built-in group, for who is not in a group that a directory
 * keeps, and for service accounts.
 */
export async function setMember(
  parts: Parts,
  groupId: number,
  userId: number,
  given: GroupRole | undefined,
): Promise<void> {
  const { db, clock, actor } = parts
  const group = await groupOf(db, groupId)
  const now = clock.now()
  const isMember = and(eq(groupMembers.groupId, groupId), eq(groupMembers.userId, userId))
  const [before] = await db.select().from(groupMembers).where(isMember)
  // Who leads is decided here, also where a directory says who is in the group.
  if (!before) assertKeptHere(group)
  const role = given ?? before?.role ?? 'member'
  const [added] = await db.batch([
    inserting(db, { groupId, userId, role, now }),
    auditIfChanged(db, joined({ actor, now, groupId, userId, role })),
    db
      .update(groupMembers)
      .set({ role })
      .where(and(isMember, sql`${groupMembers.role} <> ${given ?? groupMembers.role}`)),
    auditIfChanged(db, {
      actor,
      at: now,
      action: 'group.member_role',
      target: `group:${groupId} user:${userId}`,
      before: { group_role: before?.role },
      after: { group_role: role },
    }),
  ])
  if (added.length > 0 || before) return
  await explain(db, userId)
}

/**
 * A lead adds a person as a member. Only an admin's choice (`leadsAdd`) allows it, and only to a group that gives or takes
 * nothing: no limits, rates, models, policies or groups above. Throws a Refusal: not_found unless they lead the group; conflict.
 */
export async function addAsLead(
  parts: Parts,
  leadId: number,
  groupId: number,
  userId: number,
): Promise<void> {
  const { db, clock, actor } = parts
  const group = await groupOf(db, groupId)
  if (!(await groupsLedBy(db, leadId)).includes(groupId)) throw nothingHere()
  assertKeptHere(group)
  const now = clock.now()
  const allowed = sql`(${leads(sql`${leadId}`, sql`${groupId}`)} and exists (select 1 from groups where id = ${groupId}
    and leads_add and parent_id is null and coalesce(requests_per_minute, tokens_per_minute, concurrent_requests) is null)
    and not exists (select 1 from spend_limits where scope in ('group_each', 'group_pool') and scope_id = ${groupId})
    and not exists (select 1 from group_models where group_id = ${groupId})
    and not exists (select 1 from policies, json_each(policies.group_ids) as named
      where policies.deleted_at is null and named.value = ${groupId}))`
  const [added] = await db.batch([
    inserting(db, { groupId, userId, role: 'member', now }, allowed),
    auditIfChanged(db, joined({ actor, now, groupId, userId, role: 'member' })),
  ])
  if (added.length > 0) return
  const isMember = and(eq(groupMembers.groupId, groupId), eq(groupMembers.userId, userId))
  if ((await db.select().from(groupMembers).where(isMember)).length > 0) return
  await explain(db, userId)
  throw new Refusal('conflict', 'Only an administrator can add members to this group.')
}

/** Throws a Refusal: not_found, or conflict for a group that a directory keeps. */
export async function removeMember(parts: Parts, groupId: number, userId: number): Promise<void> {
  const { db, clock, actor } = parts
  assertKeptHere(await groupOf(db, groupId))
  const isMember = and(eq(groupMembers.groupId, groupId), eq(groupMembers.userId, userId))
  const [before] = await db.select().from(groupMembers).where(isMember)
  if (!before) throw nothingHere()
  const [gone] = await db.batch([
    db.delete(groupMembers).where(isMember).returning({ userId: groupMembers.userId }),
    auditIfChanged(db, {
      actor,
      at: clock.now(),
      action: 'group.member_remove',
      target: `group:${groupId}`,
      before: { user_id: userId, group_role: before.role },
    }),
  ])
  if (gone.length === 0) throw nothingHere()
}

/** Leads first, then by account name. */
export function listMembers(db: Db, groupId: number): Promise<Member[]> {
  return db
    .select({
      userId: users.id,
      itcode: users.itcode,
      name: users.name,
      role: groupMembers.role,
      createdAt: groupMembers.createdAt,
    })
    .from(groupMembers)
    .innerJoin(users, eq(users.id, groupMembers.userId))
    .where(eq(groupMembers.groupId, groupId))
    .orderBy(asc(groupMembers.role), asc(users.itcode))
}

/** How many members and leads each group has. */
export async function memberCounts(db: Db): Promise<ReadonlyMap<number, { members: number; leads: number }>> {
  const rows = await db
    .select({
      groupId: groupMembers.groupId,
      members: sql<number>`count(*)`.mapWith(Number),
      leads: sql<number>`sum(${groupMembers.role} = 'lead')`.mapWith(Number),
    })
    .from(groupMembers)
    .groupBy(groupMembers.groupId)
  return new Map(rows.map(({ groupId, ...counts }) => [groupId, counts]))
}

/** The groups of a person, by priority. */
export async function groupsOf(db: Db, userId: number): Promise<{ group: Group; role: GroupRole }[]> {
  return db
    .select({ group: groups, role: groupMembers.role })
    .from(groupMembers)
    .innerJoin(groups, eq(groups.id, groupMembers.groupId))
    .where(and(eq(groupMembers.userId, userId), isNull(groups.deletedAt)))
    .orderBy(asc(groups.priority), asc(groups.id))
}

export async function groupsLedBy(db: Db, userId: number): Promise<number[]> {
  const rows = await groupsOf(db, userId)
  return rows.filter(({ role }) => role === 'lead').map(({ group }) => group.id)
}

/** Whether a user, who is active and no mere reader, leads a group that is not deleted. */
export function leads(userId: SQL, groupId: SQL): SQL {
  return sql`exists (select 1 from group_members as led join groups as led_group on led_group.id = led.group_id
    join users as leader on leader.id = led.user_id
    where led.group_id = ${groupId} and led.user_id = ${userId} and led.role = 'lead' and led_group.deleted_at is null
      and leader.status = 'active' and leader.role in ('user', 'admin'))`
}

interface Joining {
  groupId: number
  userId: number
  role: GroupRole
  now: number
}

function inserting(db: Db, { groupId, userId, role, now }: Joining, allowed: SQL = sql`true`) {
  return db.all<{ userId: number }>(sql`
    insert into group_members (group_id, user_id, role, created_at)
    select groups.id, users.id, ${role}, ${now} from groups, users
    where groups.id = ${groupId} and groups.deleted_at is null and groups.source = 'direct'
      and users.id = ${userId} and users.kind = 'person' and users.deleted_at is null and ${allowed}
    on conflict do nothing returning user_id as userId`)
}

function joined({ actor, now, groupId, userId, role }: Joining & { actor: Actor }) {
  return {
    actor,
    at: now,
    action: 'group.member_add' as const,
    target: `group:${groupId}`,
    after: { user_id: userId, group_role: role },
  }
}

/** Throws a Refusal conflict for the built-in group and one that a directory keeps. */
export function assertKeptHere({ id, source }: Group) {
  if (id === UNASSIGNED) throw builtIn()
  if (source !== 'direct') {
    throw new Refusal('conflict', 'A directory keeps the members of this group. Change them there.')
  }
}

/** Why a user could not join, as far as it is because of them. */
async function explain(db: Db, userId: number) {
  const [user] = await db
    .select({ kind: users.kind })
    .from(users)
    .where(and(eq(users.id, userId), isNull(users.deletedAt)))
  if (!user) throw nothingHere()
  if (user.kind === 'service')
    throw new Refusal('conflict', 'A service account is in no group. Its owner is one.')
}

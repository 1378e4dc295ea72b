/** Groups of people: made, changed, deleted, listed. Every change is audited in the same batch. */
import { and, asc, eq, isNull, ne, type SQL, sql } from 'drizzle-orm'
import { auditedRates, changeOf } from '../audit/change.ts'
import { type Actor, auditIfChanged } from '../audit/record.ts'
import { apiKeys, groupMembers, groupModels, groups, spendLimits, users } from '../db/schema.ts'
import { nothingHere, Refusal } from '../errors.ts'
import type { Clock, Db } from '../ports.ts'
import { payingForDepartment } from '../scim/departments.ts'
import { storable } from '../text.ts'
import { usdOf } from '../units.ts'
import { badParent, canHold, childrenOf, mayStand } from './tree.ts'

export type Group = typeof groups.$inferSelect
type Settable =
  | ('name' | 'bills' | 'priority' | 'parentId' | 'leadMaxMicros' | 'leadsAdd')
  | ('requestsPerMinute' | 'tokensPerMinute' | 'concurrentRequests')
export type GroupChange = { [K in Settable]?: Group[K] | undefined }
/** `kept`: its members are those of the group with this id at a provider of sign-ins. */
export type NewGroup = GroupChange & {
  name: string
  kept?: { source: 'oidc' | 'ldap'; externalId: string } | undefined
}

/** Calls that belong to no other group are booked to this one. It has no members and never changes. */
export const UNASSIGNED = 0

interface Parts {
  db: Db
  clock: Clock
  actor: Actor
}

/** Throws a Refusal: conflict for a name or external id that is taken, invalid_input for its parent. */
export async function createGroup(
  { db, clock, actor }: Parts,
  { kept, ...wanted }: NewGroup,
): Promise<Group> {
  const now = clock.now()
  const name = storable(wanted.name)
  const row = { ...DEFAULTS, ...defined(wanted), name }
  const fits = row.parentId === null ? sql`true` : canHold(row.parentId, row.bills, sql`1`)
  const source = kept?.source ?? 'direct'
  const externalId = kept?.externalId ?? null
  const [made] = await db.batch([
    db.all<{ id: number }>(sql`
      insert into groups (name, source, external_id, bills, priority, parent_id, requests_per_minute, tokens_per_minute,
        concurrent_requests, lead_max_micros, leads_add, created_at, updated_at)
      select ${name}, ${source}, ${externalId}, ${flag(row.bills)}, ${row.priority}, ${row.parentId}, ${row.requestsPerMinute},
        ${row.tokensPerMinute}, ${row.concurrentRequests}, ${row.leadMaxMicros}, ${flag(row.leadsAdd)}, ${now}, ${now}
      where ${fits} and not exists (${ofDirectory(source, externalId)}) on conflict do nothing returning id`),
    auditIfChanged(db, {
      actor,
      at: now,
      action: 'group.create',
      target: `group:${name}`,
      after: {
        name,
        bills: row.bills,
        priority: row.priority,
        parent_id: row.parentId,
        leads_add: row.leadsAdd,
        lead_max_usd: usdOf(row.leadMaxMicros),
        source,
        external_id: externalId,
        requests_per_minute: row.requestsPerMinute,
        tokens_per_minute: row.tokensPerMinute,
        concurrent_requests: row.concurrentRequests,
      },
    }),
    payingForDepartment(db, name),
  ])
  const id = made[0]?.id
  if (id !== undefined) return groupOf(db, id)
  await assertFree(db, name)
  const [same] = await db.all<{ name: string }>(ofDirectory(source, externalId))
  if (same) throw new Refusal('conflict', `The group ${same.name} has this external id already.`)
  throw badParent()
}

function ofDirectory(source: string, externalId: string | null): SQL {
  return sql`select name from groups as other
    where other.source = ${source} and other.external_id = ${externalId} and other.deleted_at is null`
}

/**
 * Changes a group. Throws a Refusal: not_found; conflict for the built-in group or a name that is taken; invalid_input for a
 * parent that would not do.
 */
export async function updateGroup(
  { db, clock, actor }: Parts,
  id: number,
  change: GroupChange,
): Promise<Group> {
  const before = await groupOf(db, id)
  if (id === UNASSIGNED) throw builtIn()
  const now = clock.now()
  const set = defined(change.name === undefined ? change : { ...change, name: storable(change.name) })
  const after = { ...before, ...set }
  const [changed] = await db.batch([
    db
      .update(groups)
      .set({ ...set, updatedAt: now })
      .where(and(isLive(id), isFree(after.name, id), mayStand(id, after)))
      .returning({ id: groups.id }),
    auditIfChanged(db, {
      actor,
      at: now,
      action: 'group.update',
      target: `group:${id}`,
      ...changeOf(audited(before), audited(set)),
    }),
    payingForDepartment(db, after.name),
  ])
  if (changed.length > 0) return groupOf(db, id)
  await assertFree(db, after.name, id)
  throw badParent()
}

/**
 * Deletes a group with its memberships, limits and models. The row stays, so that its usage keeps a name; whoever was booked
 * to it falls to the next rule. Throws a Refusal: not_found; conflict for the built-in one and one that has groups below.
 */
export async function deleteGroup({ db, clock, actor }: Parts, id: number): Promise<void> {
  const { name } = await groupOf(db, id)
  if (id === UNASSIGNED) throw builtIn()
  const now = clock.now()
  // Of the group, evaluated after the first statement of the batch.
  const isGone = sql`exists (select 1 from groups where id = ${id} and deleted_at is not null)`
  const isItsLimit = sql`${spendLimits.scope} in ('group_each', 'group_pool') and ${spendLimits.scopeId} = ${id}`
  const [gone] = await db.batch([
    db
      .update(groups)
      .set({ deletedAt: now, updatedAt: now, parentId: null })
      .where(and(isLive(id), sql`not exists (${childrenOf(id)})`))
      .returning({ id: groups.id }),
    auditIfChanged(db, { actor, at: now, action: 'group.delete', target: `group:${id}`, before: { name } }),
    db.delete(groupMembers).where(and(eq(groupMembers.groupId, id), isGone)),
    db.delete(groupModels).where(and(eq(groupModels.groupId, id), isGone)),
    db.delete(spendLimits).where(and(isItsLimit, isGone)),
    db
      .update(apiKeys)
      .set({ billingGroupId: null })
      .where(and(eq(apiKeys.billingGroupId, id), isGone)),
    db
      .update(users)
      .set({ billingGroupId: null })
      .where(and(eq(users.billingGroupId, id), isGone)),
  ])
  if (gone.length === 0)
    throw new Refusal('conflict', 'Other groups are below this one. Move or delete them first.')
}

/** All groups that are not deleted, by name; the built-in one is first. */
export function listGroups(db: Db): Promise<Group[]> {
  return db
    .select()
    .from(groups)
    .where(isNull(groups.deletedAt))
    .orderBy(sql`${groups.id} = ${UNASSIGNED} desc`, asc(groups.name))
}

/** Throws a Refusal not_found, also for a deleted group. */
export async function groupOf(db: Db, id: number): Promise<Group> {
  const [group] = await db.select().from(groups).where(isLive(id))
  if (!group) throw nothingHere()
  return group
}

export async function findGroup(db: Db, name: string): Promise<Group | undefined> {
  const [group] = await db
    .select()
    .from(groups)
    .where(and(eq(groups.name, name), isNull(groups.deletedAt)))
  return group
}

export function builtIn(): Refusal {
  return new Refusal('conflict', 'The built-in group has no members and cannot be changed.')
}

function isLive(id: number): SQL | undefined {
  return and(eq(groups.id, id), isNull(groups.deletedAt))
}

const DEFAULTS = {
  bills: true,
  priority: 100,
  parentId: null,
  leadMaxMicros: 0,
  leadsAdd: false,
  requestsPerMinute: null,
  tokensPerMinute: null,
  concurrentRequests: null,
} satisfies GroupChange

/** Without the fields that are undefined. */
function defined<T extends object>(fields: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  // The cast holds because what is undefined is left out.
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as never
}

function flag(value: boolean): number {
  return value ? 1 : 0
}

function audited({ name, bills, priority, parentId, leadMaxMicros, leadsAdd, ...rates }: GroupChange) {
  return {
    name,
    bills,
    priority,
    parent_id: parentId,
    ...auditedRates(rates),
    lead_max_usd: leadMaxMicros === undefined ? undefined : usdOf(leadMaxMicros),
    leads_add: leadsAdd,
  }
}

function isFree(name: string, id: number): SQL {
  return sql`not exists (select 1 from groups as other
    where other.name = ${name} and other.id <> ${id} and other.deleted_at is null)`
}

async function assertFree(db: Db, name: string, id = -1) {
  const taken = await db
    .select({ id: groups.id })
    .from(groups)
    .where(and(eq(groups.name, name), ne(groups.id, id), isNull(groups.deletedAt)))
  if (taken.length > 0) throw new Refusal('conflict', `There is a group ${name} already.`)
}

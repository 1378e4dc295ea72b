/** Groups of a directory: pushed, changed, deleted. It sees and changes those of source `scim` alone, and the people it keeps. */
import { and, eq, isNull, type SQL, sql } from 'drizzle-orm'
import { changeOf } from '../audit/change.ts'
import { type Actor, auditIfChanged, auditRowsOf, auditRowUnless } from '../audit/record.ts'
import { groupMembers, groups } from '../db/schema.ts'
import { nothingHere, Refusal } from '../errors.ts'
import { deleteGroup, type Group, groupOf, UNASSIGNED } from '../organisation/groups.ts'
import type { Clock, Db } from '../ports.ts'
import { documentOf } from './document.ts'
import { type GroupChange, groupChangeOf, wholeGroup } from './member-changes.ts'
import { type GivenOperation, operationsIn } from './operations.ts'

interface Parts {
  db: Db
  clock: Clock
  actor: Actor
}
type Body = Readonly<Record<string, unknown>>

const LONGEST_NAME = 200

/**
 * Makes a group that calls are not booked to until an administrator says so. Throws a Refusal: invalid_input for its name or
 * members; not_unique for a name that is taken.
 */
export async function createScimGroup(parts: Parts, body: Body): Promise<Group> {
  const { db, clock, actor } = parts
  const { displayName: name, externalId = null, only = new Set() } = wholeGroup(documentOf(body))
  assertName(name)
  const added = await knownMembers(db, only)
  const now = clock.now()
  const [made] = await db.batch([
    db
      .insert(groups)
      .values({ name, source: 'scim', externalId, bills: false, createdAt: now, updatedAt: now })
      .onConflictDoNothing()
      .returning(),
    auditIfChanged(db, {
      actor,
      at: now,
      action: 'group.create',
      target: `group:${name}`,
      after: {
        name,
        bills: false,
        priority: 100,
        parent_id: null,
        lead_max_usd: 0,
        leads_add: false,
        requests_per_minute: null,
        tokens_per_minute: null,
        concurrent_requests: null,
        source: 'scim',
        external_id: externalId,
      },
    }),
    db.run(sql`insert into group_members (group_id, user_id, role, created_at)
      select groups.id, users.id, 'member', ${now} from groups, users
      where changes() > 0 and groups.name = ${name} and groups.source = 'scim' and groups.deleted_at is null
        and users.id in ${listed(added)} and users.deleted_at is null`),
    auditRowsOf(
      db,
      { actor, at: now, action: 'group.members' },
      sql`select 'group:' || groups.id as target, json_object('added', json(${JSON.stringify(added)}), 'removed', json('[]')) as after
        from groups where changes() > 0 and groups.name = ${name} and groups.deleted_at is null`,
    ),
  ])
  const [group] = made
  if (group) return group
  throw await nameTaken(db, name)
}

/** PUT. Throws a Refusal: not_found; invalid_input; not_unique. */
export async function replaceScimGroup(parts: Parts, id: number, body: Body): Promise<Group> {
  return changeScimGroup(parts, id, wholeGroup(documentOf(body)))
}

/** PATCH. Throws the same, and as `operationsIn`. */
export async function patchScimGroup(
  parts: Parts,
  id: number,
  given: readonly GivenOperation[],
): Promise<Group> {
  return changeScimGroup(parts, id, groupChangeOf(operationsIn(given)))
}

/** Throws a Refusal: not_found; conflict where groups are below it. */
export async function deleteScimGroup(parts: Parts, id: number): Promise<void> {
  await scimGroup(parts.db, id)
  await deleteGroup(parts, id)
}

/** Throws a Refusal not_found, also for a group that is kept elsewhere. */
export async function scimGroup(db: Db, id: number): Promise<Group> {
  const group = await groupOf(db, id)
  if (group.source !== 'scim') throw nothingHere()
  return group
}

/**
 * An administrator hands a group over to the directory, with its members as they are. Throws a Refusal: not_found; conflict for
 * the built-in group and one that a directory keeps already.
 */
export async function adoptGroup(parts: Parts, id: number, externalId: string | null): Promise<void> {
  const { db, clock, actor } = parts
  const { source } = await groupOf(db, id)
  if (id === UNASSIGNED || source !== 'direct') {
    throw new Refusal('conflict', 'Only a group that is kept here can be handed over.')
  }
  const now = clock.now()
  await db.batch([
    db
      .update(groups)
      .set({ source: 'scim', externalId, updatedAt: now })
      .where(and(eq(groups.id, id), eq(groups.source, 'direct'), isNull(groups.deletedAt))),
    auditIfChanged(db, {
      actor,
      at: now,
      action: 'group.scim',
      target: `group:${id}`,
      after: { external_id: externalId },
    }),
  ])
}

async function changeScimGroup(parts: Parts, id: number, change: GroupChange): Promise<Group> {
  const { db, clock, actor } = parts
  const before = await scimGroup(db, id)
  const { displayName: name = before.name, externalId = before.externalId } = change
  assertName(name)
  const { added, removed } = await memberChanges(db, id, change)
  const now = clock.now()
  const isChanged = name !== before.name || externalId !== before.externalId
  // The same conditions as of the group's own row, because a name that is taken changes nothing, members neither.
  const isRefused = sql`not (exists (select 1 from groups where id = ${id} and source = 'scim' and deleted_at is null)
    and ${isFree(name, id)})`
  const told = {
    actor,
    at: now,
    action: 'group.update' as const,
    target: `group:${id}`,
    ...changeOf<{ name: string; external_id: string | null }>(
      { name: before.name, external_id: before.externalId },
      { name, external_id: externalId },
    ),
  }
  const isMoved = added.length + removed.length > 0
  if (!isChanged && !isMoved) return before
  const [changed] = await db.batch([
    db
      .update(groups)
      .set(isChanged ? { name, externalId, updatedAt: now } : { updatedAt: now })
      .where(and(eq(groups.id, id), eq(groups.source, 'scim'), isNull(groups.deletedAt), isFree(name, id)))
      .returning(),
    ...(isChanged ? [auditIfChanged(db, told)] : []),
    ...(isMoved
      ? [
          db
            .delete(groupMembers)
            .where(
              and(
                eq(groupMembers.groupId, id),
                sql`${groupMembers.userId} in ${listed(removed)}`,
                sql`not ${isRefused}`,
              ),
            ),
          db.run(sql`insert into group_members (group_id, user_id, role, created_at)
            select ${id}, users.id, 'member', ${now} from users
            where users.id in ${listed(added)} and users.deleted_at is null and not ${isRefused} on conflict do nothing`),
          auditRowUnless(
            db,
            { actor, at: now, action: 'group.members', target: `group:${id}`, after: { added, removed } },
            isRefused,
          ),
        ]
      : []),
  ])
  const [group] = changed
  if (group) return group
  await scimGroup(db, id)
  throw await nameTaken(db, name)
}

/** Who joins and who leaves, compared with who is in the group. */
async function memberChanges(db: Db, id: number, { only, add, remove }: GroupChange) {
  const named = only ? undefined : [...add, ...remove].map(Number)
  if (named?.length === 0) return { added: [], removed: [] }
  const rows = await db
    .select({ userId: groupMembers.userId })
    .from(groupMembers)
    .where(
      and(
        eq(groupMembers.groupId, id),
        named && sql`${groupMembers.userId} in ${listed(named.filter(Number.isFinite))}`,
      ),
    )
  const present = new Set(rows.map(({ userId }) => userId))
  const wanted = new Set([...(only ?? []), ...add].filter((one) => !remove.has(one)))
  const known = await knownMembers(db, new Set([...wanted].filter((one) => !present.has(Number(one)))))
  const stays = new Set([...wanted].map(Number))
  return {
    added: known,
    removed: [...present].filter((userId) => (only ? !stays.has(userId) : remove.has(String(userId)))),
  }
}

/** Their ids. Throws a Refusal invalid_input for whom the directory does not keep. */
async function knownMembers(db: Db, ids: ReadonlySet<string>): Promise<number[]> {
  if (ids.size === 0) return []
  const rows = await db.all<{ id: string }>(sql`
    select value as id from json_each(${JSON.stringify([...ids])}) as wanted where exists (select 1 from scim_users
      join users on users.id = scim_users.user_id where cast(users.id as text) = wanted.value and users.deleted_at is null
        and users.id = cast(wanted.value as integer))`)
  const known = new Set(rows.map(({ id }) => id))
  const unknown = [...ids].find((id) => !known.has(id))
  if (unknown === undefined) return [...known].map(Number)
  throw new Refusal('invalid_input', `members: there is no user ${unknown.slice(0, 80)}.`)
}

function assertName(name: string): void {
  if (name === '' || name.length > LONGEST_NAME || /\p{Cc}/u.test(name)) {
    throw new Refusal(
      'invalid_input',
      `displayName: one line of 1 to ${LONGEST_NAME} characters is expected.`,
    )
  }
}

function isFree(name: string, id: number): SQL {
  return sql`not exists (select 1 from groups as other
    where other.name = ${name} and other.id <> ${id} and other.deleted_at is null)`
}

async function nameTaken(db: Db, name: string): Promise<Refusal> {
  const [other] = await db
    .select()
    .from(groups)
    .where(and(eq(groups.name, name), isNull(groups.deletedAt)))
  const kept = other && other.source !== 'scim' && other.id !== UNASSIGNED
  const how = kept ? ` An administrator may hand it over: POST /admin/api/groups/${other.id}/scim.` : ''
  return new Refusal('not_unique', `There is a group ${name} already.${how}`)
}

function listed(ids: readonly number[]): SQL {
  return sql`(select value from json_each(${JSON.stringify(ids)}))`
}

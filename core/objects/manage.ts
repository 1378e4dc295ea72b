/** The rows behind core/objects/owner.ts: written with the calls that made them, adopted, listed, swept. */
import { and, desc, eq, type SQL, sql } from 'drizzle-orm'
import { type Actor, auditIfChanged, auditRow } from '../audit/record.ts'
import { type MadeObject, type ObjectKind, upstreamObjects } from '../db/objects.ts'
import { users } from '../db/schema.ts'
import { Refusal } from '../errors.ts'
import type { Clock, Db } from '../ports.ts'
import type { Owner } from './owner.ts'

/** Rows that are kept of one person, apart for what expires by itself. Beyond that their own oldest ones are deleted. */
const OBJECTS_A_PERSON = 20_000
const MOST_LISTED = 1_000

/** What ids begin with, as far as they tell their kind. A thread goes by the id of its last message. */
const KINDS: readonly (readonly [prefix: string, kind: ObjectKind])[] = [
  ['file_', 'file'],
  ['container_', 'container'],
  ['skill_', 'skill'],
  ['msgbatch_', 'batch'],
  ['thread_', 'thread'],
  ['msg_', 'thread'],
]

/**
 * For a batch: adds what the answers of records made. `list` is a table expression whose column `call` holds records,
 * `at` the place of their objects. Whoever owned an id first goes on owning it.
 */
export function addObjects(list: SQL, at: number): SQL {
  return sql`
    with list as materialized (${list}),
      made as (select call, object.value as object from list, json_each(call, ${sql.raw(`'$[${at}]'`)}) as object)
    insert into upstream_objects (kind, id, backend, user_id, created_at, expires_at)
    select object->>0, object->>1, call->>5, call->>1, call->>21, object->>2 from made where true
    on conflict (kind, id) do update set expires_at = excluded.expires_at
    where user_id = excluded.user_id and backend = excluded.backend`
}

export function kindOf(id: string): ObjectKind | undefined {
  return KINDS.find(([prefix]) => id.startsWith(prefix))?.[1]
}

/** Makes an object known that was made elsewhere. Throws a Refusal conflict when somebody else owns it. */
export async function adoptObject(
  { db, clock, actor }: { db: Db; clock: Clock; actor: Actor },
  object: { kind: ObjectKind; id: string; backend: string; userId: number },
): Promise<void> {
  const { kind, id, backend, userId } = object
  const createdAt = clock.now()
  const is = and(eq(upstreamObjects.kind, kind), eq(upstreamObjects.id, id))
  const [owner] = await db.select().from(upstreamObjects).where(is)
  if (owner?.userId === userId && owner.backend === backend) return
  if (owner) throw new Refusal('conflict', `The ${kind} ${id} has an owner already: user ${owner.userId}.`)
  await db.batch([
    db.insert(upstreamObjects).values({ kind, id, backend, userId, createdAt, expiresAt: null }),
    auditRow(db, {
      actor,
      at: createdAt,
      action: 'object.adopt',
      target: `${kind}:${id}`,
      after: { backend, user_id: userId },
    }),
  ])
}

/** Keeps what an upload made. Whoever owned an id first goes on owning it. */
export async function storeObject(
  { db, clock }: { db: Db; clock: Clock },
  { userId, backend }: Owner,
  { kind, id, expiresAt }: MadeObject,
): Promise<void> {
  const row = { kind, id, backend, userId, createdAt: clock.now(), expiresAt }
  await db.insert(upstreamObjects).values(row).onConflictDoNothing()
}

/** Forgets an object that is gone, with a row of the audit. */
export async function removeObject(
  { db, clock, actor }: { db: Db; clock: Clock; actor: Actor },
  { kind, id }: Pick<MadeObject, 'kind' | 'id'>,
  { userId, backend }: Owner,
): Promise<void> {
  const is = and(eq(upstreamObjects.kind, kind), eq(upstreamObjects.id, id))
  const event = { actor, at: clock.now(), action: 'object.delete' as const, target: `${kind}:${id}` }
  await db.batch([
    db.delete(upstreamObjects).where(is),
    auditIfChanged(db, { ...event, before: { backend, user_id: userId } }),
  ])
}

/** The newest first, at most 1,000. */
export async function listObjects(db: Db, userId?: number) {
  const { kind, id, backend, createdAt, expiresAt } = upstreamObjects
  return db
    .select({ kind, id, backend, itcode: users.itcode, createdAt, expiresAt })
    .from(upstreamObjects)
    .leftJoin(users, eq(users.id, upstreamObjects.userId))
    .where(userId === undefined ? undefined : eq(upstreamObjects.userId, userId))
    .orderBy(desc(upstreamObjects.rowId))
    .limit(MOST_LISTED)
}

/**
 * Deletes expired rows, and of each person all but the newest `most` of those that expire and of those that do not: files are not
 * lost because calls made many containers and threads.
 */
export async function sweepObjects(db: Db, now: number, most = OBJECTS_A_PERSON): Promise<void> {
  await db.run(sql`delete from upstream_objects where expires_at <= ${now}`)
  await db.run(sql`delete from upstream_objects where row_id in (
    select row_id from (select row_id, row_number() over (partition by user_id, expires_at is null order by row_id desc) as place
      from upstream_objects) where place > ${most})`)
}

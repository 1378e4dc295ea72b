/** Policies: made, changed, taken back to an earlier version, deleted. Each change leaves a version and an audit row. */
import { and, asc, desc, eq, isNull, sql } from 'drizzle-orm'
import * as z from 'zod'
import { type Actor, auditIfChanged } from '../audit/record.ts'
import { policies, policyVersions } from '../db/schema.ts'
import { nothingHere, Refusal } from '../errors.ts'
import { parsedJson } from '../json/parse.ts'
import type { Clock, Db } from '../ports.ts'
import { storable } from '../text.ts'
import { checkSettings } from './check.ts'
import { canonical } from './managed-settings.ts'
import type { Policy } from './match.ts'

type Row = typeof policies.$inferSelect
type Version = typeof policyVersions.$inferSelect
export type NewPolicy = Omit<Policy, 'id'>
export type PolicyChange = { [K in keyof NewPolicy]?: NewPolicy[K] | undefined }

interface Parts {
  db: Db
  clock: Clock
  actor: Actor
}

const Ids = z.array(z.int())
const Texts = z.array(z.string())
const Settings = z.record(z.string(), z.unknown())

/** Throws a Refusal: invalid_input for settings that Claude Code does not take; conflict for a name that is taken. */
export async function createPolicy({ db, clock, actor }: Parts, wanted: NewPolicy): Promise<Policy> {
  const now = clock.now()
  const row = rowOf(wanted)
  const [[made]] = await db.batch([
    db
      .insert(policies)
      .values({ ...row, createdAt: now, updatedAt: now })
      .onConflictDoNothing()
      .returning(),
    auditIfChanged(db, {
      actor,
      at: now,
      action: 'policy.create',
      target: `policy:${row.name}`,
      after: audited(wanted),
    }),
    version(db, row.name, actor, now),
  ])
  if (!made) throw new Refusal('conflict', `There is a policy ${row.name} already.`)
  return policyOfRow(made)
}

/** Throws a Refusal: not_found, invalid_input; conflict for a name that is taken and a policy that somebody else just changed. */
export async function updatePolicy(
  { db, clock, actor }: Parts,
  id: number,
  change: PolicyChange,
): Promise<Policy> {
  const read = await liveRow(db, id)
  const before = policyOfRow(read)
  const { name, priority, groupIds, domains, settings } = change
  const after: Policy = {
    id,
    name: name ?? before.name,
    priority: priority ?? before.priority,
    groupIds: groupIds ?? before.groupIds,
    domains: domains ?? before.domains,
    settings: settings ?? before.settings,
  }
  if (canonical(after) === canonical(before)) return before
  const now = clock.now()
  const row = rowOf(after)
  const isFree = sql`not exists (select 1 from policies as other
    where other.name = ${row.name} and other.id <> ${id} and other.deleted_at is null)`
  const [[changed]] = await db.batch([
    db
      .update(policies)
      .set({ ...row, updatedAt: now })
      .where(and(isStill(read), isFree))
      .returning(),
    auditIfChanged(db, {
      actor,
      at: now,
      action: 'policy.update',
      target: `policy:${id}`,
      before: audited(before),
      after: audited(after),
    }),
    version(db, row.name, actor, now),
  ])
  if (changed) return policyOfRow(changed)
  const [same] = await db.select({ id: policies.id }).from(policies).where(isStill(read))
  throw same
    ? new Refusal('conflict', `There is a policy ${row.name} already.`)
    : new Refusal('conflict', `Somebody else just changed ${before.name}. Look at it again.`)
}

/** Takes a policy back to a version of it. Throws a Refusal: not_found, conflict. */
export async function rollBackPolicy(parts: Parts, id: number, versionId: number): Promise<Policy> {
  const isIt = and(eq(policyVersions.id, versionId), eq(policyVersions.policyId, id))
  const [found] = await parts.db.select().from(policyVersions).where(isIt)
  if (!found) throw nothingHere()
  const { id: _, ...before } = policyOfRow(found)
  return updatePolicy(parts, id, before)
}

/** Throws a Refusal not_found. */
export async function deletePolicy({ db, clock, actor }: Parts, id: number): Promise<void> {
  const { name } = await liveRow(db, id)
  const now = clock.now()
  await db.batch([
    db
      .update(policies)
      .set({ deletedAt: now, updatedAt: now })
      .where(and(eq(policies.id, id), isNull(policies.deletedAt))),
    auditIfChanged(db, { actor, at: now, action: 'policy.delete', target: `policy:${id}`, before: { name } }),
  ])
}

/** By priority. */
export async function listPolicies(db: Db): Promise<Policy[]> {
  const order = [asc(policies.priority), asc(policies.id)]
  const rows = await db
    .select()
    .from(policies)
    .where(isNull(policies.deletedAt))
    .orderBy(...order)
  return rows.map(policyOfRow)
}

/** Newest first. Throws a Refusal not_found. */
export async function versionsOf(db: Db, id: number): Promise<{ version: Version; policy: Policy }[]> {
  await liveRow(db, id)
  const rows = await db
    .select()
    .from(policyVersions)
    .where(eq(policyVersions.policyId, id))
    .orderBy(desc(policyVersions.id))
  return rows.map((row) => ({ version: row, policy: policyOfRow(row) }))
}

/** Throws a Refusal not_found. */
async function liveRow(db: Db, id: number): Promise<Row> {
  const [row] = await db
    .select()
    .from(policies)
    .where(and(eq(policies.id, id), isNull(policies.deletedAt)))
  if (!row) throw nothingHere()
  return row
}

function isStill({ id, name, priority, groupIds, domains, settings }: Row) {
  return and(
    eq(policies.id, id),
    isNull(policies.deletedAt),
    eq(policies.name, name),
    eq(policies.priority, priority),
    eq(policies.groupIds, groupIds),
    eq(policies.domains, domains),
    eq(policies.settings, settings),
  )
}

/** Throws a Refusal invalid_input. */
function rowOf({ name, priority, groupIds, domains, settings }: NewPolicy) {
  const { problems } = checkSettings(settings)
  const named = Object.entries(problems).map(([path, problem]) => [`settings.${path}`, problem] as const)
  if (named.length > 0) {
    const text = named.map(([path, problem]) => `${path}: ${problem.message}`).join('; ')
    throw new Refusal('invalid_input', text, { fields: Object.fromEntries(named) })
  }
  return {
    name: storable(name),
    priority,
    groupIds: JSON.stringify(groupIds),
    domains: JSON.stringify(domains),
    settings: JSON.stringify(settings),
  }
}

/** For a batch, after the audit row of a change. */
function version(db: Db, name: string, actor: Actor, now: number) {
  return db.run(sql`insert into policy_versions
      (policy_id, actor_id, name, priority, group_ids, domains, settings, created_at)
    select id, ${actor.id}, name, priority, group_ids, domains, settings, ${now} from policies
    where name = ${name} and deleted_at is null and changes() > 0`)
}

function policyOfRow(
  row: Pick<Row, 'id' | 'name' | 'priority' | 'groupIds' | 'domains' | 'settings'>,
): Policy {
  const { id, name, priority } = row
  return {
    id,
    name,
    priority,
    groupIds: Ids.parse(parsedJson(row.groupIds)),
    domains: Texts.parse(parsedJson(row.domains)),
    settings: Settings.parse(parsedJson(row.settings)),
  }
}

function audited({ name, priority, groupIds, domains, settings }: NewPolicy) {
  return { name, priority, group_ids: groupIds, domains, settings }
}

/** Models that groups open or close for their members. */
import { and, eq, inArray, isNull, sql } from 'drizzle-orm'
import { changeOf } from '../audit/change.ts'
import { type Actor, auditRow } from '../audit/record.ts'
import { groupMembers, groupModels, groups, users } from '../db/schema.ts'
import { Refusal } from '../errors.ts'
import type { Clock, Db } from '../ports.ts'
import { builtIn, groupOf, UNASSIGNED } from './groups.ts'

/** Globs of models. What is denied stays closed whatever else opens it. */
export interface ModelLists {
  allow: readonly string[]
  deny: readonly string[]
}

/** Replaces those lists of a group that are given. Throws a Refusal: not_found; conflict for the built-in group or a model in both lists. */
export async function setGroupModels(
  { db, clock, actor }: { db: Db; clock: Clock; actor: Actor },
  groupId: number,
  lists: { allow?: readonly string[] | undefined; deny?: readonly string[] | undefined },
): Promise<void> {
  await groupOf(db, groupId)
  if (groupId === UNASSIGNED) throw builtIn()
  const before = await groupModelsOf(db, groupId)
  const wanted = { allow: tidy(lists.allow ?? before.allow), deny: tidy(lists.deny ?? before.deny) }
  const both = wanted.allow.find((model) => wanted.deny.includes(model))
  if (both !== undefined) throw new Refusal('conflict', `The model ${both} cannot be both open and closed.`)
  const { before: was, after: is } = changeOf<ModelLists>(before, wanted)
  if (Object.keys(is).length === 0) return
  const given = (['allow', 'deny'] as const).filter((list) => lists[list] !== undefined)
  const rows = given.flatMap((list) => wanted[list].map((model) => [model, list]))
  await db.batch([
    // The other list may have been changed since it was read.
    db.delete(groupModels).where(and(eq(groupModels.groupId, groupId), inArray(groupModels.access, given))),
    db.run(sql`insert into group_models (group_id, model, access)
      select groups.id, value->>0, value->>1 from groups, json_each(${JSON.stringify(rows)})
      where groups.id = ${groupId} and groups.deleted_at is null
      on conflict (group_id, model) do update set access = excluded.access`),
    auditRow(db, {
      actor,
      at: clock.now(),
      action: 'group.models',
      target: `group:${groupId}`,
      before: was,
      after: is,
    }),
  ])
}

export async function groupModelsOf(db: Db, groupId: number): Promise<ModelLists> {
  return listsOf(await db.select().from(groupModels).where(eq(groupModels.groupId, groupId)))
}

/** What the groups of a user, or the group that owns a service account, open and close for them. */
export async function modelsFor(db: Db, userId: number): Promise<ModelLists> {
  const isTheirs = sql`${groups.id} in (
    select ${groupMembers.groupId} from ${groupMembers} where ${groupMembers.userId} = ${userId}
    union select ${users.billingGroupId} from ${users} where ${users.id} = ${userId} and ${users.kind} = 'service')`
  const rows = await db
    .select({ model: groupModels.model, access: groupModels.access })
    .from(groupModels)
    .innerJoin(groups, eq(groups.id, groupModels.groupId))
    .where(and(isNull(groups.deletedAt), isTheirs))
  return listsOf(rows)
}

function listsOf(rows: readonly { model: string; access: 'allow' | 'deny' }[]): ModelLists {
  const of = (wanted: 'allow' | 'deny') =>
    tidy(rows.filter(({ access }) => access === wanted).map(({ model }) => model))
  return { allow: of('allow'), deny: of('deny') }
}

/** In lower case, each once, in order. */
function tidy(models: readonly string[]): string[] {
  return [...new Set(models.map((model) => model.toLowerCase()))].toSorted()
}

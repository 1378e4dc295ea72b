/** Reads people, groups and limits as calls need them: for the key cache, and to tell people their limits. */
import { and, asc, gt, inArray, isNull, type SQL, type SQLWrapper, sql } from 'drizzle-orm'
import { jsonText, readJson, readJsonPage } from '../db/json-rows.ts'
import { apiKeys, grants, groupMembers, groupModels, groups, spendLimits, users } from '../db/schema.ts'
import type { Organisation } from '../limits/resolve.ts'
import { listPolicies } from '../policies/manage.ts'
import type { Policy } from '../policies/match.ts'
import type { Db } from '../ports.ts'
import {
  type GroupValues,
  groupOf,
  type LimitValues,
  type ReadGroup,
  type ReadUser,
  type UserValues,
  userOf,
} from './rows.ts'

/** What holds for everybody. */
export interface ReadForAll extends Pick<Organisation, 'each' | 'pool'> {
  policies: readonly Policy[]
}

export interface ReadOrganisation extends Organisation, ReadForAll {
  groups: Map<number, ReadGroup>
}

/** At most `most` users who have keys, in the order of their ids, from the one after `userId`. */
export async function readUsersAfter(db: Db, userId: number, most: number): Promise<ReadUser[]> {
  const hasKey = sql`exists (select 1 from ${apiKeys}
    where ${apiKeys.userId} = ${users.id} and ${apiKeys.deletedAt} is null)`
  const which = and(gt(users.id, userId), hasKey)
  const rows = await readJsonPage<UserValues>(db, usersWhere(db, which).limit(most))
  const [last] = rows.at(-1) ?? []
  return last === undefined ? [] : withLists(db, rows, (id) => sql`${id} > ${userId} and ${id} <= ${last}`)
}

export async function readUsersOf(db: Db, userIds: readonly number[]): Promise<ReadUser[]> {
  const rows = await readJson<UserValues>(db, usersWhere(db, among(users.id, userIds)))
  return withLists(db, rows, (id) => among(id, userIds))
}

/** All groups that are not deleted, or those of these ids. */
export async function readGroups(db: Db, ids?: readonly number[]): Promise<Map<number, ReadGroup>> {
  const ofGroup = sql`json((select json_group_array(json_array(${groupModels.model}, ${groupModels.access}))
    from ${groupModels} where ${groupModels.groupId} = ${groups.id}))`
  const rows = db
    .select({
      text: jsonText([
        groups.id,
        groups.name,
        groups.bills,
        groups.priority,
        groups.parentId,
        groups.requestsPerMinute,
        groups.tokensPerMinute,
        groups.concurrentRequests,
        ofGroup,
        limitsOf('group_each', sql`${groups.id}`),
        limitsOf('group_pool', sql`${groups.id}`),
      ]),
    })
    .from(groups)
    .where(and(isNull(groups.deletedAt), ids && among(groups.id, ids)))
  const read = await readJson<GroupValues>(db, rows)
  return new Map(read.map(groupOf).map((group) => [group.id, group]))
}

/** Limits of all people, each for themselves and all together, and policies. */
export async function readForAll(db: Db): Promise<ReadForAll> {
  const policies = await listPolicies(db)
  const rows = await db
    .select()
    .from(spendLimits)
    .where(inArray(spendLimits.scope, ['organisation_each', 'organisation_pool']))
  return {
    each: rows.filter(({ scope }) => scope === 'organisation_each'),
    pool: rows.filter(({ scope }) => scope === 'organisation_pool'),
    policies,
  }
}

export async function readOrganisation(db: Db): Promise<ReadOrganisation> {
  const [groups, forAll] = await Promise.all([readGroups(db), readForAll(db)])
  return { ...forAll, groups }
}

function usersWhere(db: Db, which: SQL | undefined) {
  return db
    .select({
      id: users.id,
      text: jsonText([
        users.id,
        users.itcode,
        users.email,
        users.status,
        users.kind,
        users.quotaTokens,
        users.requestsPerMinute,
        users.tokensPerMinute,
        users.concurrentRequests,
        users.billingGroupId,
        users.directoryGroupId,
        sql`${users.pausedAt} is not null`,
      ]),
    })
    .from(users)
    .where(which)
    .orderBy(asc(users.id))
}

/**
 * Adds what each user has several of. Each list of all of them comes by one statement, because most users have none, and looking
 * for each takes SQLite longer than reading the user.
 */
async function withLists(
  db: Db,
  rows: readonly UserValues[],
  areTheirs: (userId: SQLWrapper) => SQL,
): Promise<ReadUser[]> {
  const { scope, scopeId } = spendLimits
  const [granted, joined, own] = await Promise.all([
    listsOf<string>(db, sql`${grants.model}`, sql`${grants}`, grants.userId, areTheirs(grants.userId)),
    listsOf<number>(
      db,
      sql`${groupMembers.groupId}`,
      sql`${groupMembers}`,
      groupMembers.userId,
      areTheirs(groupMembers.userId),
    ),
    listsOf<LimitValues>(
      db,
      LIMIT,
      sql`${spendLimits}`,
      scopeId,
      sql`${scope} = 'user' and ${areTheirs(scopeId)}`,
    ),
  ])
  return rows.map((values) => {
    const [id] = values
    return userOf(values, granted.get(id), joined.get(id), own.get(id))
  })
}

/** `value` of the rows of each user, by the user's id. */
async function listsOf<T>(
  db: Db,
  value: SQL,
  table: SQL,
  userId: SQLWrapper,
  which: SQL,
): Promise<ReadonlyMap<number, T[]>> {
  const rows = sql`
    select json_array(${userId}, json_group_array(${value})) as text from ${table} where ${which} group by ${userId}`
  return new Map(await readJson<[number, T[]]>(db, rows))
}

/** One value however many there are, because a statement takes a hundred values on D1. */
function among(column: SQLWrapper, ids: readonly number[]): SQL {
  return sql`${column} in (select value from json_each(${JSON.stringify(ids)}))`
}

const LIMIT = sql`json_array(${spendLimits.period}, ${spendLimits.amountMicros}, ${spendLimits.isSet},
  ${spendLimits.temporaryMicros}, ${spendLimits.temporaryUntil})`

function limitsOf(scope: string, id: SQL): SQL {
  return sql`json((select json_group_array(${LIMIT})
    from ${spendLimits} where ${spendLimits.scope} = ${scope} and ${spendLimits.scopeId} = ${id}))`
}

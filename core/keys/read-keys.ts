/** Reads keys for the key cache: each with its owner, their limits and grants. */
import { and, asc, eq, gt, isNull, type SQL, sql } from 'drizzle-orm'
import * as z from 'zod'
import { apiKeys, grants, keyRevision, userChanges, users } from '../db/schema.ts'
import type { Db, Limits } from '../ports.ts'

/** `null`: as configured in `limits`; 0: unlimited. */
type UserLimits = Pick<Limits, 'quotaTokens' | 'budgetMicros'> & {
  requestsPerMinute: number | null
  concurrentRequests: number | null
}

export interface ReadKey {
  keyId: number
  hash: string
  prefix: string
  keyActive: boolean
  /** Ms since 1970; null for never. */
  expiresAt: number | null
  limits: Limits
  userId: number
  itcode: string
  userActive: boolean
  userLimits: UserLimits
  /** Canonical names of the models granted to the user. */
  models: string[]
}

const Models = z.array(z.string())

/** The number that each change of a user, key or grant raises. */
export async function readRevision(db: Db): Promise<number> {
  const [row] = await db.select({ revision: keyRevision.revision }).from(keyRevision)
  return row?.revision ?? 0
}

/** Ids of the users of whom anything changed after this revision. */
export async function changedSince(db: Db, revision: number): Promise<number[]> {
  const rows = await db
    .select({ userId: userChanges.userId })
    .from(userChanges)
    .where(gt(userChanges.revision, revision))
  return rows.map(({ userId }) => userId)
}

/** At most `most` keys, in the order of their ids, from the one after `keyId`. */
export function readAfter(db: Db, keyId: number, most: number): Promise<ReadKey[]> {
  return read(db, gt(apiKeys.id, keyId), most)
}

/** All keys of these users. */
export function readOf(db: Db, userIds: readonly number[]): Promise<ReadKey[]> {
  // One value however many there are, because a statement takes a hundred values on D1.
  return read(db, sql`${apiKeys.userId} in (select value from json_each(${JSON.stringify(userIds)}))`)
}

async function read(db: Db, which: SQL, most = -1): Promise<ReadKey[]> {
  const rows = await db
    .select({ user: USER, key: KEY, models: MODELS })
    .from(apiKeys)
    .innerJoin(users, eq(users.id, apiKeys.userId))
    .where(and(isNull(apiKeys.deletedAt), which))
    .orderBy(asc(apiKeys.id))
    .limit(most)
  return rows.map(({ user, key, models }) => ({
    keyId: key.id,
    hash: key.hash,
    prefix: key.prefix,
    keyActive: key.status === 'active',
    expiresAt: key.expiresAt,
    limits: limitsOf(key),
    userId: user.id,
    itcode: user.itcode,
    userActive: user.status === 'active',
    userLimits: limitsOf(user),
    models: models === '[]' ? [] : Models.parse(JSON.parse(models)),
  }))
}

const USER = {
  id: users.id,
  itcode: users.itcode,
  status: users.status,
  quotaTokens: users.quotaTokens,
  budgetMicros: users.budgetMicros,
  requestsPerMinute: users.requestsPerMinute,
  concurrentRequests: users.concurrentRequests,
}
const KEY = {
  id: apiKeys.id,
  hash: apiKeys.hash,
  prefix: apiKeys.prefix,
  status: apiKeys.status,
  expiresAt: apiKeys.expiresAt,
  quotaTokens: apiKeys.quotaTokens,
  budgetMicros: apiKeys.budgetMicros,
  requestsPerMinute: apiKeys.requestsPerMinute,
  concurrentRequests: apiKeys.concurrentRequests,
}
/** JSON, because a row for each grant would repeat the key. */
const MODELS = sql<string>`(select json_group_array(${grants.model}) from ${grants} where ${grants.userId} = ${users.id})`

function limitsOf<Value>({
  quotaTokens,
  budgetMicros,
  requestsPerMinute,
  concurrentRequests,
}: {
  quotaTokens: number
  budgetMicros: number
  requestsPerMinute: Value
  concurrentRequests: Value
}) {
  return { quotaTokens, budgetMicros, requestsPerMinute, concurrentRequests }
}

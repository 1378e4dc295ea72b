/** Reads keys for the key cache: each with its owner, their limits and grants. */
import { and, asc, eq, gt, isNull, type SQL, sql } from 'drizzle-orm'
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

/** A row comes as one JSON text, because drivers take longer for a value than SQLite for the text of all. */
async function read(db: Db, which: SQL, most = -1): Promise<ReadKey[]> {
  const rows = await db
    .select({ text: sql<string>`json_array(${sql.join(VALUES, sql`, `)})` })
    .from(apiKeys)
    .innerJoin(users, eq(users.id, apiKeys.userId))
    .where(and(isNull(apiKeys.deletedAt), which))
    .orderBy(asc(apiKeys.id))
    .limit(most)
  const read: Values[] = JSON.parse(`[${rows.map(({ text }) => text).join()}]`)
  return read.map(keyOf)
}

/** In the order of Values. */
const VALUES = [
  apiKeys.id,
  apiKeys.hash,
  apiKeys.prefix,
  apiKeys.status,
  apiKeys.expiresAt,
  ...limitsIn(apiKeys),
  users.id,
  users.itcode,
  users.status,
  ...limitsIn(users),
  sql`json((select json_group_array(${grants.model}) from ${grants} where ${grants.userId} = ${users.id}))`,
]
type Values = [
  keyId: number,
  hash: string,
  prefix: string,
  keyStatus: string,
  expiresAt: number | null,
  ...LimitValues<number>,
  userId: number,
  itcode: string,
  userStatus: string,
  ...LimitValues<number | null>,
  models: string[],
]
type LimitValues<Requests> = [tokens: number, micros: number, perMinute: Requests, atOnce: Requests]

function limitsIn(table: typeof apiKeys | typeof users) {
  return [table.quotaTokens, table.budgetMicros, table.requestsPerMinute, table.concurrentRequests]
}

function keyOf(values: Values): ReadKey {
  const [keyId, hash, prefix, keyStatus, expiresAt, ...more] = values
  const [quotaTokens, budgetMicros, requestsPerMinute, concurrentRequests, userId, itcode, status, ...rest] =
    more
  const [userTokens, userMicros, userPerMinute, userAtOnce, models] = rest
  return {
    keyId,
    hash,
    prefix,
    keyActive: keyStatus === 'active',
    expiresAt,
    limits: { quotaTokens, budgetMicros, requestsPerMinute, concurrentRequests },
    userId,
    itcode,
    userActive: status === 'active',
    userLimits: {
      quotaTokens: userTokens,
      budgetMicros: userMicros,
      requestsPerMinute: userPerMinute,
      concurrentRequests: userAtOnce,
    },
    models,
  }
}

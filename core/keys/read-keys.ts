/** Reads keys for the key cache, and what has changed since it read last. */
import { and, asc, eq, gt, isNull, type SQL, sql } from 'drizzle-orm'
import { jsonText, readJson, readJsonPage } from '../db/json-rows.ts'
import { apiKeys, groupChanges, keyRevision, userChanges } from '../db/schema.ts'
import type { Db } from '../ports.ts'

export interface ReadKey {
  id: number
  hash: string
  prefix: string
  kind: 'key' | 'device'
  isActive: boolean
  /** Ms since 1970; null for never. */
  expiresAt: number | null
  userId: number
  /** 0 = no limit, here and in what follows. */
  quotaTokens: number
  budgetMicros: number
  requestsPerMinute: number
  tokensPerMinute: number
  concurrentRequests: number
  billingGroupId: number | null
  /** Globs of models and networks in CIDR notation; null = no list. */
  models: readonly string[] | null
  networks: readonly string[] | null
  /** The secret before the present one, and until when it works (ms since 1970). */
  previous?: { hash: string; prefix: string; endsAt: number }
}

/** The number that each change of a user, key, grant, group, membership or limit raises. */
export async function readRevision(db: Db): Promise<number> {
  const [row] = await db.select({ revision: keyRevision.revision }).from(keyRevision)
  return row?.revision ?? 0
}

/** In groupChanges: the limits of the organisation. */
export const ORGANISATION_CHANGED = -1

/** Ids of the users and groups of whom anything changed after this revision. */
export async function changedSince(
  db: Db,
  revision: number,
): Promise<{ userIds: number[]; groupIds: number[] }> {
  const [ofUsers, ofGroups] = await Promise.all([
    db.select({ id: userChanges.userId }).from(userChanges).where(gt(userChanges.revision, revision)),
    db.select({ id: groupChanges.groupId }).from(groupChanges).where(gt(groupChanges.revision, revision)),
  ])
  return { userIds: ofUsers.map(({ id }) => id), groupIds: ofGroups.map(({ id }) => id) }
}

/** At most `most` keys, in the order of their ids, from the one after `keyId`. */
export async function readKeysAfter(db: Db, keyId: number, most: number): Promise<ReadKey[]> {
  const page = await readJsonPage<Values>(db, keysWhere(db, gt(apiKeys.id, keyId)).limit(most))
  return page.map(keyOf)
}

/** All keys of these users. */
export async function readKeysOf(db: Db, userIds: readonly number[]): Promise<ReadKey[]> {
  // One value however many there are, because a statement takes a hundred values on D1.
  const areTheirs = sql`${apiKeys.userId} in (select value from json_each(${JSON.stringify(userIds)}))`
  return (await readJson<Values>(db, keysWhere(db, areTheirs))).map(keyOf)
}

function keysWhere(db: Db, which: SQL) {
  return db
    .select({ id: apiKeys.id, text: jsonText(VALUES) })
    .from(apiKeys)
    .where(and(isNull(apiKeys.deletedAt), which))
    .orderBy(asc(apiKeys.id))
}

/** In the order of Values. */
const VALUES = [
  apiKeys.id,
  apiKeys.hash,
  apiKeys.prefix,
  eq(apiKeys.status, 'active'),
  apiKeys.expiresAt,
  apiKeys.userId,
  apiKeys.kind,
  apiKeys.quotaTokens,
  apiKeys.budgetMicros,
  apiKeys.requestsPerMinute,
  apiKeys.tokensPerMinute,
  apiKeys.concurrentRequests,
  apiKeys.billingGroupId,
  sql`json(${apiKeys.models})`,
  sql`json(${apiKeys.networks})`,
  apiKeys.previousHash,
  apiKeys.previousPrefix,
  apiKeys.previousEndsAt,
]
type Values = [
  id: number,
  hash: string,
  prefix: string,
  isActive: 0 | 1,
  expiresAt: number | null,
  userId: number,
  kind: ReadKey['kind'],
  quotaTokens: number,
  budgetMicros: number,
  requestsPerMinute: number,
  tokensPerMinute: number,
  concurrentRequests: number,
  billingGroupId: number | null,
  models: string[] | null,
  networks: string[] | null,
  previousHash: string | null,
  previousPrefix: string | null,
  previousEndsAt: number | null,
]

function keyOf(values: Values): ReadKey {
  const [
    id,
    hash,
    prefix,
    isActive,
    expiresAt,
    userId,
    kind,
    quotaTokens,
    budgetMicros,
    requestsPerMinute,
    tokensPerMinute,
    concurrentRequests,
    billingGroupId,
    models,
    networks,
    previousHash,
    previousPrefix,
    previousEndsAt,
  ] = values
  return {
    id,
    hash,
    prefix,
    kind,
    isActive: isActive === 1,
    expiresAt,
    userId,
    quotaTokens,
    budgetMicros,
    requestsPerMinute,
    tokensPerMinute,
    concurrentRequests,
    billingGroupId,
    models,
    networks,
    ...(previousHash !== null && previousPrefix !== null && previousEndsAt !== null
      ? { previous: { hash: previousHash, prefix: previousPrefix, endsAt: previousEndsAt } }
      : {}),
  }
}

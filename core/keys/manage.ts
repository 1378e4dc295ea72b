/** API keys: create, list, disable, enable. The secret is answered once, by `createKey`. Every change is audited. */
import { and, asc, eq, isNull, type SQL, sql } from 'drizzle-orm'
import { type Actor, auditRow } from '../audit/record.ts'
import { apiKeys, usageHourly, users } from '../db/schema.ts'
import { Refusal } from '../errors.ts'
import type { Clock, Db } from '../ports.ts'
import { mintKey, type Sha256 } from './mint.ts'

export type ApiKey = typeof apiKeys.$inferSelect

export interface NewKey {
  userId: number
  name: string
  /** ms since 1970; null = never. */
  expiresAt: number | null
}

/** The new key and its secret, which is kept nowhere. */
export async function createKey(
  parts: { db: Db; clock: Clock; sha256: Sha256; actor: Actor },
  wanted: NewKey,
): Promise<{ key: ApiKey; secret: string }> {
  const { db, clock, sha256, actor } = parts
  const now = clock.now()
  const { secret, hash, prefix, last4 } = mintKey(sha256)
  const { userId, name, expiresAt } = wanted
  const [[key]] = await db.batch([
    db
      .insert(apiKeys)
      .values({
        userId,
        name,
        expiresAt,
        hash,
        prefix,
        last4,
        status: 'active',
        createdAt: now,
        updatedAt: now,
      })
      .returning(),
    auditRow(db, {
      actor,
      at: now,
      action: 'key.create',
      target: `key:${prefix}…${last4}`,
      after: { user_id: userId, name, expires_at: expiresAt },
    }),
  ])
  if (!key) throw new Error('the insert answered no row')
  return { key, secret }
}

export interface ListedKey {
  key: ApiKey
  itcode: string
  requests: number
  costMicros: number
  lastUsedAt: number | null
}

/** Keys with their owner and use, oldest first; `where` narrows them. */
export function listKeys(db: Db, where?: SQL): Promise<ListedKey[]> {
  const used = db
    .select({
      keyId: usageHourly.apiKeyId,
      requests: sql<number>`sum(${usageHourly.requests})`.mapWith(Number).as('requests'),
      costMicros: sql<number>`sum(${usageHourly.costMicros})`.mapWith(Number).as('cost_micros'),
      lastUsedAt: sql<number>`max(${usageHourly.lastAt})`.mapWith(Number).as('last_used_at'),
    })
    .from(usageHourly)
    .groupBy(usageHourly.apiKeyId)
    .as('used')
  return db
    .select({
      key: apiKeys,
      itcode: users.itcode,
      requests: sql<number>`coalesce(${used.requests}, 0)`.mapWith(Number),
      costMicros: sql<number>`coalesce(${used.costMicros}, 0)`.mapWith(Number),
      lastUsedAt: used.lastUsedAt,
    })
    .from(apiKeys)
    .innerJoin(users, eq(users.id, apiKeys.userId))
    .leftJoin(used, eq(used.keyId, apiKeys.id))
    .where(and(isNull(apiKeys.deletedAt), where))
    .orderBy(asc(apiKeys.id))
}

/** Disables or enables a key as an administrator. Throws a Refusal not_found. */
export async function setKeyStatus(
  parts: { db: Db; clock: Clock; actor: Actor },
  id: number,
  status: ApiKey['status'],
): Promise<ApiKey> {
  const { db, clock, actor } = parts
  const now = clock.now()
  const disabledBy = status === 'disabled' ? 'admin' : null
  const present = and(eq(apiKeys.id, id), isNull(apiKeys.deletedAt))
  const [before] = await db.select().from(apiKeys).where(present)
  if (!before) throw new Refusal('not_found', `There is no key ${id}.`)
  const [[key]] = await db.batch([
    db.update(apiKeys).set({ status, disabledBy, updatedAt: now }).where(present).returning(),
    auditRow(db, {
      actor,
      at: now,
      action: `key.${status === 'active' ? 'enable' : 'disable'}`,
      target: `key:${id}`,
    }),
  ])
  return key ?? before
}

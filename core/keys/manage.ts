/** Creates, lists, changes and deletes API keys. Only `createKey` returns the secret. Every change is audited. */
import { and, asc, eq, isNull, ne, or, type SQL, sql } from 'drizzle-orm'
import { auditedLimits, changeOf } from '../audit/change.ts'
import { type Actor, auditIfChanged } from '../audit/record.ts'
import { apiKeys, users } from '../db/schema.ts'
import { nothingHere, Refusal } from '../errors.ts'
import type { Clock, Db } from '../ports.ts'
import { type Totals, totalsByKey } from '../reports/totals.ts'
import { storable } from '../text.ts'
import { timeText, usdOf } from '../units.ts'
import { mintKey, type Sha256 } from './mint.ts'

export type ApiKey = typeof apiKeys.$inferSelect

/** Keys per user: more than a person needs, few enough that nobody fills the key cache. */
const MOST_KEYS = 100

type KeyLimits = Pick<ApiKey, 'quotaTokens' | 'budgetMicros' | 'requestsPerMinute' | 'concurrentRequests'>

/** Limits apply in addition to the owner's; undefined or 0 = unlimited. */
export interface NewKey extends Partial<{ [K in keyof KeyLimits]: number | undefined }> {
  userId: number
  name: string
  /** ms since 1970; null = never. */
  expiresAt: number | null
}

interface Parts {
  db: Db
  clock: Clock
  actor: Actor
}

/** The new key and its secret, which is not stored. Throws a Refusal conflict when the user has MOST_KEYS or is disabled. */
export async function createKey(
  parts: Parts & { sha256: Sha256 },
  wanted: NewKey,
): Promise<{ key: ApiKey; secret: string }> {
  const { db, clock, sha256, actor } = parts
  const now = clock.now()
  const { secret, hash, prefix, last4 } = mintKey(sha256)
  const { userId, expiresAt, quotaTokens = 0, budgetMicros = 0 } = wanted
  const name = storable(wanted.name)
  const { requestsPerMinute = 0, concurrentRequests = 0 } = wanted
  // One statement counts and inserts, so that parallel requests cannot pass the limit together.
  const [, , [key]] = await db.batch([
    db.run(sql`
      insert into api_keys (user_id, name, hash, prefix, last4, status, expires_at, quota_tokens, budget_micros,
        requests_per_minute, concurrent_requests, created_at, updated_at)
      select id, ${name}, ${hash}, ${prefix}, ${last4}, 'active', ${expiresAt}, ${quotaTokens}, ${budgetMicros},
        ${requestsPerMinute}, ${concurrentRequests}, ${now}, ${now} from users
      where id = ${userId} and status = 'active'
        and (select count(*) from api_keys where user_id = ${userId} and deleted_at is null) < ${MOST_KEYS}`),
    auditIfChanged(db, {
      actor,
      at: now,
      action: 'key.create',
      target: `key:${prefix}…${last4}`,
      after: {
        user_id: userId,
        name,
        expires_at: expiresAt === null ? null : timeText(expiresAt),
        quota_tokens: quotaTokens,
        budget_usd: usdOf(budgetMicros),
        requests_per_minute: requestsPerMinute,
        concurrent_requests: concurrentRequests,
      },
    }),
    db.select().from(apiKeys).where(eq(apiKeys.hash, hash)),
  ])
  if (!key) throw new Refusal('conflict', `An active user may have ${MOST_KEYS} keys. Delete one first.`)
  return { key, secret }
}

export type ListedKey = { key: ApiKey; itcode: string } & Totals

/** Keys that are not deleted, with owner and use, oldest first; only those of `userId` if it is given. */
export async function listKeys(db: Db, userId?: number): Promise<ListedKey[]> {
  return withUse(db, userId === undefined ? undefined : eq(apiKeys.userId, userId))
}

/** A key with its use. Throws a Refusal not_found. */
export async function describedKey(db: Db, id: number): Promise<ListedKey> {
  const [listed] = await withUse(db, eq(apiKeys.id, id))
  if (!listed) throw nothingHere()
  return listed
}

async function withUse(db: Db, where: SQL | undefined): Promise<ListedKey[]> {
  const rows = await db
    .select({ key: apiKeys, itcode: users.itcode })
    .from(apiKeys)
    .innerJoin(users, eq(users.id, apiKeys.userId))
    .where(and(isNull(apiKeys.deletedAt), where))
    .orderBy(asc(apiKeys.id))
  const ids = rows.map(({ key }) => key.id)
  const totals = await totalsByKey(db, ids)
  const none: Totals = { requests: 0, totalTokens: 0, costMicros: 0, lastUsedAt: null }
  return rows.map((row) => ({ ...row, ...none, ...totals.get(row.key.id) }))
}

export type KeyChange = { [K in 'name' | 'status' | 'expiresAt' | keyof KeyLimits]?: ApiKey[K] | undefined }
/** The fields that can change; undefined = unchanged. */
type KeySettings = KeyChange & { disabledBy?: ApiKey['disabledBy'] }
/** Whose keys may be changed: one owner's, or anybody's by an administrator. */
export type Scope = { ownerId: number } | 'admin'

/**
 * Changes a key. Only an administrator can enable a key that an administrator disabled. Throws a Refusal: not_found (also
 * for somebody else's key) or disabled_by_admin.
 */
export async function updateKey(parts: Parts, scope: Scope, id: number, change: KeyChange): Promise<void> {
  const { db, clock, actor } = parts
  const mine = within(scope, id)
  const [before] = await db.select().from(apiKeys).where(mine)
  if (!before) throw nothingHere()
  const { status, ...plain } = change
  const isBlocked = scope !== 'admin' && before.disabledBy === 'admin'
  if (status === 'active' && isBlocked) {
    throw new Refusal(
      'disabled_by_admin',
      'An administrator disabled this key. Only one can enable it again.',
    )
  }
  const disabledBy = {
    active: null,
    disabled: scope === 'admin' || isBlocked ? ('admin' as const) : ('owner' as const),
  }
  const set: KeySettings = {
    ...plain,
    ...(status === undefined ? {} : { status, disabledBy: disabledBy[status] }),
  }
  const actions = { active: 'key.enable', disabled: 'key.disable' } as const
  // Checked in the statement as well, because an administrator may disable the key in the meantime.
  const notBlocked =
    scope === 'admin' || status === undefined || isBlocked
      ? undefined
      : or(isNull(apiKeys.disabledBy), ne(apiKeys.disabledBy, 'admin'))
  await db.batch([
    db
      .update(apiKeys)
      .set({ ...set, updatedAt: clock.now() })
      .where(and(mine, notBlocked)),
    auditIfChanged(db, {
      actor,
      at: clock.now(),
      action: status === undefined ? 'key.update' : actions[status],
      target: `key:${id}`,
      ...changeOf(audited(before), audited(set)),
    }),
  ])
}

/** Deletes a key; its usage and name stay. Throws a Refusal not_found. */
export async function deleteKey({ db, clock, actor }: Parts, ownerId: number, id: number): Promise<void> {
  const now = clock.now()
  const [gone] = await db.batch([
    db
      .update(apiKeys)
      .set({ status: 'disabled', deletedAt: now, updatedAt: now })
      .where(within({ ownerId }, id))
      .returning({ id: apiKeys.id }),
    auditIfChanged(db, { actor, at: now, action: 'key.delete', target: `key:${id}` }),
  ])
  if (gone.length === 0) throw nothingHere()
}

function audited({ name, status, disabledBy, expiresAt, ...limits }: KeySettings) {
  return {
    name,
    status,
    disabled_by: disabledBy,
    expires_at: typeof expiresAt === 'number' ? timeText(expiresAt) : expiresAt,
    ...auditedLimits(limits),
  }
}

function within(scope: Scope, id: number): SQL | undefined {
  const owner = scope === 'admin' ? undefined : eq(apiKeys.userId, scope.ownerId)
  return and(eq(apiKeys.id, id), isNull(apiKeys.deletedAt), owner)
}

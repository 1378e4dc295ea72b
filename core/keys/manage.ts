/** Creates, lists, changes and deletes API keys. Only `createKey` returns the secret. Every change is audited. */
import { and, eq, isNull, ne, or, type SQL, sql } from 'drizzle-orm'
import { auditedLimits, changeOf } from '../audit/change.ts'
import { type Actor, auditIfChanged } from '../audit/record.ts'
import { apiKeys } from '../db/schema.ts'
import { invalidField, nothingHere, Refusal } from '../errors.ts'
import { parsedJson } from '../json/parse.ts'
import { keeps } from '../organisation/service-accounts.ts'
import type { Clock, Db } from '../ports.ts'
import { problem } from '../problems.ts'
import { storable } from '../text.ts'
import { timeText, usdOf } from '../units.ts'
import { mintKey, type Sha256 } from './mint.ts'
import { hasRoomForKey, MOST_KEYS } from './most-keys.ts'

export type ApiKey = typeof apiKeys.$inferSelect

type LimitName =
  | ('quotaTokens' | 'budgetMicros')
  | ('requestsPerMinute' | 'tokensPerMinute' | 'concurrentRequests')

/** What a key narrows; undefined = unchanged. */
interface Bounds {
  /** The group that its calls are booked to while its owner is in it; null = the owner's. */
  billingGroupId?: number | null | undefined
  /** Globs of models, and networks in CIDR notation; null = no list. */
  models?: readonly string[] | null | undefined
  networks?: readonly string[] | null | undefined
}

/** Limits apply in addition to the owner's; undefined or 0 = unlimited. */
export interface NewKey extends Bounds, Partial<{ [K in LimitName]: number | undefined }> {
  userId: number
  /** Of a key of a service account: who makes it. */
  keeperId?: number
  name: string
  /** ms since 1970; null = never. */
  expiresAt: number | null
}

export interface Parts {
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
  const { userId, keeperId, expiresAt, quotaTokens = 0, budgetMicros = 0 } = wanted
  const name = storable(wanted.name)
  const { requestsPerMinute = 0, tokensPerMinute = 0, concurrentRequests = 0 } = wanted
  const { billingGroupId = null, models = null, networks = null } = wanted
  const mayMake = keeperId === undefined ? sql`kind = 'person'` : keeps(sql`${keeperId}`, sql`${userId}`)
  // One statement counts and inserts, so that parallel requests cannot pass the limit together.
  const [, , [key]] = await db.batch([
    db.run(sql`
      insert into api_keys (user_id, name, hash, prefix, last4, status, expires_at, quota_tokens, budget_micros,
        requests_per_minute, tokens_per_minute, concurrent_requests, billing_group_id, models, networks, created_at,
        updated_at)
      select id, ${name}, ${hash}, ${prefix}, ${last4}, 'active', ${expiresAt}, ${quotaTokens}, ${budgetMicros},
        ${requestsPerMinute}, ${tokensPerMinute}, ${concurrentRequests}, ${billingGroupId}, ${listText(models)},
        ${listText(networks)}, ${now}, ${now} from users
      where id = ${userId} and status = 'active' and ${mayMake}
        and ${hasRoomForKey(userId)}`),
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
        tokens_per_minute: tokensPerMinute,
        concurrent_requests: concurrentRequests,
        billing_group_id: billingGroupId,
        models,
        networks,
      },
    }),
    db.select().from(apiKeys).where(eq(apiKeys.hash, hash)),
  ])
  if (!key) throw new Refusal('conflict', `An active user may have ${MOST_KEYS} keys. Delete one first.`)
  return { key, secret }
}

export type KeyChange = {
  [K in 'name' | 'status' | 'expiresAt' | LimitName]?: ApiKey[K] | undefined
} & Bounds
/** The fields that can change; undefined = unchanged. */
type KeySettings = KeyChange & { disabledBy?: ApiKey['disabledBy'] }
/** Whose keys may be changed: one owner's, those of a service account by its keeper, or anybody's by an administrator. */
export type Scope = { ownerId: number } | { accountId: number; keeperId: number } | 'admin'

/**
 * Changes a key. Only an administrator can enable a key that an administrator disabled. Throws a Refusal: not_found (also
 * for somebody else's key); disabled_by_admin; invalid_input for the end of a device.
 */
export async function updateKey(parts: Parts, scope: Scope, id: number, change: KeyChange): Promise<void> {
  const { db, clock, actor } = parts
  const mine = within(scope, id)
  const [before] = await db.select().from(apiKeys).where(mine)
  if (!before) throw nothingHere()
  // Its person has to sign in again by then, so that whoever has left does not go on.
  if (before.kind === 'device' && change.expiresAt !== undefined) {
    throw invalidField('expires_at', problem('device_end'))
  }
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
      .set({ ...stored(set), updatedAt: clock.now() })
      .where(and(mine, notBlocked)),
    auditIfChanged(db, {
      actor,
      at: clock.now(),
      action: status === undefined ? 'key.update' : actions[status],
      target: `key:${id}`,
      ...changeOf(audited({ ...before, ...listsOf(before) }), audited(set)),
    }),
  ])
}

/** Deletes a key; its usage and name stay. Throws a Refusal not_found. */
export async function deleteKey({ db, clock, actor }: Parts, scope: Scope, id: number): Promise<void> {
  const now = clock.now()
  const [gone] = await db.batch([
    db
      .update(apiKeys)
      .set({ status: 'disabled', deletedAt: now, updatedAt: now })
      .where(within(scope, id))
      .returning({ id: apiKeys.id }),
    auditIfChanged(db, { actor, at: now, action: 'key.delete', target: `key:${id}` }),
  ])
  if (gone.length === 0) throw nothingHere()
}

/** The lists of a key; null = none. */
export function listsOf({ models, networks }: Pick<ApiKey, 'models' | 'networks'>) {
  return { models: listIn(models), networks: listIn(networks) }
}

function listIn(text: string | null): string[] | null {
  const list = text === null ? undefined : parsedJson(text)
  return Array.isArray(list) ? list.map(String) : null
}

function listText(list: readonly string[] | null): string | null {
  return list === null ? null : JSON.stringify(list)
}

function stored({ models, networks, ...rest }: KeySettings) {
  return {
    ...rest,
    ...(models === undefined ? {} : { models: listText(models) }),
    ...(networks === undefined ? {} : { networks: listText(networks) }),
  }
}

function audited({
  name,
  status,
  disabledBy,
  expiresAt,
  billingGroupId,
  models,
  networks,
  ...limits
}: KeySettings) {
  return {
    name,
    status,
    disabled_by: disabledBy,
    expires_at: typeof expiresAt === 'number' ? timeText(expiresAt) : expiresAt,
    ...auditedLimits(limits),
    billing_group_id: billingGroupId,
    models,
    networks,
  }
}

/** A key of this id that is not deleted, if it is in the scope. */
export function within(scope: Scope, id: number): SQL | undefined {
  return and(eq(apiKeys.id, id), isNull(apiKeys.deletedAt), scope === 'admin' ? undefined : isOwnedBy(scope))
}

function isOwnedBy(scope: Exclude<Scope, 'admin'>): SQL | undefined {
  if ('ownerId' in scope) return eq(apiKeys.userId, scope.ownerId)
  const { accountId, keeperId } = scope
  return and(eq(apiKeys.userId, accountId), keeps(sql`${keeperId}`, sql`${accountId}`))
}

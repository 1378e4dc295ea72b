/** The next tokens of a device. Each refresh token is replaced when it is used, and tells where a copy of it is used. */
import { and, eq, lt, lte, sql } from 'drizzle-orm'
import { type Actor, auditIfChanged, auditRowUnless } from '../audit/record.ts'
import type { User } from '../auth/account.ts'
import { apiKeys, refreshTokens, users } from '../db/schema.ts'
import { noticeIfChanged } from '../notices/outbox.ts'
import type { Db } from '../ports.ts'
import { among } from '../reports/totals.ts'
import { DAY_MS, MINUTE_MS } from '../units.ts'
import { IDLE_MS, newToken, type TokenParts, type Tokens, tokensOf } from './tokens.ts'

/** A replaced token still works for so long, because terminals of one machine refresh without knowing of each other. */
const OVERLAP_MS = 10 * MINUTE_MS
/** Refresh tokens of one device that can be used at the same time. */
const MOST_ALIVE = 8
/** Replaced ones are kept for so long: whose use is noticed, and which addresses a device is known at. */
const REMEMBERED_MS = 7 * DAY_MS

type RefreshParts = TokenParts & {
  /** `ip`: an address, or an IPv6 /64. */
  actor: Actor & { ip: string }
  /** Asks whoever vouches for a person whether they may go on, and holds the answer against them. */
  vouch(userId: number): Promise<void>
}

interface Found {
  token: typeof refreshTokens.$inferSelect
  key: typeof apiKeys.$inferSelect
  user: User
}

/** The next tokens of a device; undefined where this one is no longer good, so that the program has to sign in again. */
export async function refreshDevice(parts: RefreshParts, token: string): Promise<Tokens | undefined> {
  const { db, clock, sha256, vouch } = parts
  const hash = sha256(token)
  const before = await find(db, hash)
  if (!before || !isGood(before, clock.now())) return undefined
  if (isReplayed(before, clock.now())) {
    await tellReplay(parts, before)
    return undefined
  }
  await vouch(before.user.id)
  const found = await find(db, hash)
  if (!found || !isGood(found, clock.now())) return undefined
  const next = newToken()
  return (await replace(parts, found, sha256(next)))
    ? tokensOf(parts, { hash: found.key.hash, user: found.user }, next)
    : undefined
}

async function find(db: Db, hash: string): Promise<Found | undefined> {
  const [found] = await db
    .select({ token: refreshTokens, key: apiKeys, user: users })
    .from(refreshTokens)
    .innerJoin(apiKeys, eq(apiKeys.id, refreshTokens.keyId))
    .innerJoin(users, eq(users.id, apiKeys.userId))
    .where(eq(refreshTokens.hash, hash))
  return found
}

function isGood({ token, key, user }: Found, now: number): boolean {
  const isOver = token.expiresAt <= now || (key.expiresAt ?? now) <= now || key.deletedAt !== null
  return !isOver && key.status === 'active' && user.status === 'active' && user.pausedAt === null
}

function isReplayed({ token }: Found, now: number): boolean {
  return token.replacedAt !== null && token.replacedAt + OVERLAP_MS <= now
}

/** Returns false where another request ended the device, or the token became too old in the meantime. */
async function replace(
  { db, clock, actor }: RefreshParts,
  { token, key }: Found,
  nextHash: string,
): Promise<boolean> {
  const now = clock.now()
  const { ip } = actor
  const expiresAt = Math.min(now + IDLE_MS, key.expiresAt ?? Number.POSITIVE_INFINITY)
  const isUsable = sql`hash = ${token.hash} and (replaced_at is null or replaced_at > ${now - OVERLAP_MS})`
  const unused = sql`key_id = ${key.id} and replaced_at is null`
  const isUsual = sql`(exists (select 1 from refresh_tokens where key_id = ${key.id} and ip = ${ip})
    or not exists (select 1 from refresh_tokens where ${isUsable} and replaced_at is not null))`
  const [, , replaced] = await db.batch([
    auditRowUnless(db, copied({ actor, now, keyId: key.id }, 'new_address'), isUsual),
    noticeIfChanged(db, noticed({ ip, now, keyId: key.id }, 'new_address')),
    db
      .update(refreshTokens)
      .set({ replacedAt: sql`coalesce(replaced_at, ${now})` })
      .where(isUsable)
      .returning({ hash: refreshTokens.hash }),
    db.run(sql`insert into refresh_tokens (hash, key_id, ip, created_at, expires_at)
      select ${nextHash}, ${key.id}, ${ip}, ${now}, ${expiresAt} where changes() > 0`),
    db.run(sql`delete from refresh_tokens where ${unused} and hash not in
      (select hash from refresh_tokens where ${unused} order by created_at desc, hash limit ${MOST_ALIVE})`),
  ])
  return replaced.length > 0
}

/** Once for each token, which is forgotten then. The device goes on, because its person may have been idle. */
async function tellReplay({ db, clock, actor }: RefreshParts, { token, key }: Found) {
  const now = clock.now()
  await db.batch([
    db
      .delete(refreshTokens)
      .where(and(eq(refreshTokens.hash, token.hash), lte(refreshTokens.replacedAt, now - OVERLAP_MS))),
    auditIfChanged(db, copied({ actor, now, keyId: key.id }, 'replaced_token')),
    noticeIfChanged(db, noticed({ ip: actor.ip, now, keyId: key.id }, 'replaced_token')),
  ])
}

type CopyReason = 'new_address' | 'replaced_token'

function copied({ actor, now, keyId }: { actor: Actor; now: number; keyId: number }, reason: CopyReason) {
  return { actor, at: now, action: 'device.copied', target: `key:${keyId}`, after: { reason } } as const
}

function noticed({ ip, now, keyId }: { ip: string; now: number; keyId: number }, reason: CopyReason) {
  const key = `${keyId} ${ip} ${now}`
  return { event: 'device.copied', data: { id: keyId, ip, reason }, key, at: now } as const
}

/** Where live tokens of devices are used: by device, the address used last first. Times are ms since 1970. */
export async function deviceAddresses(
  db: Db,
  now: number,
  deviceIds: readonly number[],
): Promise<Map<number, { ip: string; lastAt: number }[]>> {
  const isLive = sql`${refreshTokens.replacedAt} is null and ${refreshTokens.expiresAt} > ${now}`
  const lastAt = sql<number>`max(${refreshTokens.createdAt})`.mapWith(Number)
  const rows = await db
    .select({ keyId: refreshTokens.keyId, ip: refreshTokens.ip, lastAt })
    .from(refreshTokens)
    .where(and(among(refreshTokens.keyId, deviceIds), isLive))
    .groupBy(refreshTokens.keyId, refreshTokens.ip)
    .orderBy(sql`3 desc`)
  const byDevice = new Map<number, { ip: string; lastAt: number }[]>()
  for (const { keyId, ...one } of rows) byDevice.set(keyId, [...(byDevice.get(keyId) ?? []), one])
  return byDevice
}

/**
 * Deletes tokens that are over, and ends devices that have none left: nobody can use them again, and they would count against how
 * many their person may have.
 */
export async function sweepRefreshTokens(db: Db, now: number): Promise<void> {
  await db.delete(refreshTokens).where(lt(refreshTokens.expiresAt, now))
  await db.run(sql`update ${apiKeys} set status = 'disabled', deleted_at = ${now}, updated_at = ${now}
    where kind = 'device' and deleted_at is null and expires_at is not null
      and not exists (select 1 from refresh_tokens where key_id = api_keys.id)`)
  await db.delete(refreshTokens).where(lt(refreshTokens.replacedAt, now - REMEMBERED_MS))
}

/** The first tokens of a device, made when a person lets it in. How they are replaced: refresh.ts. */
import { and, eq, sql } from 'drizzle-orm'
import { type Actor, auditIfChanged } from '../audit/record.ts'
import type { User } from '../auth/account.ts'
import { apiKeys, deviceGrants, groupMembers, groups, users } from '../db/schema.ts'
import { randomText } from '../ids.ts'
import { ALPHABET, type Sha256 } from '../keys/mint.ts'
import type { Clock, Db } from '../ports.ts'
import type { Settings } from '../settings.ts'
import { DAY_MS } from '../units.ts'
import { mailTo } from '../users/address.ts'
import { ACCESS_TOKEN_MS, type AccessTokens } from './access-token.ts'
import type { DeviceGrant } from './authorize.ts'
import { hasRoomForDevice } from './most-devices.ts'

const PREFIX = 'rt-'
const LENGTH = 52
/** A device that refreshes nothing for so long has to sign in again; so has any after LONGEST_MS. */
export const IDLE_MS = 30 * DAY_MS
const LONGEST_MS = 90 * DAY_MS
/** Of all group names in a token together, as JSON in UTF-8: longer tokens than access-token.ts takes are good for nothing. */
const GROUPS_BYTES = 1_200
const MOST_GROUPS = 50

export interface Tokens {
  accessToken: string
  refreshToken: string
  expiresInMs: number
  email: string
}

export interface TokenParts {
  db: Db
  clock: Clock
  sha256: Sha256
  settings: Settings
  accessTokens: AccessTokens
}

/**
 * Uses up an approved grant: the device is there from now on. Undefined where another request used it first, or the person may
 * not sign in any more.
 */
export async function openDevice(
  parts: TokenParts & { actor: Actor },
  grant: DeviceGrant & { userId: number },
): Promise<Tokens | undefined> {
  const { db, clock, sha256, actor } = parts
  const now = clock.now()
  const { userId, client, ip } = grant
  const refreshToken = newToken()
  // No presented text has this hash, so that the device has no key of its own.
  const hash = `device ${randomText(LENGTH, ALPHABET)}`
  const expiresAt = now + LONGEST_MS
  const [, , , , [device]] = await db.batch([
    db
      .update(deviceGrants)
      .set({ status: 'used' })
      .where(and(eq(deviceGrants.id, grant.id), eq(deviceGrants.status, 'approved'))),
    db.run(sql`insert into api_keys (user_id, name, hash, prefix, last4, kind, status, expires_at, created_at, updated_at)
      select id, ${client}, ${hash}, 'device', '', 'device', 'active', ${expiresAt}, ${now}, ${now} from users
      where id = ${userId} and status = 'active' and paused_at is null and kind = 'person' and changes() > 0
        and ${hasRoomForDevice(userId)}`),
    auditIfChanged(db, {
      actor,
      at: now,
      action: 'device.create',
      target: `user:${userId}`,
      after: { name: client },
    }),
    db.run(sql`insert into refresh_tokens (hash, key_id, ip, created_at, expires_at)
      select ${sha256(refreshToken)}, id, ${ip}, ${now}, ${now + IDLE_MS} from api_keys
      where hash = ${hash} and changes() > 0`),
    db
      .select({ hash: apiKeys.hash, user: users })
      .from(apiKeys)
      .innerJoin(users, eq(users.id, apiKeys.userId))
      .where(eq(apiKeys.hash, hash)),
  ])
  return device && tokensOf(parts, device, refreshToken)
}

export function newToken(): string {
  return PREFIX + randomText(LENGTH, ALPHABET)
}

/** An access token, beside a refresh token that is stored already. */
export async function tokensOf(
  { db, settings, accessTokens }: TokenParts,
  { hash, user }: { hash: string; user: User },
  refreshToken: string,
): Promise<Tokens> {
  const email = mailTo(user, settings.auth)
  const accessToken = await accessTokens.sign({
    device: hash,
    subject: `user_${user.id}`,
    email,
    name: user.name,
    groups: await groupNames(db, user.id),
    billingTag: settings.claudeCode.billingTag,
  })
  return { accessToken, refreshToken, expiresInMs: ACCESS_TOKEN_MS, email }
}

/** For telemetry only: what somebody may do is never read from a token. */
async function groupNames(db: Db, userId: number): Promise<string[]> {
  const rows = await db
    .select({ name: groups.name })
    .from(groupMembers)
    .innerJoin(groups, eq(groups.id, groupMembers.groupId))
    .where(and(eq(groupMembers.userId, userId), sql`${groups.deletedAt} is null`))
    .orderBy(groups.priority, groups.id)
    .limit(MOST_GROUPS)
  const names: string[] = []
  for (const { name } of rows) if (bytesOf([...names, name]) <= GROUPS_BYTES) names.push(name)
  return names
}

function bytesOf(names: readonly string[]): number {
  return new TextEncoder().encode(JSON.stringify(names)).length
}

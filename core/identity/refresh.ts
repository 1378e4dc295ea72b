/**
 * Asks providers whether people may go on, because OpenID Connect says nothing when somebody leaves: hourly for each person
 * who uses the gateway, and when a device of theirs refreshes its token. Their sign-in holds without an answer for `oidc.grace`, or `oidc.reverify` where they cannot be asked.
 */
import { and, asc, eq, gt, inArray, isNull, lte, notInArray, or, type SQL, sql } from 'drizzle-orm'
import { identities, users } from '../db/schema.ts'
import type { Deps } from '../deps.ts'
import { atMost } from '../shared-work.ts'
import { HOUR_MS, MINUTE_MS } from '../units.ts'
import { untiring } from '../untiring.ts'
import { applyClaims } from './apply.ts'
import { isBelowBrake, isStopped, stopPausing } from './brake.ts'
import { groupsIn, isAllowed } from './claims.ts'
import type { Identity } from './joining.ts'
import { pauseUser } from './pause.ts'
import { type LoginProvider, ProviderRefused, type Verified } from './provider.ts'
import { storedToken, tokenOf } from './token.ts'

type Parts = Pick<Deps, 'db' | 'clock' | 'logger' | 'settings' | 'logins' | 'secrets' | 'keyCache'>
type AskingParts = Parts & Pick<Deps, 'waitUntil'>

const ASKED_EVERY_MS = HOUR_MS
/** As often at most for devices, of which a person may have many. */
const ASKED_FOR_DEVICES_MS = 5 * MINUTE_MS
/** Claude Code waits 10 s for its tokens. */
const PATIENCE_MS = 4_000
/** Longer than an answer can take, so that one process at a time uses a token. */
const CLAIM_MS = 2 * MINUTE_MS
const RETRY_MS = 5 * MINUTE_MS
/** Per run, which is every minute, or every five where a schedule calls: 3,000 people in an hour. */
const MOST = 400
const AT_ONCE = 8

/** Asks about everybody who is due, and pauses whose sign-in no longer holds. */
export async function askProviders(parts: Parts): Promise<void> {
  const { db, clock, settings, keyCache } = parts
  if (parts.logins.length === 0) return
  const due = await dueIdentities(parts, ASKED_EVERY_MS, isThere(parts))
  let changed = false
  const askNext = async () => {
    for (let next = due.shift(); next; next = due.shift()) changed = (await askAbout(parts, next)) || changed
  }
  await Promise.all(Array.from({ length: AT_ONCE }, askNext))
  const unseen = await unseenUsers(parts, clock.now() - settings.identity.reverifyMs)
  for (const { id } of unseen) changed = (await pauseUser({ db, clock }, id, 'not_seen')) || changed
  if (changed) await keyCache.changed()
}

/**
 * Asks the providers of a person whose device wants new tokens, unless they were asked within minutes. Waits for
 * PATIENCE_MS at most: an answer that comes later holds from then on.
 */
export async function askAboutPerson(parts: AskingParts, userId: number): Promise<void> {
  const { clock, logger, keyCache, logins, waitUntil } = parts
  if (logins.length === 0) return
  const due = await dueIdentities(parts, ASKED_FOR_DEVICES_MS, eq(users.id, userId))
  if (due.length === 0) return
  const asking = Promise.all(due.map((identity) => askAbout(parts, identity)))
    .then((changes) => (changes.some(Boolean) ? keyCache.changed() : undefined))
    .catch((cause) => logger.error('identity.not_asked', { user: userId, cause: String(cause) }))
  waitUntil(asking)
  await atMost(PATIENCE_MS, asking, clock)
}

/** Whom SCIM keeps, it also takes away. */
const IS_ASKED = and(
  eq(users.status, 'active'),
  isNull(users.pausedAt),
  sql`not exists (select 1 from scim_users where scim_users.user_id = ${users.id})`,
)

/** Issuers that can be asked, by a token or without one. */
function askable({ logins, secrets }: Parts): { byToken: string[]; others: string[] } {
  const named = (needsToken: boolean) =>
    logins.filter(({ again }) => again?.needsToken === needsToken).map(({ issuer }) => issuer)
  return { byToken: secrets ? named(true) : [], others: named(false) }
}

/** Of those `whose` condition holds, who were not asked about for `everyMs`, nor are now. */
async function dueIdentities(parts: Parts, everyMs: number, whose: SQL): Promise<Identity[]> {
  const now = parts.clock.now()
  const rows = await parts.db
    .select({ identity: identities })
    .from(identities)
    .innerJoin(users, eq(users.id, identities.userId))
    .where(
      and(
        lte(identities.verifiedAt, now - everyMs),
        lte(identities.claimedUntil, now),
        canBeAsked(parts),
        IS_ASKED,
        whose,
      ),
    )
    .orderBy(asc(identities.verifiedAt))
    .limit(MOST)
  return rows.map(({ identity }) => identity)
}

/** Those who are signed in, or whose keys were used since they were asked about. */
function isThere({ clock, settings }: Parts): SQL {
  const now = clock.now()
  const isLive = sql`exists (select 1 from sessions where sessions.user_id = ${users.id} and revoked_at is null
    and expires_at > ${now} and last_seen_at > ${now - settings.auth.sessionIdleMs})`
  const usesKeys = sql`exists (select 1 from usage_logs where usage_logs.user_id = ${users.id}
    and usage_logs.created_at > ${identities.verifiedAt})`
  return sql`(${isLive} or ${usesKeys})`
}

function canBeAsked(parts: Parts): SQL | undefined {
  const { byToken, others } = askable(parts)
  const hasToken = sql`${identities.refreshToken} is not null`
  return or(and(inArray(identities.issuer, byToken), hasToken), inArray(identities.issuer, others))
}

/** Asks the provider about one person. Returns whether anything changed for them. */
async function askAbout(parts: Parts, { id }: Identity): Promise<boolean> {
  const { db, clock, logins, secrets } = parts
  const until = clock.now() + CLAIM_MS
  const [identity] = await db
    .update(identities)
    .set({ claimedUntil: until })
    .where(and(eq(identities.id, id), lte(identities.claimedUntil, clock.now())))
    .returning()
  const provider = logins.find(({ issuer }) => issuer === identity?.issuer)
  if (!identity || !provider?.again) return false
  const refreshToken = await tokenOf(secrets, identity)
  if (provider.again.needsToken && refreshToken === undefined) {
    // Its key is gone. From here on they count as somebody who cannot be asked.
    await db.update(identities).set({ refreshToken: null }).where(isMine(identity))
    return false
  }
  let verified: Verified
  try {
    verified = await provider.again.ask({ subject: identity.subject, refreshToken })
    if (!(await keepAnswer(parts, identity, verified))) return false
    const { rules } = provider
    const groups = groupsIn(verified.claims, rules)
    if (groups && !isAllowed(groups, rules))
      throw new ProviderRefused('they are in no group that may sign in')
  } catch (cause) {
    return notVouchedFor(parts, { identity, provider, cause })
  }
  await applyClaims(parts, identity.userId, provider, verified.claims)
  return true
}

/** Nobody signed in with it, and no other process asked, since this one claimed it. */
function isMine({ id, claimedUntil }: Identity): SQL | undefined {
  return and(eq(identities.id, id), eq(identities.claimedUntil, claimedUntil))
}

/** Stores the new token first of all, because the old one may be worth nothing from now on. */
async function keepAnswer(
  { db, clock, secrets }: Parts,
  identity: Identity,
  verified: Verified,
): Promise<boolean> {
  const { refreshToken } = verified
  const token =
    refreshToken === undefined ? {} : { refreshToken: await storedToken(secrets, identity, refreshToken) }
  const set = { ...token, verifiedAt: clock.now(), failingSince: null }
  // Whose token is lost is refused an hour later, and their keys stop.
  const kept = await untiring({ clock }, () =>
    db.update(identities).set(set).where(isMine(identity)).returning({ id: identities.id }),
  )
  return kept.length > 0
}

async function notVouchedFor(
  parts: Parts,
  { identity, provider, cause }: { identity: Identity; provider: LoginProvider; cause: unknown },
): Promise<boolean> {
  const { db, clock, logger, settings } = parts
  const { graceMs } = settings.identity
  const now = clock.now()
  const { userId } = identity
  const mine = sql`exists (select 1 from identities where id = ${identity.id} and claimed_until = ${identity.claimedUntil})`
  const isRefused = cause instanceof ProviderRefused
  if (isRefused && !(await isStopped(db, now, graceMs))) {
    if (await pauseUser({ db, clock }, userId, 'refused', and(mine, isBelowBrake(now)))) {
      // A sign-in there brings a new token.
      await leaveAlone(parts, identity, { refreshToken: null })
      return true
    }
    const [brake] = await db.all<{ isBelow: number }>(sql`select ${isBelowBrake(now)} as "isBelow"`)
    if (!brake?.isBelow) await stopPausing(parts, provider.issuer)
  }
  const failingSince = identity.failingSince ?? now
  if (now - failingSince >= graceMs && (await pauseUser({ db, clock }, userId, 'unreachable', mine))) {
    await leaveAlone(parts, identity, { failingSince: null })
    return true
  }
  if (!isRefused)
    logger.warn('identity.not_asked', { issuer: provider.issuer, user: userId, cause: String(cause) })
  await db
    .update(identities)
    .set({ failingSince, claimedUntil: now + RETRY_MS })
    .where(isMine(identity))
  return false
}

/**
 * A provider because of which somebody was paused is not asked about them at once again: whoever came back by another one, or by a
 * code of an administrator, would be paused within minutes each time.
 */
async function leaveAlone(
  { db, clock, settings }: Parts,
  identity: Identity,
  change: Partial<Pick<Identity, 'refreshToken' | 'failingSince'>>,
): Promise<void> {
  await db
    .update(identities)
    .set({ ...change, claimedUntil: clock.now() + settings.identity.graceMs })
    .where(isMine(identity))
}

/** Who signed in at a provider, but not since `before`, and whom none of their providers can be asked about. */
function unseenUsers(parts: Parts, before: number): Promise<{ id: number }[]> {
  const { db, clock, logins } = parts
  // Of a provider that is configured no more, nobody could sign in again.
  const known = inArray(
    identities.issuer,
    logins.map(({ issuer }) => issuer),
  )
  const theirs = db.select({ userId: identities.userId }).from(identities)
  const isLeftAlone = gt(identities.claimedUntil, clock.now())
  const vouched = or(gt(identities.verifiedAt, before), canBeAsked(parts), isLeftAlone)
  return db
    .select({ id: users.id })
    .from(users)
    .where(
      and(
        IS_ASKED,
        inArray(users.id, theirs.where(and(known, lte(identities.verifiedAt, before)))),
        notInArray(
          users.id,
          db.select({ userId: identities.userId }).from(identities).where(and(known, vouched)),
        ),
      ),
    )
    .limit(MOST)
}

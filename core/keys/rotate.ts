/** Gives a key a new secret. The one before goes on working for a while, so that no program has to be changed at that moment. */
import { and, eq, gt, isNull, or, type SQL } from 'drizzle-orm'
import { auditIfChanged } from '../audit/record.ts'
import { apiKeys, users } from '../db/schema.ts'
import { nothingHere, Refusal } from '../errors.ts'
import { timeText } from '../units.ts'
import { type ApiKey, type Parts, type Scope, within } from './manage.ts'
import { mintKey, type Sha256 } from './mint.ts'

/**
 * The key with its new secret, which is not stored. Id, limits and use stay, because a key that is rotated is the same key. The secret
 * before works for `overlapMs`, but never longer than the key; one that was replaced earlier ends at once. Throws a Refusal:
 * not_found, or conflict for a key that does not work.
 */
export async function rotateKey(
  parts: Parts & { sha256: Sha256 },
  scope: Scope,
  id: number,
  overlapMs: number,
): Promise<{ key: ApiKey; secret: string }> {
  const { db, clock, sha256, actor } = parts
  const now = clock.now()
  const which = and(within(scope, id), eq(apiKeys.kind, 'key'))
  const [before] = await db
    .select({ key: apiKeys, owner: users.status })
    .from(apiKeys)
    .innerJoin(users, eq(users.id, apiKeys.userId))
    .where(which)
  if (!before) throw nothingHere()
  const { key, owner } = before
  if (owner !== 'active' || !isValid(key, now)) throw new Refusal('conflict', NOT_VALID)
  const { secret, hash, prefix, last4 } = mintKey(sha256)
  const endsAt = Math.min(now + overlapMs, key.expiresAt ?? Number.POSITIVE_INFINITY)
  const [[rotated]] = await db.batch([
    db
      .update(apiKeys)
      .set({
        hash,
        prefix,
        last4,
        updatedAt: now,
        previousHash: key.hash,
        previousPrefix: key.prefix,
        previousLast4: key.last4,
        previousEndsAt: endsAt,
        previousUsedAt: null,
      })
      // By its secret, because somebody else may rotate the key at the same moment.
      .where(and(which, eq(apiKeys.hash, key.hash), isValidAt(now)))
      .returning(),
    auditIfChanged(db, {
      actor,
      at: now,
      action: 'key.rotate',
      target: `key:${id}`,
      after: { previous_key: `${key.prefix}…${key.last4}`, previous_ends_at: timeText(endsAt) },
    }),
  ])
  if (!rotated) throw new Refusal('conflict', 'This key was just changed. Look at it again.')
  return { key: rotated, secret }
}

const NOT_VALID = 'This key is disabled or has expired, so it has nothing to replace.'

function isValid({ status, expiresAt }: ApiKey, now: number): boolean {
  return status === 'active' && (expiresAt === null || expiresAt > now)
}

function isValidAt(now: number): SQL | undefined {
  return and(eq(apiKeys.status, 'active'), or(isNull(apiKeys.expiresAt), gt(apiKeys.expiresAt, now)))
}

/** Ends the secret that was replaced, from its next request on. Throws a Refusal not_found, also if it has ended. */
export async function endPreviousSecret(
  { db, clock, actor }: Parts,
  scope: Scope,
  id: number,
): Promise<void> {
  const now = clock.now()
  const [ended] = await db.batch([
    db
      .update(apiKeys)
      .set({ previousEndsAt: now, updatedAt: now })
      .where(and(within(scope, id), gt(apiKeys.previousEndsAt, now)))
      .returning({ id: apiKeys.id }),
    auditIfChanged(db, { actor, at: now, action: 'key.end_previous', target: `key:${id}` }),
  ])
  if (ended.length === 0) throw nothingHere()
}

/** Pausing: somebody's sessions and devices end and their keys wait, until they sign in with their provider again. */
import { and, eq, inArray, isNotNull, isNull, type SQL, sql } from 'drizzle-orm'
import { type Actor, auditIfChanged, SYSTEM } from '../audit/record.ts'
import { closeSessionsOf } from '../auth/sessions.ts'
import { identities, users } from '../db/schema.ts'
import { endingDevicesOf } from '../devices/end.ts'
import { Refusal } from '../errors.ts'
import type { Clock, Db } from '../ports.ts'
import type { Settings } from '../settings.ts'
import type { LoginProvider } from './provider.ts'

/** `refused`: the provider said that they may not go on. `unreachable`: it could not be asked. `not_seen`: no sign-in for long. */
type PauseReason = 'refused' | 'unreachable' | 'not_seen'

/**
 * Holds on every process once its key cache has read the change, within a second. Returns false where they were paused
 * already or `condition` does not hold.
 */
export async function pauseUser(
  { db, clock }: { db: Db; clock: Clock },
  userId: number,
  reason: PauseReason,
  condition?: SQL,
): Promise<boolean> {
  const now = clock.now()
  const isPaused = sql`exists (select 1 from users where id = ${userId} and paused_at is not null)`
  const [paused] = await db.batch([
    db
      .update(users)
      .set({ pausedAt: now, updatedAt: now })
      .where(and(eq(users.id, userId), isNull(users.pausedAt), isNull(users.deletedAt), condition))
      .returning({ id: users.id }),
    auditIfChanged(db, {
      actor: SYSTEM,
      at: now,
      action: 'user.pause',
      target: `user:${userId}`,
      after: { reason },
    }),
    closeSessionsOf(db, userId, now, isPaused),
    ...endingDevicesOf(db, userId, now, isPaused),
  ])
  return paused.length > 0
}

/** For a batch: they have signed in again. */
export function resumingUser(db: Db, { userId, actor, now }: { userId: number; actor: Actor; now: number }) {
  return [
    db
      .update(users)
      .set({ pausedAt: null, updatedAt: now })
      .where(and(eq(users.id, userId), isNotNull(users.pausedAt))),
    auditIfChanged(db, { actor, at: now, action: 'user.resume', target: `user:${userId}` }),
  ] as const
}

/**
 * Somebody who is paused has entered a right code. A mailed one is not enough where a provider could vouch for them, because
 * somebody who left may still read their mail; one that an administrator handed over is, for oidc.grace. Throws a Refusal
 * provider_required.
 */
export async function resumeByCode(
  {
    db,
    clock,
    logins,
    settings,
  }: { db: Db; clock: Clock; logins: readonly LoginProvider[]; settings: Pick<Settings, 'identity'> },
  { user, actor, handedOver }: { user: { id: number }; actor: Actor; handedOver: boolean },
): Promise<void> {
  const known = inArray(
    identities.issuer,
    logins.map(({ issuer }) => issuer),
  )
  const theirs = await db
    .select({ issuer: identities.issuer })
    .from(identities)
    .where(and(eq(identities.userId, user.id), known))
  const provider = logins.find(({ issuer }) => theirs.some((one) => one.issuer === issuer))
  if (provider && !handedOver) {
    throw new Refusal(
      'provider_required',
      `Sign in with ${provider.label}. A code by mail is not enough now.`,
    )
  }
  const now = clock.now()
  await db.batch([
    ...resumingUser(db, { userId: user.id, actor, now }),
    // An administrator vouches for them for a while, or the providers that do not would pause them again within a minute.
    db
      .update(identities)
      .set({ claimedUntil: now + settings.identity.graceMs })
      .where(eq(identities.userId, user.id)),
  ])
}

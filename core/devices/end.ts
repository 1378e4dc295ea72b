/** How devices end: they sign out, somebody ends them, or their person may not go on. */
import { and, eq, inArray, isNotNull, isNull, type SQL } from 'drizzle-orm'
import { type Actor, auditIfChanged } from '../audit/record.ts'
import { apiKeys, refreshTokens } from '../db/schema.ts'
import type { Sha256 } from '../keys/mint.ts'
import type { Clock, Db } from '../ports.ts'

const IS_DEVICE = and(eq(apiKeys.kind, 'device'), isNull(apiKeys.deletedAt))

/** A device signs out: its tokens are worth nothing from here on. Returns whether it was there, and of `ownerId` if given. */
export async function endDevice(
  { db, clock, actor }: { db: Db; clock: Clock; actor: Actor },
  id: number,
  ownerId?: number,
): Promise<boolean> {
  const now = clock.now()
  const [ended] = await db.batch([
    db
      .update(apiKeys)
      .set({ status: 'disabled', deletedAt: now, updatedAt: now })
      .where(
        and(eq(apiKeys.id, id), IS_DEVICE, ownerId === undefined ? undefined : eq(apiKeys.userId, ownerId)),
      )
      .returning({ id: apiKeys.id }),
    auditIfChanged(db, { actor, at: now, action: 'device.end', target: `key:${id}` }),
    db.delete(refreshTokens).where(inArray(refreshTokens.keyId, endedDevices(db, eq(apiKeys.id, id)))),
  ])
  return ended.length > 0
}

/** Ends the device of a refresh token. Unknown ones are ignored, as RFC 7009 wants. Returns whether it ended one. */
export async function endByRefreshToken(
  parts: { db: Db; clock: Clock; sha256: Sha256; actor: Actor },
  token: string,
): Promise<boolean> {
  const [found] = await parts.db
    .select({ keyId: refreshTokens.keyId })
    .from(refreshTokens)
    .where(eq(refreshTokens.hash, parts.sha256(token)))
  return found !== undefined && endDevice(parts, found.keyId)
}

/**
 * For a batch: ends all devices of a person, if `condition` holds. They are signed in by the person as sessions are, and end
 * wherever sessions do.
 */
export function endingDevicesOf(db: Db, userId: number, now: number, condition?: SQL) {
  const isTheirs = eq(apiKeys.userId, userId)
  return [
    db
      .update(apiKeys)
      .set({ status: 'disabled', deletedAt: now, updatedAt: now })
      .where(and(isTheirs, IS_DEVICE, condition)),
    db.delete(refreshTokens).where(inArray(refreshTokens.keyId, endedDevices(db, isTheirs))),
  ] as const
}

function endedDevices(db: Db, which: SQL) {
  return db
    .select({ id: apiKeys.id })
    .from(apiKeys)
    .where(and(which, eq(apiKeys.kind, 'device'), isNotNull(apiKeys.deletedAt)))
}

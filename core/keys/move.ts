/** Gives a key of a person who leaves to a service account, so that the program that uses it goes on. */
import { and, eq, isNull, sql } from 'drizzle-orm'
import { type Actor, auditIfChanged } from '../audit/record.ts'
import { apiKeys, users } from '../db/schema.ts'
import { invalidField, nothingHere, Refusal } from '../errors.ts'
import type { Clock, Db } from '../ports.ts'
import { problem } from '../problems.ts'
import { hasRoomForKey } from './most-keys.ts'

/**
 * The secret goes on working, with the limits and rights of the account; calls are booked to the account from the next one on.
 * Throws a Refusal: not_found; invalid_input unless `accountId` is an active service account; conflict if it has all the keys
 * that it may have.
 */
export async function moveKey(
  { db, clock, actor }: { db: Db; clock: Clock; actor: Actor },
  keyId: number,
  accountId: number,
): Promise<void> {
  // A device is its person's for good: its tokens are on their machine.
  const isKey = and(eq(apiKeys.id, keyId), eq(apiKeys.kind, 'key'), isNull(apiKeys.deletedAt))
  const [key] = await db.select().from(apiKeys).where(isKey)
  if (!key) throw nothingHere()
  const [account] = await db
    .select({ id: users.id })
    .from(users)
    .where(and(eq(users.id, accountId), eq(users.kind, 'service'), eq(users.status, 'active')))
  if (!account) throw invalidField('user_id', problem('service_account'))
  if (key.userId === accountId) return
  const now = clock.now()
  const isActive = sql`exists (select 1 from users where id = ${accountId} and kind = 'service' and status = 'active')`
  const [moved] = await db.batch([
    db
      .update(apiKeys)
      // The group of a key is one that its owner is in, and a service account is in none.
      .set({ userId: accountId, billingGroupId: null, updatedAt: now })
      .where(and(isKey, eq(apiKeys.userId, key.userId), isActive, hasRoomForKey(accountId)))
      .returning({ id: apiKeys.id }),
    auditIfChanged(db, {
      actor,
      at: now,
      action: 'key.move',
      target: `key:${keyId}`,
      before: { user_id: key.userId, billing_group_id: key.billingGroupId },
      after: { user_id: accountId, billing_group_id: null },
    }),
  ])
  if (moved.length === 0) throw new Refusal('conflict', 'This account has all the keys that it may have.')
}

/** Sessions of a person, as administrators see and end them. */
import { and, desc, eq, gt, isNull, sql } from 'drizzle-orm'
import { type Actor, auditIfChanged } from '../audit/record.ts'
import { auditEvents, sessions, users } from '../db/schema.ts'
import type { Clock, Db } from '../ports.ts'
import type { AuthSettings } from '../settings.ts'

export type OpenSession = Pick<
  typeof sessions.$inferSelect,
  'id' | 'createdAt' | 'lastSeenAt' | 'expiresAt' | 'ip' | 'userAgent'
>

/** Those that still hold, the one that was used last first. Times in ms since 1970. */
export async function openSessionsOf(
  { db, clock, auth }: { db: Db; clock: Clock; auth: AuthSettings },
  userId: number,
): Promise<OpenSession[]> {
  const now = clock.now()
  const { id, createdAt, lastSeenAt, expiresAt, ip, userAgent } = sessions
  return db
    .select({ id, createdAt, lastSeenAt, expiresAt, ip, userAgent })
    .from(sessions)
    .innerJoin(users, eq(users.id, sessions.userId))
    .where(
      and(
        eq(sessions.userId, userId),
        isNull(sessions.revokedAt),
        gt(expiresAt, now),
        gt(lastSeenAt, now - auth.sessionIdleMs),
        eq(users.status, 'active'),
        isNull(users.pausedAt),
      ),
    )
    .orderBy(desc(lastSeenAt), desc(createdAt))
}

/** When a person signed in last, in ms since 1970; null = never, or before what the audit still has. */
export async function lastSignIn(db: Db, userId: number): Promise<number | null> {
  const [found] = await db
    .select({ at: auditEvents.at })
    .from(auditEvents)
    .where(and(eq(auditEvents.actorId, userId), eq(auditEvents.action, 'login.ok')))
    .orderBy(desc(auditEvents.id))
    .limit(1)
  return found?.at ?? null
}

/** Ends one session of this person. Returns whether there was one. */
export async function endSessionOf(
  { db, clock, actor }: { db: Db; clock: Clock; actor: Actor },
  userId: number,
  sessionId: string,
): Promise<boolean> {
  const at = clock.now()
  const [ended] = await db.batch([
    db
      .update(sessions)
      .set({ revokedAt: at })
      .where(and(eq(sessions.id, sessionId), eq(sessions.userId, userId), isNull(sessions.revokedAt)))
      .returning({ ended: sql<number>`1` }),
    auditIfChanged(db, { actor, at, action: 'session.end', target: `user:${userId}` }),
  ])
  return ended.length > 0
}

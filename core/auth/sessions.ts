/** Sessions of the dashboard. A signed token (JWT) names a row, and the row decides, so that ending it works at once. */
import { and, eq, gt, inArray, isNull, lt, or, type SQL } from 'drizzle-orm'
import { jwtVerify, SignJWT } from 'jose'
import * as z from 'zod'
import { type Actor, auditRow } from '../audit/record.ts'
import { sessions, users } from '../db/schema.ts'
import { endingDevicesOf } from '../devices/end.ts'
import { randomText } from '../ids.ts'
import type { Clock, Db } from '../ports.ts'
import type { AuthSettings } from '../settings.ts'
import { storable } from '../text.ts'
import { DAY_MS } from '../units.ts'
import type { User } from './account.ts'

const ISSUER = 'claude-gateway'
const AUDIENCE = 'dashboard'
const ID_ALPHABET = 'abcdefghijklmnopqrstuvwxyz0123456789'
const ID_LENGTH = 32
const LONGEST_TOKEN = 2048
const LONGEST_USER_AGENT = 256
/** `lastSeenAt` is written at most this often, because otherwise each request would be a write. */
const SEEN_STEP_MS = 60_000

export interface SignedIn {
  user: User
  sessionId: string
  /** When they signed in (ms since 1970). */
  signedInAt: number
}

interface Parts {
  db: Db
  clock: Clock
  auth: AuthSettings
}

const Claims = z.looseObject({ sid: z.string().min(1).max(64), sub: z.string().min(1) })

/**
 * Opens a session and returns its token. `previous`, the id of the browser's earlier session, ends. `itcode` names the user
 * in the audit.
 */
export async function openSession(
  { db, clock, auth, actor }: Parts & { actor: Actor },
  session: { userId: number; itcode: string; ip: string; userAgent: string; previous: string | undefined },
): Promise<string> {
  const now = clock.now()
  const sessionId = randomText(ID_LENGTH, ID_ALPHABET)
  const expiresAt = now + auth.sessionMaxAgeMs
  await db.batch([
    endOf(db, session.previous ?? '', now),
    db.insert(sessions).values({
      id: sessionId,
      userId: session.userId,
      createdAt: now,
      lastSeenAt: now,
      expiresAt,
      ip: session.ip,
      userAgent: storable(session.userAgent.slice(0, LONGEST_USER_AGENT)),
    }),
    auditRow(db, { actor, at: now, action: 'login.ok', target: `user:${session.itcode}` }),
  ])
  return new SignJWT({ sid: sessionId })
    .setProtectedHeader({ alg: 'HS256', typ: 'JWT' })
    .setSubject(String(session.userId))
    .setIssuer(ISSUER)
    .setAudience(AUDIENCE)
    .setIssuedAt(Math.floor(now / 1000))
    .setExpirationTime(Math.floor(expiresAt / 1000))
    .sign(new TextEncoder().encode(auth.secrets[0]))
}

/** The user of this token; undefined unless it names a live session of an active user. */
export async function findSession(parts: Parts, token: string): Promise<SignedIn | undefined> {
  const { db, clock, auth } = parts
  const claims = await verified(parts, token)
  if (!claims) return undefined
  const [row] = await db
    .select({ session: sessions, user: users })
    .from(sessions)
    .innerJoin(users, eq(users.id, sessions.userId))
    .where(
      and(
        eq(sessions.id, claims.sid),
        eq(users.status, 'active'),
        isNull(users.pausedAt),
        isNull(sessions.revokedAt),
      ),
    )
  const now = clock.now()
  if (!row || String(row.user.id) !== claims.sub) return undefined
  const { session, user } = row
  if (session.expiresAt <= now || session.lastSeenAt + auth.sessionIdleMs <= now) return undefined
  if (now - session.lastSeenAt >= Math.min(SEEN_STEP_MS, auth.sessionIdleMs / 2)) {
    // Where nothing can be written, as on a full disk, people go on reading.
    await db
      .update(sessions)
      .set({ lastSeenAt: now })
      .where(eq(sessions.id, session.id))
      .catch(() => {})
  }
  return { user, sessionId: session.id, signedInAt: session.createdAt }
}

/** Whether a session is still good for this user, who may read everything. Asking does not count as using it. */
export async function isAuditorSession(
  { db, clock, auth }: Parts,
  { sessionId, userId }: { sessionId: string; userId: number },
): Promise<boolean> {
  const now = clock.now()
  const found = await db
    .select({ id: sessions.id })
    .from(sessions)
    .innerJoin(users, eq(users.id, sessions.userId))
    .where(
      and(
        eq(sessions.id, sessionId),
        eq(users.id, userId),
        isNull(sessions.revokedAt),
        eq(users.status, 'active'),
        inArray(users.role, ['admin', 'auditor']),
        gt(sessions.expiresAt, now),
        gt(sessions.lastSeenAt, now - auth.sessionIdleMs),
      ),
    )
  return found.length > 0
}

/** The claims of a valid token signed with any of `auth.secrets`; undefined for any other. */
async function verified({ clock, auth }: Parts, token: string) {
  if (token.length > LONGEST_TOKEN) return undefined
  for (const secret of auth.secrets) {
    try {
      const { payload } = await jwtVerify(token, new TextEncoder().encode(secret), {
        algorithms: ['HS256'],
        typ: 'JWT',
        issuer: ISSUER,
        audience: AUDIENCE,
        requiredClaims: ['sub', 'iat', 'exp'],
        currentDate: new Date(clock.now()),
      })
      return Claims.safeParse(payload).data
    } catch {
      // Another secret may have signed it.
    }
  }
  return undefined
}

/** Ends one session. */
export async function closeSession({ db, clock }: Parts, sessionId: string): Promise<void> {
  await endOf(db, sessionId, clock.now())
}

function endOf(db: Db, sessionId: string, now: number) {
  return db.update(sessions).set({ revokedAt: now }).where(eq(sessions.id, sessionId))
}

/** For a batch: ends every session of a user, if `condition` holds. */
export function closeSessionsOf(db: Db, userId: number, now: number, condition?: SQL) {
  return db
    .update(sessions)
    .set({ revokedAt: now })
    .where(and(eq(sessions.userId, userId), isNull(sessions.revokedAt), condition))
}

/** Signs a user out on every device, also Claude Code. */
export async function logOutEverywhere(
  { db, clock, actor }: { db: Db; clock: Clock; actor: Actor },
  userId: number,
): Promise<void> {
  const at = clock.now()
  await db.batch([
    closeSessionsOf(db, userId, at),
    ...endingDevicesOf(db, userId, at),
    auditRow(db, { actor, at, action: 'logout.everywhere', target: `user:${userId}` }),
  ])
}

/** Deletes sessions that ended over a day ago. */
export async function sweepSessions(db: Db, now: number): Promise<void> {
  const limit = now - DAY_MS
  await db.delete(sessions).where(or(lt(sessions.expiresAt, limit), lt(sessions.revokedAt, limit)))
}

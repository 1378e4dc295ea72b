/** Keys of programs that administer the gateway. Only an administrator's session and the command line make them. */
import { and, asc, eq, gt, isNull, lt, or, sql } from 'drizzle-orm'
import * as z from 'zod'
import { type Actor, auditIfChanged } from '../audit/record.ts'
import { adminKeys } from '../db/schema.ts'
import { nothingHere, Refusal } from '../errors.ts'
import { randomText } from '../ids.ts'
import { parsedJson } from '../json/parse.ts'
import type { Clock, Db } from '../ports.ts'
import { storable } from '../text.ts'
import { MINUTE_MS, timeText } from '../units.ts'
import { ALPHABET, type Sha256 } from './mint.ts'

/**
 * `read`: all of the organisation. `write`: that, and its changes. `usage`: reports and the names in them. `scim`: the people
 * and groups that a directory keeps here.
 */
export const ADMIN_SCOPES = ['read', 'write', 'usage', 'scim'] as const
export type AdminScope = (typeof ADMIN_SCOPES)[number]
const Scopes = z.array(z.enum(ADMIN_SCOPES))

export interface AdminKey {
  id: number
  name: string
  last4: string
  scopes: readonly AdminScope[]
  createdBy: number | null
  /** ms since 1970, here and below; null = never. */
  createdAt: number
  expiresAt: number | null
  lastUsedAt: number | null
}

const PREFIX = 'sk-admin-'
const LENGTH = 40
const SHAPE = new RegExp(`^${PREFIX}[A-Za-z0-9]{${LENGTH}}$`)

interface Parts {
  db: Db
  clock: Clock
  actor: Actor
}

/** The new key and its secret (238 random bits), which is not stored. Throws a Refusal conflict for a name that is taken. */
export async function createAdminKey(
  { db, clock, actor, sha256 }: Parts & { sha256: Sha256 },
  wanted: { name: string; scopes: readonly AdminScope[]; expiresAt: number | null },
): Promise<{ key: AdminKey; secret: string }> {
  const now = clock.now()
  const secret = PREFIX + randomText(LENGTH, ALPHABET)
  const name = storable(wanted.name)
  const { expiresAt } = wanted
  const scopes = ADMIN_SCOPES.filter((scope) => wanted.scopes.includes(scope))
  const [[row]] = await db.batch([
    db
      .insert(adminKeys)
      .values({
        name,
        hash: sha256(secret),
        last4: secret.slice(-4),
        scopes: JSON.stringify(scopes),
        createdBy: actor.id,
        createdAt: now,
        expiresAt,
      })
      .onConflictDoNothing()
      .returning(),
    auditIfChanged(db, {
      actor,
      at: now,
      action: 'admin_key.create',
      target: `admin-key:${name}`,
      after: { name, scopes, expires_at: expiresAt === null ? null : timeText(expiresAt) },
    }),
  ])
  if (!row) throw new Refusal('conflict', `There is an admin key ${name} already.`)
  return { key: keyOf(row), secret }
}

/** Keys that were not revoked, oldest first. */
export async function listAdminKeys(db: Db): Promise<AdminKey[]> {
  const rows = await db.select().from(adminKeys).where(isNull(adminKeys.revokedAt)).orderBy(asc(adminKeys.id))
  return rows.map(keyOf)
}

/** Ends a key from its next request on. Throws a Refusal not_found. */
export async function revokeAdminKey({ db, clock, actor }: Parts, id: number): Promise<void> {
  const now = clock.now()
  const [gone] = await db.batch([
    db
      .update(adminKeys)
      .set({ revokedAt: now })
      .where(and(eq(adminKeys.id, id), isNull(adminKeys.revokedAt)))
      .returning({ id: adminKeys.id }),
    auditIfChanged(db, { actor, at: now, action: 'admin_key.revoke', target: `admin-key:${id}` }),
  ])
  if (gone.length === 0) throw nothingHere()
}

/** The key of this secret, if it is valid now. Its use is noted, to the minute. */
export async function findAdminKey(
  { db, clock, sha256 }: { db: Db; clock: Clock; sha256: Sha256 },
  secret: string,
): Promise<AdminKey | undefined> {
  if (!SHAPE.test(secret)) return undefined
  const now = clock.now()
  const isValid = and(
    isNull(adminKeys.revokedAt),
    or(isNull(adminKeys.expiresAt), gt(adminKeys.expiresAt, now)),
  )
  const [row] = await db
    .select()
    .from(adminKeys)
    .where(and(eq(adminKeys.hash, sha256(secret)), isValid))
  if (!row) return undefined
  const isOld = lt(sql`coalesce(${adminKeys.lastUsedAt}, 0)`, now - MINUTE_MS)
  if ((row.lastUsedAt ?? 0) < now - MINUTE_MS) {
    // Where nothing can be written, as on a full disk, programs go on reading.
    await db
      .update(adminKeys)
      .set({ lastUsedAt: now })
      .where(and(eq(adminKeys.id, row.id), isOld))
      .catch(() => {})
  }
  return keyOf(row)
}

function keyOf({ scopes, ...row }: typeof adminKeys.$inferSelect): AdminKey {
  const { id, name, last4, createdBy, createdAt, expiresAt, lastUsedAt } = row
  return {
    id,
    name,
    last4,
    createdBy,
    createdAt,
    expiresAt,
    lastUsedAt,
    scopes: Scopes.safeParse(parsedJson(scopes)).data ?? [],
  }
}

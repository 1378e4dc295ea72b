/** What administrators do with identities, and how the tokens of all of them are encrypted anew. */
import { and, asc, eq, gt, isNotNull } from 'drizzle-orm'
import { type Actor, auditIfChanged } from '../audit/record.ts'
import { identities, users } from '../db/schema.ts'
import type { Deps } from '../deps.ts'
import { nothingHere, Refusal } from '../errors.ts'
import type { Clock, Db } from '../ports.ts'
import { addIdentity, type Identity } from './joining.ts'
import { storedToken, tokenOf } from './token.ts'

interface Parts {
  db: Db
  clock: Clock
  actor: Actor
}

export function listIdentities(db: Db, userId: number): Promise<Identity[]> {
  return db.select().from(identities).where(eq(identities.userId, userId)).orderBy(asc(identities.id))
}

/** Throws a Refusal: not_found; conflict for service accounts, deleted ones, and an identity that is joined already. */
export async function joinByAdmin(
  parts: Parts,
  userId: number,
  who: { issuer: string; subject: string },
): Promise<void> {
  const found = await parts.db.select({ id: users.id }).from(users).where(eq(users.id, userId))
  if (found.length === 0) throw nothingHere()
  if (await addIdentity(parts, who, userId, { tell: true })) return
  const message = 'Only an account of a person can have it, and an identity belongs to one account.'
  throw new Refusal('conflict', message)
}

/** Throws a Refusal not_found. */
export async function partIdentity({ db, clock, actor }: Parts, userId: number, id: number): Promise<void> {
  const isIt = and(eq(identities.id, id), eq(identities.userId, userId))
  const [identity] = await db.select().from(identities).where(isIt)
  if (!identity) throw nothingHere()
  const { issuer, subject } = identity
  await db.batch([
    db.delete(identities).where(isIt),
    auditIfChanged(db, {
      actor,
      at: clock.now(),
      action: 'identity.part',
      target: `user:${userId}`,
      before: { issuer, subject },
    }),
  ])
}

const ROWS_READ = 500

/** Encrypts anew what an older key of secrets.key encrypted, so that the older one can be taken out. Returns how many. */
export async function renewTokens({ db, secrets }: Pick<Deps, 'db' | 'secrets'>): Promise<number> {
  let renewed = 0
  for (let after = 0; secrets; ) {
    const rows = await db
      .select()
      .from(identities)
      .where(and(gt(identities.id, after), isNotNull(identities.refreshToken)))
      .orderBy(asc(identities.id))
      .limit(ROWS_READ)
    for (const row of rows) {
      if (row.refreshToken === null || !(await secrets.isStale(row.refreshToken))) continue
      const token = await tokenOf(secrets, row)
      if (token === undefined) continue
      // A newer token may have been stored meanwhile.
      const isSame = and(eq(identities.id, row.id), eq(identities.refreshToken, row.refreshToken))
      await db
        .update(identities)
        .set({ refreshToken: await storedToken(secrets, row, token) })
        .where(isSame)
      renewed++
    }
    const last = rows.length < ROWS_READ ? undefined : rows.at(-1)
    if (!last) break
    after = last.id
  }
  return renewed
}

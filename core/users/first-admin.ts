/** The first administrator: while there is no active one, the account in `auth.adminItcode` becomes one. */
import { and, eq, isNull, notExists, sql } from 'drizzle-orm'
import { auditIfChanged, SYSTEM } from '../audit/record.ts'
import { accountName, findAccount } from '../auth/account.ts'
import { users } from '../db/schema.ts'
import type { Clock, Db } from '../ports.ts'
import type { Settings } from '../settings.ts'
import { registerUser } from './manage.ts'

const isAdmin = and(eq(users.role, 'admin'), eq(users.status, 'active'))

export async function hasAdmin(db: Db): Promise<boolean> {
  return (await db.select({ id: users.id }).from(users).where(isAdmin).limit(1)).length > 0
}

/** Returns the account that became an admin, if one did. Several processes may run it at once. */
export async function ensureAdmin(parts: {
  db: Db
  clock: Clock
  settings: Settings
}): Promise<string | undefined> {
  const { db, clock, settings } = parts
  if (settings.auth.adminItcode === '') return undefined
  const itcode = accountName(settings.auth.adminItcode)
  const { defaultQuotaTokens: quotaTokens } = settings.limits
  const admins = db.select({ one: sql`1` }).from(users).where(isAdmin)
  if (await hasAdmin(db)) return undefined
  if (!(await findAccount(db, settings.auth, itcode))) {
    const person = { itcode, role: 'user', quotaTokens } as const
    await registerUser({ db, clock, actor: SYSTEM }, person)
  }
  const account = await findAccount(db, settings.auth, itcode)
  // Whoever was deleted comes back only by somebody's explicit choice.
  if (!account || account.deletedAt !== null) return undefined
  const now = clock.now()
  const [promoted] = await db.batch([
    db
      .update(users)
      .set({ role: 'admin', status: 'active', updatedAt: now })
      .where(
        and(eq(users.id, account.id), eq(users.kind, 'person'), isNull(users.deletedAt), notExists(admins)),
      )
      .returning({ id: users.id }),
    auditIfChanged(db, {
      actor: SYSTEM,
      at: now,
      action: 'user.first_admin',
      target: `user:${account.id}`,
      before: { role: account.role, status: account.status },
      after: { role: 'admin', status: 'active' },
    }),
  ])
  return promoted.length > 0 ? account.itcode : undefined
}

/** Users: create and list. Every change is audited in the same batch. */
import { asc, eq } from 'drizzle-orm'
import { type Actor, auditRow } from '../audit/record.ts'
import { accountName } from '../auth/account.ts'
import { users } from '../db/schema.ts'
import { Refusal } from '../errors.ts'
import type { Clock, Db } from '../ports.ts'

export type User = typeof users.$inferSelect

export interface NewUser {
  itcode: string
  name?: string | undefined
  role: 'user' | 'admin'
  quotaTokens: number
  budgetMicros: number
}

/** Throws a Refusal: body_invalid for a bad name, conflict when the account exists. */
export async function createUser(db: Db, clock: Clock, actor: Actor, wanted: NewUser): Promise<User> {
  const itcode = accountName(wanted.itcode)
  const now = clock.now()
  const { role, quotaTokens, budgetMicros } = wanted
  const insert = db
    .insert(users)
    .values({
      itcode,
      name: wanted.name?.trim() || itcode,
      role,
      status: 'active',
      quotaTokens,
      budgetMicros,
      createdAt: now,
      updatedAt: now,
    })
    .returning()
  if (await findUser(db, itcode)) throw new Refusal('conflict', `There is a user ${itcode} already.`)
  const after = { role, quota_tokens: quotaTokens, budget_micros: budgetMicros }
  const [[user]] = await db.batch([
    insert,
    auditRow(db, { actor, at: now, action: 'user.create', target: `user:${itcode}`, after }),
  ])
  if (!user) throw new Error('the insert answered no row')
  return user
}

export async function findUser(db: Db, itcode: string): Promise<User | undefined> {
  const [user] = await db
    .select()
    .from(users)
    .where(eq(users.itcode, accountName(itcode)))
  return user
}

export function listUsers(db: Db): Promise<User[]> {
  return db.select().from(users).orderBy(asc(users.id))
}

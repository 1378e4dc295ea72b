/**
 * The address of a person beside the account's name: where codes and notices go. An address that a directory or program set
 * is unconfirmed: nobody with rights gets codes there before an administrator confirms it, because whoever can change an
 * address elsewhere could otherwise sign in as them.
 */
import { and, eq, isNull, type SQL, sql } from 'drizzle-orm'
import { type Actor, auditIfChanged } from '../audit/record.ts'
import { accountName, bareName, mailAddress, type User } from '../auth/account.ts'
import { groupMembers, loginCodes, users } from '../db/schema.ts'
import { invalidField, nothingHere, Refusal } from '../errors.ts'
import type { Clock, Db } from '../ports.ts'
import { problem } from '../problems.ts'
import type { AuthSettings } from '../settings.ts'

export interface Address {
  /** In the spelling of `addressOf`. */
  email: string
  confirmed: boolean
}

/** The one spelling of a typed address. Throws a Refusal invalid_input for what is none. */
export function addressOf(text: string): string {
  const address = accountName(text)
  if (!address.includes('@')) throw invalidField('email', problem('email'))
  return address
}

/** Where mail to a person goes. */
export function mailTo({ email, itcode }: Pick<User, 'email' | 'itcode'>, auth: AuthSettings): string {
  return email ?? mailAddress(itcode, auth)
}

/** Where notices to a person go, except those about signing in. */
export function noticesTo(user: Pick<User, 'email' | 'itcode' | 'noticeEmail'>, auth: AuthSettings): string {
  return user.noticeEmail ?? mailTo(user, auth)
}

/** Whether this account has rights over others: a role, a group that they lead, or a program's account. */
async function isPrivileged(db: Db, { id, role, kind }: Pick<User, 'id' | 'role' | 'kind'>) {
  if (role !== 'user' || kind !== 'person') return true
  const led = await db
    .select({ groupId: groupMembers.groupId })
    .from(groupMembers)
    .where(and(eq(groupMembers.userId, id), eq(groupMembers.role, 'lead')))
    .limit(1)
  return led.length > 0
}

/** Whether a code may be mailed to this account. */
export async function mayGetCodes(db: Db, user: User): Promise<boolean> {
  if (user.kind !== 'person' || user.deletedAt !== null) return false
  return !user.emailUnconfirmed || !(await isPrivileged(db, user))
}

/** Whether no other account has this address, as its own or as its name. */
export async function isFreeAddress(
  { db, auth }: { db: Db; auth: AuthSettings },
  email: string,
  userId = 0,
): Promise<boolean> {
  return (await db.all(sql`select 1 where ${isFree(email, userId, auth)}`)).length > 0
}

/** Throws a Refusal conflict where another account has this address. */
export async function assertFreeAddress(
  parts: { db: Db; auth: AuthSettings },
  email: string,
  userId = 0,
): Promise<void> {
  if (await isFreeAddress(parts, email, userId)) return
  throw taken()
}

/**
 * Changes or removes an address, and ends codes that are on their way. Throws a Refusal: not_found; conflict where another
 * account has it.
 */
export async function changeAddress(
  { db, clock, actor, auth }: { db: Db; clock: Clock; actor: Actor; auth: AuthSettings },
  userId: number,
  address: Address | null,
): Promise<void> {
  const [before] = await db
    .select()
    .from(users)
    .where(and(eq(users.id, userId), isNull(users.deletedAt)))
  if (!before) throw nothingHere()
  const { email = null, confirmed = true } = address ?? {}
  if (email === null && before.itcode.includes('#')) {
    throw new Refusal(
      'conflict',
      'The name of this account is free for somebody else, so that it needs an address.',
    )
  }
  const isSame = before.email === email && (!confirmed || before.emailUnconfirmed !== confirmed)
  if (isSame) return
  const now = clock.now()
  const [changed] = await db.batch([
    db
      .update(users)
      .set({ email, emailUnconfirmed: !confirmed, updatedAt: now })
      // In the statement itself, because somebody else may get it at the same moment.
      .where(and(eq(users.id, userId), email === null ? undefined : isFree(email, userId, auth)))
      .returning({ id: users.id }),
    auditIfChanged(db, {
      actor,
      at: now,
      action: 'user.address',
      target: `user:${userId}`,
      before: { email: before.email, email_confirmed: !before.emailUnconfirmed },
      after: { email, email_confirmed: confirmed },
    }),
    db
      .update(loginCodes)
      .set({ consumedAt: now })
      .where(and(eq(loginCodes.itcode, before.itcode), isNull(loginCodes.consumedAt), sql`changes() > 0`)),
  ])
  if (changed.length === 0) throw taken()
}

function isFree(email: string, userId: number, auth: AuthSettings): SQL {
  return sql`not exists (select 1 from users as other where other.id <> ${userId}
    and (other.email = ${email} or other.itcode in (${email}, ${bareName(email, auth)})))`
}

function taken(): Refusal {
  return new Refusal('conflict', 'Another account has this address.')
}

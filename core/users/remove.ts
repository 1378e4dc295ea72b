/**
 * Accounts that people leave: deleted, brought back, or freed of their name. A deleted account keeps its row, so that its usage
 * keeps a name, and nobody else gets that name before an administrator releases it.
 */
import { and, eq, isNotNull, isNull, or, type SQL, sql } from 'drizzle-orm'
import { type Actor, auditIfChanged } from '../audit/record.ts'
import { bareName, mailAddress, type User } from '../auth/account.ts'
import { closeSessionsOf } from '../auth/sessions.ts'
import {
  apiKeys,
  applications,
  grants,
  groupMembers,
  identities,
  increaseRequests,
  invitations,
  loginCodes,
  scimUsers,
  sessions,
  users,
} from '../db/schema.ts'
import { endingDevicesOf } from '../devices/end.ts'
import { nothingHere, Refusal } from '../errors.ts'
import type { Clock, Db } from '../ports.ts'
import type { AuthSettings } from '../settings.ts'
import { isNotLastAdmin, lastAdmin } from './last-admin.ts'

interface Parts {
  db: Db
  clock: Clock
  actor: Actor
}

/**
 * Deletes an account: its sessions, codes, keys and memberships end for good, as do invitations to it and by it, and what it
 * asked for. A call under way goes on. Whom a directory deleted it may bring back. Throws a Refusal: not_found; conflict for the
 * last active administrator.
 */
export async function deleteUser(
  { db, clock, actor }: Parts,
  id: number,
  { byDirectory = false }: { byDirectory?: boolean } = {},
): Promise<void> {
  const user = await liveUser(db, id)
  const ended = await whatEnds(db, user)
  const now = clock.now()
  /** Evaluated after the first statement of the batch. */
  const isGone = sql`exists (select 1 from users where id = ${id} and deleted_at is not null)`
  const [gone] = await db.batch([
    db
      .update(users)
      .set({ status: 'disabled', deletedAt: now, pausedAt: null, updatedAt: now })
      .where(and(eq(users.id, id), isNull(users.deletedAt), isNotLastAdmin(id)))
      .returning({ id: users.id }),
    auditIfChanged(db, {
      actor,
      at: now,
      action: 'user.delete',
      target: `user:${id}`,
      before: { itcode: user.itcode, role: user.role, ...ended },
    }),
    closeSessionsOf(db, id, now, isGone),
    ...endingDevicesOf(db, id, now, isGone),
    db
      .update(loginCodes)
      .set({ consumedAt: now })
      .where(and(eq(loginCodes.itcode, user.itcode), isNull(loginCodes.consumedAt), isGone)),
    db
      .update(apiKeys)
      .set({ status: 'disabled', deletedAt: now, updatedAt: now })
      .where(and(eq(apiKeys.userId, id), isNull(apiKeys.deletedAt), isGone)),
    db.delete(groupMembers).where(and(eq(groupMembers.userId, id), isGone)),
    db.delete(grants).where(and(eq(grants.userId, id), isGone)),
    db
      .update(invitations)
      .set({ revokedAt: now })
      .where(and(openInvitations(user), isGone)),
    db
      .update(applications)
      .set({ status: 'withdrawn', updatedAt: now })
      .where(and(eq(applications.userId, id), eq(applications.status, 'pending'), isGone)),
    db
      .update(increaseRequests)
      .set({ status: 'withdrawn', updatedAt: now })
      .where(and(eq(increaseRequests.userId, id), eq(increaseRequests.status, 'pending'), isGone)),
    db
      .update(identities)
      .set({ refreshToken: null })
      .where(and(eq(identities.userId, id), isGone)),
    db
      .update(scimUsers)
      .set({ active: false, deactivated: byDirectory, updatedAt: now })
      .where(and(eq(scimUsers.userId, id), isGone)),
  ])
  if (gone.length > 0) return
  await liveUser(db, id)
  throw lastAdmin()
}

/**
 * Brings a deleted account back, as a plain user without keys, sessions and groups, because those ended for good. It gets back
 * a released name that is still free, also as an address, and its address unless somebody else has it. Throws a Refusal: not_found; conflict.
 */
export async function reviveUser(
  { db, clock, actor, auth }: Parts & { auth: AuthSettings },
  id: number,
): Promise<User> {
  const user = await deletedUser(db, id)
  const name = nameBefore(user)
  if (name === '')
    throw new Refusal('conflict', 'This account was erased, so that nobody knows whose it was.')
  const now = clock.now()
  const isFree = sql`not exists (${others(id, mailAddress(name, auth), auth)})`
  const [[revived]] = await db.batch([
    db
      .update(users)
      .set({
        itcode: name,
        role: 'user',
        status: 'active',
        deletedAt: null,
        updatedAt: now,
        email: stillTheirs(user, auth),
      })
      .where(and(eq(users.id, id), sql`${users.deletedAt} is not null`, isFree))
      .returning(),
    auditIfChanged(db, { actor, at: now, action: 'user.revive', target: `user:${id}` }),
    db
      .update(scimUsers)
      .set({ active: true, deactivated: false, updatedAt: now })
      .where(and(eq(scimUsers.userId, id), sql`changes() > 0`)),
  ])
  if (revived) return revived
  throw new Refusal('conflict', `Somebody else is called ${name} by now.`)
}

/**
 * Frees the name of an account for somebody else: it is called `name#id` from now on, which nobody can type as a name. Of a deleted
 * account, its address as well; another keeps the address, to which its mail goes instead of to its name. Throws a Refusal:
 * not_found; conflict if that was done before, or if its mail goes to its name.
 */
export async function releaseName(
  { db, clock, actor, auth }: Parts & { auth: AuthSettings },
  id: number,
): Promise<User> {
  const [{ itcode, deletedAt, email } = nobody()] = await db.select().from(users).where(eq(users.id, id))
  const isDeleted = deletedAt !== null
  if (!isDeleted && (email === null || email === mailAddress(itcode, auth))) {
    throw new Refusal('conflict', 'The mail of this account goes to its name. Give it another address first.')
  }
  const isReleased = itcode.includes('#')
  if (isReleased && (!isDeleted || email === null)) {
    throw new Refusal('conflict', 'The name of this account is free already.')
  }
  const now = clock.now()
  const released = isReleased ? itcode : `${itcode}#${id}`
  const isSame = and(
    eq(users.id, id),
    eq(users.itcode, itcode),
    isDeleted
      ? isNotNull(users.deletedAt)
      : and(isNull(users.deletedAt), email === null ? undefined : eq(users.email, email)),
  )
  const [[user]] = await db.batch([
    db
      .update(users)
      .set({ itcode: released, email: isDeleted ? null : email, updatedAt: now })
      .where(isSame)
      .returning(),
    auditIfChanged(db, {
      actor,
      at: now,
      action: 'user.release',
      target: `user:${id}`,
      before: { itcode },
      after: { itcode: released },
    }),
    // Codes make a browser known to a name; the next owner's browsers are others.
    db
      .update(loginCodes)
      .set({ itcode: released })
      .where(and(eq(loginCodes.itcode, itcode), sql`changes() > 0`)),
    ...(isDeleted ? [db.delete(scimUsers).where(and(eq(scimUsers.userId, id), hasName(id, released)))] : []),
  ])
  return user ?? nobody()
}

function nobody(): never {
  throw nothingHere()
}

async function liveUser(db: Db, id: number): Promise<User> {
  const [user] = await db
    .select()
    .from(users)
    .where(and(eq(users.id, id), isNull(users.deletedAt)))
  if (!user) throw nothingHere()
  return user
}

async function deletedUser(db: Db, id: number): Promise<User> {
  const [user] = await db
    .select()
    .from(users)
    .where(and(eq(users.id, id), sql`${users.deletedAt} is not null`))
  if (!user) throw nothingHere()
  return user
}

/** The address that a deleted account had; null if another has it by now, because codes would go there. */
function stillTheirs({ id, email }: User, auth: AuthSettings): SQL | null {
  return email === null ? null : sql`iif(exists (${others(id, email, auth)}), null, email)`
}

/** Other accounts that this address is the name of, with or without the company's domain, or the address. */
function others(id: number, address: string, auth: AuthSettings): SQL {
  return sql`select 1 from users as other where other.id <> ${id} and (other.itcode in (${address},
    ${bareName(address, auth)}) or (other.email = ${address} and other.deleted_at is null))`
}

/** The name before its release; '' of an erased account. */
function nameBefore({ itcode, id }: User): string {
  const suffix = `#${id}`
  return itcode.endsWith(suffix) ? itcode.slice(0, -suffix.length) : itcode
}

function hasName(id: number, itcode: string): SQL {
  return sql`exists (select 1 from users where id = ${id} and itcode = ${itcode})`
}

/** Invitations to these addresses and by this person, because whoever leaves knows the links that they made. */
function openInvitations({ id, itcode, email }: User): SQL | undefined {
  const addresses = sql`${invitations.email} in (${itcode}, ${email ?? itcode})`
  return and(isNull(invitations.revokedAt), or(addresses, eq(invitations.createdBy, id)))
}

async function whatEnds(db: Db, user: User) {
  const { id } = user
  const [keys, joined, open] = await Promise.all([
    db
      .select({ id: apiKeys.id })
      .from(apiKeys)
      .where(and(eq(apiKeys.userId, id), isNull(apiKeys.deletedAt))),
    db.select({ id: groupMembers.groupId }).from(groupMembers).where(eq(groupMembers.userId, id)),
    db.$count(sessions, and(eq(sessions.userId, id), isNull(sessions.revokedAt))),
  ])
  return { keys: keys.map((key) => key.id), group_ids: joined.map((group) => group.id), sessions: open }
}

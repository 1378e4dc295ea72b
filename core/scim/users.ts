/** People of a directory: made, joined to accounts that are here, changed, deleted. */
import { and, eq, isNull, type SQL, sql } from 'drizzle-orm'
import { auditIfChanged } from '../audit/record.ts'
import { accountName, bareName, mailAddress, type User } from '../auth/account.ts'
import { scimUsers, users } from '../db/schema.ts'
import { nothingHere, Refusal } from '../errors.ts'
import type { Db } from '../ports.ts'
import type { AuthSettings, Settings } from '../settings.ts'
import { isFreeAddress } from '../users/address.ts'
import { registerUser } from '../users/manage.ts'
import { deleteUser, reviveUser } from '../users/remove.ts'
import { assertUser, changeKept, type ScimParts, taken, usableAddress } from './change-user.ts'
import { departmentOf } from './departments.ts'
import { type Document, documentOf, shownName, textIn } from './document.ts'
import { type KeptUser, keptUser, keyOf, resourceOf, storedAttributes } from './kept.ts'
import { type GivenOperation, operationsIn } from './operations.ts'
import { patched } from './patch.ts'

type Body = Readonly<Record<string, unknown>>

/**
 * Makes an account, or joins the one that has this name or address. Never by those an account with rights over others: an
 * administrator joins it. A deleted account comes back only for the externalId that it had, and if the directory deleted it. Throws a Refusal: invalid_input;
 * not_unique; conflict.
 */
export async function createKept(parts: ScimParts & { settings: Settings }, body: Body): Promise<KeptUser> {
  const wanted = documentOf(body)
  const { userName, externalId } = assertUser(wanted)
  const names = namesOf(wanted)
  const [itcode] = names
  if (itcode === undefined) {
    throw new Refusal(
      'invalid_input',
      'userName: an account name or an e-mail address is expected here or in emails.',
    )
  }
  const found = await accountsOf(parts, userName, names)
  const known = foundOne(found, { userName, externalId, names })
  if (known?.user.deletedAt != null) {
    await reviveUser(parts, known.user.id)
    return changeKept(parts, known.user.id, () => ({ active: true, ...wanted }))
  }
  const user = known?.user ?? (await newUser(parts, itcode, wanted))
  if (!user) throw taken(userName)
  await keep(parts, user, wanted)
  return changeKept(parts, user.id, () => wanted)
}

/** PUT. Throws as `changeKept`. */
export async function replaceKept(parts: ScimParts, id: number, body: Body): Promise<KeptUser> {
  const wanted = documentOf(body)
  return changeKept(parts, id, () => wanted)
}

/** PATCH. Throws as `changeKept`, and as `operationsIn` and `patched`. */
export async function patchKept(
  parts: ScimParts,
  id: number,
  given: readonly GivenOperation[],
): Promise<KeptUser> {
  const operations = operationsIn(given)
  return changeKept(parts, id, (before) => {
    const { active: _, ...rest } = resourceOf(before)
    return patched(rest, operations)
  })
}

/** Throws as `deleteUser`, also for whom no directory keeps. */
export async function deleteKept(parts: ScimParts, id: number): Promise<void> {
  await keptUser(parts.db, id)
  await deleteUser(parts, id, { byDirectory: true })
}

/**
 * An administrator hands an account over to the directory, which may have rights over others. Throws a Refusal: not_found;
 * not_unique for a userName of another; conflict for a service account.
 */
export async function joinUser(
  parts: ScimParts,
  id: number,
  { userName, externalId }: { userName?: string | undefined; externalId?: string | undefined },
): Promise<void> {
  const [user] = await parts.db
    .select()
    .from(users)
    .where(and(eq(users.id, id), isNull(users.deletedAt)))
  if (!user) throw nothingHere()
  if (user.kind === 'service') throw new Refusal('conflict', 'No directory keeps a service account.')
  const wanted = { userName: userName ?? user.email ?? user.itcode, externalId, displayName: user.name }
  await keep(parts, user, { ...wanted, active: user.status === 'active' }, sql`true`)
}

/** Notes that a directory keeps this account. `may` is checked in the statement. Throws a Refusal not_unique. */
async function keep(
  { db, clock, actor }: ScimParts,
  user: User,
  wanted: Document,
  may: SQL = isOrdinary(sql`users.id`),
): Promise<void> {
  const { userName, externalId } = assertUser(wanted)
  const now = clock.now()
  const active = user.status === 'active'
  const directoryGroupId = await departmentOf(db, wanted)
  const [added] = await db.batch([
    db.all<{ id: number }>(sql`
      insert into scim_users (user_id, user_name, user_name_key, external_id, active, attributes, created_at, updated_at)
      select users.id, ${userName}, ${keyOf(userName)}, ${externalId}, ${active}, ${storedAttributes(wanted)}, ${now}, ${now}
      from users where users.id = ${user.id} and users.deleted_at is null and ${may}
      on conflict do nothing returning user_id as id`),
    auditIfChanged(db, {
      actor,
      at: now,
      action: 'user.scim',
      target: `user:${user.id}`,
      after: { user_name: userName, external_id: externalId },
    }),
    db
      .update(users)
      .set({ directoryGroupId })
      .where(and(eq(users.id, user.id), sql`changes() > 0`)),
  ])
  if (added.length === 0) throw taken(userName)
}

/** Neither a role, nor a group to lead, nor a program's account. */
function isOrdinary(id: SQL): SQL {
  return sql`(users.role = 'user' and users.kind = 'person' and not exists (select 1 from group_members as led
    where led.user_id = ${id} and led.role = 'lead'))`
}

interface Account {
  user: User
  kept: KeptUser['kept'] | null
  isOrdinary: boolean
}

/** Accounts that have the userName, or one of the names as name or address, deleted ones too. */
async function accountsOf(
  { db, auth }: { db: Db; auth: AuthSettings },
  userName: string,
  names: readonly string[],
): Promise<Account[]> {
  const spellings = names.flatMap((name) => [name, mailAddress(name, auth), bareName(name, auth)])
  const all = sql`(select value from json_each(${JSON.stringify([...new Set(spellings)])}))`
  const rows = await db
    .select({ user: users, kept: scimUsers, ordinary: sql<number>`${isOrdinary(sql`users.id`)}` })
    .from(users)
    .leftJoin(scimUsers, eq(scimUsers.userId, users.id))
    .where(sql`users.id in (select user_id from scim_users where user_name_key = ${keyOf(userName)}
      union select id from users where itcode in ${all}
      union select id from users where email in ${all} and deleted_at is null)`)
  return rows.map(({ ordinary, ...row }) => ({ ...row, isOrdinary: ordinary === 1 }))
}

/** The one that a directory may have; undefined if there is none. Throws a Refusal not_unique. */
function foundOne(
  found: readonly Account[],
  { userName, externalId, names }: { userName: string; externalId: string | null; names: readonly string[] },
): Account | undefined {
  const live = found.filter(({ user }) => user.deletedAt === null)
  const [one, other] = live
  if (other) throw new Refusal('not_unique', `Several accounts have the name and address of ${userName}.`)
  if (one?.kept) throw taken(userName)
  if (one && (!one.isOrdinary || hasMoved(one.user, names))) {
    const [why, or] = one.isOrdinary
      ? ['has another address by now', ` or, for somebody else, release its name: POST …/release`]
      : ['has rights over others', '']
    throw new Refusal(
      'not_unique',
      `The account ${one.user.itcode} ${why}. An administrator has to hand it over: POST /admin/api/users/${one.user.id}/scim${or}.`,
    )
  }
  if (one) return one
  const [gone] = found
  const kept = gone?.kept
  const isTheirs = externalId !== null && kept?.externalId === externalId && kept.deactivated
  if (!gone || (isTheirs && found.length === 1)) return gone
  const { id, itcode } = gone.user
  throw new Refusal(
    'not_unique',
    `A deleted account is called ${itcode}. An administrator has to revive it or release its name: POST /admin/api/users/${id}/release.`,
  )
}

/** Whether an account is called like an address but has its mail elsewhere: somebody else may have the address since. */
function hasMoved({ itcode, email }: User, names: readonly string[]): boolean {
  return itcode.includes('@') && email !== null && !names.includes(email)
}

/** Names that an account of this person may have: the userName, and the address. */
function namesOf(wanted: Document): string[] {
  const names = [accountNameOrNone(textIn(wanted, 'userName')), usableAddress(wanted)]
  return [...new Set(names)].filter((name) => name !== undefined)
}

function accountNameOrNone(text: string | undefined): string | undefined {
  try {
    return text === undefined ? undefined : accountName(text)
  } catch {
    return undefined
  }
}

async function newUser(
  parts: ScimParts & { settings: Settings },
  itcode: string,
  wanted: Document,
): Promise<User | undefined> {
  const email = usableAddress(wanted)
  const isUsable = email !== undefined && email !== itcode && (await isFreeAddress(parts, email))
  const person = {
    itcode,
    name: shownName(wanted),
    role: 'user' as const,
    quotaTokens: parts.settings.limits.defaultQuotaTokens,
  }
  const address = { email: email ?? '', confirmed: false }
  const made = isUsable ? await registerUser(parts, { ...person, address }) : undefined
  // Somebody else may have got the address in between.
  return made ?? registerUser(parts, person)
}

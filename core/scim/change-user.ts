/** Brings an account to what a directory says of it. */
import { and, eq, isNull, type SQL, sql } from 'drizzle-orm'
import { changeOf } from '../audit/change.ts'
import { type Actor, auditIfChanged } from '../audit/record.ts'
import type { User } from '../auth/account.ts'
import { closeSessionsOf } from '../auth/sessions.ts'
import { loginCodes, scimUsers, users } from '../db/schema.ts'
import { endingDevicesOf } from '../devices/end.ts'
import { Refusal } from '../errors.ts'
import type { Clock, Db } from '../ports.ts'
import type { AuthSettings } from '../settings.ts'
import { addressOf, changeAddress } from '../users/address.ts'
import { isNotLastAdmin, lastAdmin } from '../users/last-admin.ts'
import { departmentOf } from './departments.ts'
import { addressIn, type Document, shownName, textIn } from './document.ts'
import { type KeptUser, keptUser, keyOf, resourceOf, storedAttributes } from './kept.ts'

export interface ScimParts {
  db: Db
  clock: Clock
  actor: Actor
  auth: AuthSettings
}

const LONGEST_NAME = 254
/** Characters of JSON that are kept of a person. */
const LARGEST = 32_768

/** Throws a Refusal invalid_input for what cannot be a person. */
export function assertUser(document: Document): { userName: string; externalId: string | null } {
  const userName = textIn(document, 'userName')
  if (!userName || userName.length > LONGEST_NAME)
    throw expected('userName', `a name of 1 to ${LONGEST_NAME} characters`)
  const externalId = document.externalId ?? null
  if (externalId !== null && (typeof externalId !== 'string' || externalId.length > LONGEST_NAME)) {
    throw expected('externalId', `a text of at most ${LONGEST_NAME} characters`)
  }
  if (storedAttributes(document).length > LARGEST) throw expected('body', `at most ${LARGEST} characters`)
  return { userName, externalId: externalId || null }
}

function expected(field: string, what: string): Refusal {
  return new Refusal('invalid_input', `${field}: ${what}, is expected.`)
}

/** Requests that change the same person at the same moment begin again with what the others wrote. */
const MOST_TRIES = 10

/**
 * Brings a person to what `wantedOf` makes of them. Throws a Refusal: not_found; invalid_input; not_unique for a userName of
 * another; conflict for the last active administrator.
 */
export async function changeKept(
  parts: ScimParts,
  id: number,
  wantedOf: (before: KeptUser) => Document,
): Promise<KeptUser> {
  for (let tries = 1; tries <= MOST_TRIES; tries++) {
    const before = await keptUser(parts.db, id)
    const wanted = wantedOf(before)
    const { userName } = assertUser(wanted)
    const isSame = isUnchanged(before, wanted)
    if (isSame || (await written(parts, before, wanted))) {
      await takeAddress(parts, before.user, wanted)
      return isSame ? before : keptUser(parts.db, id)
    }
    const problem = await whyNot(parts.db, before, userName)
    if (problem) throw problem
  }
  throw new Refusal('conflict', 'Others change this person at the same moment. Please try again.')
}

/**
 * Writes all in one step; sessions end where the account does. It is disabled only if it was active, and comes back only if the
 * directory had disabled it. False if nothing was written.
 */
async function written(parts: ScimParts, { user, kept }: KeptUser, wanted: Document): Promise<boolean> {
  const { db, clock } = parts
  const { userName, externalId } = assertUser(wanted)
  const active = wanted.active === undefined ? kept.active : wanted.active === true
  const ends = !active && user.status === 'active'
  const returns = active && kept.deactivated
  const status = ends ? ('disabled' as const) : returns ? ('active' as const) : undefined
  const name = shownName(wanted) || user.name
  const directoryGroupId = await departmentOf(db, wanted)
  const now = clock.now()
  const { id } = user
  const isEnded = ends ? hasStatus(id, 'disabled') : sql`false`
  const mayEnd = ends ? isNotLastAdmin(id) : undefined
  const [changed] = await db.batch([
    db
      .update(users)
      .set({ name, directoryGroupId, updatedAt: now, ...(status ? { status } : {}) })
      .where(
        and(
          eq(users.id, id),
          isNull(users.deletedAt),
          isFreeName(userName, id),
          isAsRead({ user, kept }),
          mayEnd,
        ),
      )
      .returning({ id: users.id }),
    db
      .update(scimUsers)
      .set({
        userName,
        userNameKey: keyOf(userName),
        externalId,
        active,
        updatedAt: now,
        attributes: storedAttributes(wanted),
        deactivated: ends || (kept.deactivated && !active),
      })
      .where(and(eq(scimUsers.userId, id), sql`changes() > 0`)),
    ...told(
      parts,
      { user, kept },
      { name, status: status ?? user.status, userName, externalId, directoryGroupId },
    ),
    closeSessionsOf(db, id, now, isEnded),
    ...endingDevicesOf(db, id, now, isEnded),
    db
      .update(loginCodes)
      .set({ consumedAt: now })
      .where(and(eq(loginCodes.itcode, user.itcode), isNull(loginCodes.consumedAt), isEnded)),
  ])
  return changed.length > 0
}

/** The audit rows of a change, for the batch that makes it. */
function told(
  { db, clock, actor }: ScimParts,
  { user, kept }: KeptUser,
  now: Pick<User, 'name' | 'status' | 'directoryGroupId'> & Pick<KeptUser['kept'], 'userName' | 'externalId'>,
) {
  // The external id is told, because a sign-in at the provider finds its account by it.
  const said = (
    { name, status }: Pick<User, 'name' | 'status'>,
    { userName, externalId }: Pick<KeptUser['kept'], 'userName' | 'externalId'>,
  ) => ({ name, status, user_name: userName, external_id: externalId })
  const change = changeOf(said(user, kept), said(now, now))
  const row = { actor, at: clock.now(), target: `user:${user.id}` }
  const moved = {
    before: { directory_group_id: user.directoryGroupId },
    after: { directory_group_id: now.directoryGroupId },
  }
  return [
    ...(Object.keys(change.after).length > 0
      ? [auditIfChanged(db, { ...row, action: 'user.update', ...change })]
      : []),
    ...(now.directoryGroupId === user.directoryGroupId
      ? []
      : [auditIfChanged(db, { ...row, action: 'user.directory', ...moved })]),
  ]
}

/** Whether nobody has changed them since they were read. */
function isAsRead({ user, kept }: KeptUser): SQL {
  return sql`${users.status} = ${user.status} and exists (select 1 from scim_users where user_id = ${user.id}
    and user_name = ${kept.userName} and external_id is ${kept.externalId} and active = ${kept.active}
    and deactivated = ${kept.deactivated} and attributes = ${kept.attributes})`
}

/** Whether writing `wanted` would change nothing. */
function isUnchanged(before: KeptUser, wanted: Document): boolean {
  const was = resourceOf(before)
  const isActive =
    wanted.active === undefined || (wanted.active === was.active && wanted.active === before.kept.active)
  const sorted = ({ active: _, ...rest }: Document) => JSON.stringify(Object.entries(rest).sort())
  const isNamed = (shownName(wanted) || before.user.name) === before.user.name
  return isActive && isNamed && sorted(was) === sorted(wanted)
}

/** Stores the address if it is one and free; else the account stays reachable as before. */
async function takeAddress(parts: ScimParts, user: User, wanted: Document): Promise<void> {
  const address = usableAddress(wanted)
  if (address === undefined || address === user.email || address === user.itcode) return
  await changeAddress(parts, user.id, { email: address, confirmed: false }).catch((thrown: unknown) => {
    if (!(thrown instanceof Refusal && thrown.code === 'conflict')) throw thrown
  })
}

/** The address that a directory gives, in one spelling; undefined for none, or what no mail reaches. */
export function usableAddress(wanted: Document): string | undefined {
  try {
    const given = addressIn(wanted)
    return given === undefined ? undefined : addressOf(given)
  } catch {
    return undefined
  }
}

function isFreeName(userName: string, id: number): SQL {
  return sql`not exists (select 1 from scim_users as other
    where other.user_name_key = ${keyOf(userName)} and other.user_id <> ${id})`
}

export function taken(userName: string): Refusal {
  return new Refusal('not_unique', `There is a user ${userName} already.`)
}

function hasStatus(id: number, status: User['status']): SQL {
  return sql`exists (select 1 from users where users.id = ${id} and users.status = ${status})`
}

/** Undefined if somebody else changed them in the meantime. */
async function whyNot(db: Db, { user, kept }: KeptUser, userName: string): Promise<Refusal | undefined> {
  const now = await keptUser(db, user.id)
  const others = await db.all(
    sql`select 1 from scim_users where user_name_key = ${keyOf(userName)} and user_id <> ${user.id}`,
  )
  if (others.length > 0) return taken(userName)
  const isSame = now.user.status === user.status && JSON.stringify(now.kept) === JSON.stringify(kept)
  return isSame ? lastAdmin() : undefined
}

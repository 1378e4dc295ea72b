/** Makes a deleted account nobody's: names, addresses and IP addresses go, the figures of its calls stay. */
import { and, eq, isNotNull, isNull, or, type SQL, type SQLWrapper, sql } from 'drizzle-orm'
import { type Actor, auditRow } from '../audit/record.ts'
import {
  apiKeys,
  auditEvents,
  identities,
  invitations,
  loginCodes,
  savedViews,
  scimUsers,
  sessions,
  users,
} from '../db/schema.ts'
import { nothingHere } from '../errors.ts'
import type { Clock, Db } from '../ports.ts'

/** Fields of audit rows that tell who somebody is. */
const TELLING = ['itcode', 'name', 'email', 'user_name'] as const

/** What somebody is known by. */
interface Known {
  id: number
  /** Account names and addresses, which are nobody else's. */
  addresses: string[]
  /** Those, and the name that others may have, too. */
  names: string[]
  pseudonym: string
}

/**
 * Replaces whatever tells who a deleted user was by a pseudonym that is made of their id. It cannot be undone. Throws a Refusal
 * not_found unless the account is deleted.
 */
export async function eraseUser(
  { db, clock, actor }: { db: Db; clock: Clock; actor: Actor },
  id: number,
): Promise<{ pseudonym: string }> {
  const known = await knownAs(db, id)
  const { addresses, pseudonym } = known
  const now = clock.now()
  await db.batch([
    db
      .update(users)
      .set({ itcode: pseudonym, name: pseudonym, email: null, noticeEmail: null, updatedAt: now })
      .where(eq(users.id, id)),
    db.update(sessions).set({ ip: null, userAgent: null }).where(eq(sessions.userId, id)),
    // Also those for the address of their notices.
    db.delete(loginCodes).where(among(loginCodes.itcode, [...addresses, `notices ${id}`])),
    ...withoutNotices(db, id),
    db.delete(identities).where(eq(identities.userId, id)),
    db.delete(scimUsers).where(eq(scimUsers.userId, id)),
    db.delete(savedViews).where(eq(savedViews.userId, id)),
    db
      .update(invitations)
      .set({ email: null, name: null, revokedAt: sql`coalesce(revoked_at, ${now})` })
      .where(among(invitations.email, addresses)),
    db
      .update(apiKeys)
      .set({
        name: replaced(
          sql`name`,
          known.names.map((name) => [name, pseudonym]),
        ),
      })
      .where(eq(apiKeys.userId, id)),
    ...inAudit(db, known),
    auditRow(db, { actor, at: now, action: 'user.erase', target: `user:${id}` }),
  ])
  return { pseudonym }
}

/** Notices of copied devices tell the addresses where they were used. */
function withoutNotices(db: Db, userId: number) {
  const theirs = sql`event = 'device.copied' and data ->> 'id' in (select id from api_keys where user_id = ${userId})`
  return [
    db.run(sql`delete from notice_deliveries where notice_id in (select id from notices where ${theirs})`),
    db.run(sql`delete from notices where ${theirs}`),
  ] as const
}

async function knownAs(db: Db, id: number): Promise<Known> {
  const [found] = await db
    .select({ user: users, userName: scimUsers.userName })
    .from(users)
    .leftJoin(scimUsers, eq(scimUsers.userId, users.id))
    .where(and(eq(users.id, id), isNotNull(users.deletedAt)))
  if (!found) throw nothingHere()
  const { user, userName } = found
  const pseudonym = `#${id}`
  const before = user.itcode.endsWith(pseudonym) ? user.itcode.slice(0, -pseudonym.length) : user.itcode
  const told = (all: (string | null)[]) =>
    [...new Set(all)].filter((one): one is string => one !== null && one !== '' && one !== pseudonym)
  const addresses = told([user.itcode, before, user.email, user.noticeEmail, userName])
  return { id, addresses, names: told([...addresses, user.name]), pseudonym }
}

/** In rows by and about this person their name goes, and in all rows their account names and addresses. */
function inAudit(db: Db, { id, addresses, names, pseudonym }: Known) {
  const { actorId, target } = auditEvents
  const targets = addresses.map((one) => `user:${one}`)
  const isTheirs = or(
    eq(actorId, id),
    among(target, [`user:${id}`, ...targets]),
    sql`target like ${`% user:${id}`}`,
    sql`target in (select 'key:' || id from api_keys where user_id = ${id})`,
  )
  const before = (told: readonly string[]) => ({ before: replaced(sql`before`, inJson(told, pseudonym)) })
  const after = (told: readonly string[]) => ({ after: replaced(sql`after`, inJson(told, pseudonym)) })
  const change = (set: { before: SQL } | { after: SQL } | { ip: null }, which: SQL | undefined) =>
    db.update(auditEvents).set(set).where(which)
  return [
    change({ ip: null }, or(eq(actorId, id), and(isNull(actorId), isTheirs))),
    change(before(names), isTheirs),
    change(after(names), isTheirs),
    change(before(addresses), containsAny(sql`before`, addresses)),
    change(after(addresses), containsAny(sql`after`, addresses)),
    db
      .update(auditEvents)
      .set({ target: `user:${pseudonym}`, tally: sql`iif(tally is null, null, 'erased ' || id)` })
      .where(among(target, targets)),
  ] as const
}

/**
 * Each name in each field that tells it, because a mere word may mean something else, such as the role `user`; one that is no
 * mere word wherever it stands.
 */
function inJson(told: readonly string[], pseudonym: string): [string, string][] {
  const text = (one: string) => JSON.stringify(one)
  return told.flatMap((one): [string, string][] => {
    if (/[\s@]/.test(one)) return [[text(one).slice(1, -1), pseudonym]]
    return TELLING.map((name) => [`${text(name)}:${text(one)}`, `${text(name)}:${text(pseudonym)}`])
  })
}

function replaced(text: SQL, pairs: readonly (readonly [from: string, to: string])[]): SQL {
  return pairs.reduce((all, [from, to]) => sql`replace(${all}, ${from}, ${to})`, text)
}

function containsAny(text: SQL, names: readonly string[]): SQL {
  const json = JSON.stringify(names.map((name) => JSON.stringify(name).slice(1, -1)))
  return sql`exists (select 1 from json_each(${json}) where instr(${text}, value) > 0)`
}

function among(column: SQLWrapper, texts: readonly string[]): SQL {
  return sql`${column} in (select value from json_each(${JSON.stringify(texts)}))`
}

/**
 * Login codes: valid only in the browser that asked, for one login, until five wrong guesses.
 *
 * Unknown browsers get 20 codes a day for one account and five guesses at each: 100 guesses a day. The chance that one is
 * right is 100 / 20^8 = 4e-9 for 8 letters and 100 / 10^6 = 1e-4 for 6 digits. Browsers that signed in to the account before
 * have limits of their own, so that strangers cannot lock a person out.
 */
import { and, eq, gt, isNull, lt, max, or, type SQL, sql } from 'drizzle-orm'
import { alias } from 'drizzle-orm/sqlite-core'
import { type Actor, auditRow } from '../audit/record.ts'
import { loginCodes } from '../db/schema.ts'
import { Refusal } from '../errors.ts'
import { randomText } from '../ids.ts'
import type { Clock, Db } from '../ports.ts'
import type { AuthSettings } from '../settings.ts'
import { CLOCK_SKEW_MS } from '../skew.ts'
import { DAY_MS, HOUR_MS } from '../units.ts'
import { keyedHash } from './keyed-hash.ts'

/** 20 consonants: without vowels no words appear, and no two of them look alike. */
const LETTERS = 'BCDFGHJKLMNPQRSTVWXZ'
const STYLES = { letters: { length: 8, alphabet: LETTERS }, digits: { length: 6, alphabet: '0123456789' } }
const MOST_GUESSES = 5
const RESEND_MS = 60_000
const KNOWN_MS = 180 * DAY_MS
/** Codes per day and account: for all unknown browsers together, and for each known one. */
const CODES_A_DAY = 20
/** Codes per hour for unknown browsers at one IP address: enough for an office behind one router. */
const CODES_AN_HOUR = 100

/** `browserHash` of a code that is valid in any browser; no SHA-256 is empty. */
const ANY_BROWSER = ''
/** Longer than mailed codes, because wrong guesses do not invalidate it: 20^16 = 2^69 possibilities. */
const ISSUED_LENGTH = 16
/** Long enough to pass the code on to the person. */
const ISSUED_MS = 30 * 60_000

/** Who asks for a code, and from where. `browser`: SHA-256 of the browser cookie. `ip`: an address or an IPv6 /64. */
export interface Asker {
  itcode: string
  /** What the code is for instead of signing in to the account: it is good for nothing else. */
  about?: string
  browser: string
  ip: string
}

interface Parts {
  db: Db
  clock: Clock
  auth: AuthSettings
}

/** Whether a code may make an account. */
export interface Entry {
  newcomer: boolean
  /** The invitation that lets them in. */
  invitationId: number | null
}
const NO_ENTRY: Entry = { newcomer: false, invitationId: null }

/** Issues a code; only the newest one of a browser and account is valid. Throws a Refusal too_many_attempts. */
export async function issueCode(
  parts: Parts,
  asker: Asker,
  entry: Entry,
): Promise<{ id: number; code: string }> {
  const { length, alphabet } = STYLES[parts.auth.codeStyle]
  const code = randomText(length, alphabet)
  const codeHash = await keyedHash(parts.auth.secrets[0], `${asker.about ?? asker.itcode} ${code}`)
  return { id: await record(parts, asker, { codeHash, ...entry }), code }
}

/** Counts a wrong invite code against its IP address. Throws a Refusal too_many_attempts. */
export async function recordWrongInvite(parts: Parts, asker: Asker): Promise<void> {
  const id = await record(parts, { ...asker, itcode: '' }, { codeHash: '', ...NO_ENTRY })
  await cancelCode(parts, id)
}

/** Invalidates a code, e.g. one that could not be delivered. */
export async function cancelCode({ db, clock }: Parts, id: number): Promise<void> {
  await db.update(loginCodes).set({ consumedAt: clock.now() }).where(eq(loginCodes.id, id))
}

/** Inserts a code. One statement also checks every limit, so that parallel requests cannot exceed one together. */
async function record(
  { db, clock, auth }: Parts,
  asker: Asker,
  { codeHash, newcomer, invitationId }: { codeHash: string } & Entry,
): Promise<number> {
  const { itcode, browser, ip } = asker
  const now = clock.now()
  const known = sql<number>`${knows(asker)}`.mapWith(Number)
  const isSame = sql`itcode = ${itcode} and itcode <> '' and browser_hash = ${browser}`
  /** Creation time of the `most`-th newest code within `age` ms: it must expire first. Null while there is room. */
  const full = (which: SQL, age: number, most: number) =>
    sql`(select created_at from login_codes
      where created_at > ${now - age} and created_at <= ${now + CLOCK_SKEW_MS} and ${which}
      order by created_at desc limit 1 offset ${most - 1})`
  const limits = {
    // A code that was used or invalidated does not delay the next one.
    resend: full(sql`${isSame} and consumed_at is null`, RESEND_MS, 1),
    day: full(
      sql`itcode = ${itcode} and itcode <> '' and browser_hash <> ${ANY_BROWSER}
        and known = asker.known and (known = 0 or browser_hash = ${browser})`,
      DAY_MS,
      CODES_A_DAY,
    ),
    hour: sql`iif(asker.known = 0, ${full(sql`ip = ${ip} and known = 0`, HOUR_MS, CODES_AN_HOUR)}, null)`,
  }
  const [inserted] = await db.all<{ id: number }>(sql`
    insert into login_codes (itcode, code_hash, browser_hash, ip, created_at, expires_at, newcomer, invitation_id, known)
    select ${itcode}, ${codeHash}, ${browser}, ${ip}, ${now}, ${now + auth.codeExpiryMs}, ${newcomer ? 1 : 0},
      ${invitationId}, asker.known
    from (select ${known} as known) asker
    where coalesce(${limits.resend}, ${limits.day}, ${limits.hour}) is null returning id`)
  if (inserted) return inserted.id
  const [met] = await db.all<Record<'resend' | 'day' | 'hour', number | null>>(sql`
    select ${limits.resend} as resend, ${limits.day} as day, ${limits.hour} as hour
    from (select ${known} as known) asker`)
  const end = (at: number | null | undefined, age: number) => (at == null ? 0 : at + age - now)
  const waits = [end(met?.resend, RESEND_MS), end(met?.day, DAY_MS), end(met?.hour, HOUR_MS)]
  const retryAfterMs = Math.max(...waits)
  const what = waits[0] === retryAfterMs ? 'A code is on its way.' : 'Too many codes were asked for.'
  throw new Refusal('too_many_attempts', `${what} Please try again later.`, { retryAfterMs })
}

/** Whether this browser signed in to the account before. */
export async function isKnown(db: Db, asker: Asker): Promise<boolean> {
  const [found] = await db.all<{ known: number }>(sql`select ${knows(asker)} as known`)
  return Boolean(found?.known)
}

function knows({ itcode, browser }: Asker): SQL {
  return sql`exists (select 1 from login_codes where itcode = ${itcode} and itcode <> ''
    and browser_hash = ${browser} and used_at is not null)`
}

/** Deletes codes that no limit counts any more. Used ones stay 180 days, because they make a browser known. */
export async function sweepCodes(db: Db, now: number): Promise<void> {
  const old = and(lt(loginCodes.createdAt, now - DAY_MS), isNull(loginCodes.usedAt))
  await db.delete(loginCodes).where(or(old, lt(loginCodes.createdAt, now - KNOWN_MS)))
}

/**
 * A code that an administrator hands to a person: valid for one login in any browser and exempt from the limits. It
 * invalidates earlier ones. Returns the code and when it expires (ms since 1970).
 */
export async function handOverCode(
  { db, clock, auth }: Parts,
  { itcode, actor }: { itcode: string; actor: Actor },
): Promise<{ code: string; expiresAt: number }> {
  const now = clock.now()
  const expiresAt = now + ISSUED_MS
  const code = randomText(ISSUED_LENGTH, LETTERS)
  const codeHash = await keyedHash(auth.secrets[0], `${itcode} ${code}`)
  const older = and(eq(loginCodes.itcode, itcode), eq(loginCodes.browserHash, ANY_BROWSER))
  await db.batch([
    db
      .update(loginCodes)
      .set({ consumedAt: now })
      .where(and(older, isNull(loginCodes.consumedAt))),
    db
      .insert(loginCodes)
      .values({ itcode, codeHash, browserHash: ANY_BROWSER, ip: '', createdAt: now, expiresAt, known: true }),
    auditRow(db, { actor, at: now, action: 'login.code_handed_over', target: `user:${itcode}` }),
  ])
  return { code, expiresAt }
}

/** What the database knows of a login attempt before it is counted. */
export interface Standing {
  /** The code is one that an administrator handed over. */
  handedOver: boolean
  /** The browser has a valid code, whether or not the attempt names it. */
  hasCode: boolean
  /** The browser signed in to the account before. */
  known: boolean
}

export async function standingOf({ db, clock, auth }: Parts, asker: Asker, code: string): Promise<Standing> {
  const hash = await keyedHash(auth.secrets[0], `${asker.itcode} ${plainCode(code)}`)
  const open = sql`select 1 from login_codes where itcode = ${asker.itcode} and consumed_at is null
    and expires_at > ${clock.now()}`
  const [found] = await db.all<Record<keyof Standing, number>>(sql`select
    exists (${open} and browser_hash = ${ANY_BROWSER} and code_hash = ${hash}) as "handedOver",
    exists (${open} and browser_hash = ${asker.browser}) as "hasCode",
    ${knows(asker)} as "known"`)
  return {
    handedOver: Boolean(found?.handedOver),
    hasCode: Boolean(found?.hasCode),
    known: Boolean(found?.known),
  }
}

const ENTRY = { newcomer: loginCodes.newcomer, invitationId: loginCodes.invitationId }

/** Uses up a handed-over code and makes the browser known; undefined if another request used it first. */
export async function useHandedOver(
  { db, clock, auth }: Parts,
  asker: Asker,
  code: string,
): Promise<Entry | undefined> {
  const now = clock.now()
  const hash = await keyedHash(auth.secrets[0], `${asker.itcode} ${plainCode(code)}`)
  const isIt = and(eq(loginCodes.itcode, asker.itcode), eq(loginCodes.browserHash, ANY_BROWSER))
  const used = await db
    .update(loginCodes)
    .set({ usedAt: now, consumedAt: now, browserHash: asker.browser })
    .where(
      and(isIt, eq(loginCodes.codeHash, hash), isNull(loginCodes.consumedAt), gt(loginCodes.expiresAt, now)),
    )
    .returning(ENTRY)
  return used[0]
}

/** The code as it is hashed: typed spaces and hyphens removed, upper case. */
function plainCode(typed: string): string {
  return typed.replace(/[\s-]/g, '').toUpperCase()
}

/**
 * Uses up `code` if it is the newest one of this browser and account; otherwise undefined, and the wrong guess is counted.
 */
export async function useCode(
  { db, clock, auth }: Parts,
  asker: Asker,
  code: string,
): Promise<Entry | undefined> {
  const now = clock.now()
  const hash = await keyedHash(auth.secrets[0], `${asker.about ?? asker.itcode} ${plainCode(code)}`)
  const right = sql`${loginCodes.codeHash} = ${hash}`
  const others = alias(loginCodes, 'others')
  const newest = db
    .select({ id: max(others.id) })
    .from(others)
    .where(and(eq(others.itcode, asker.itcode), eq(others.browserHash, asker.browser)))
  const [guess] = await db
    .update(loginCodes)
    .set({
      attempts: sql`${loginCodes.attempts} + 1`,
      usedAt: sql`case when ${right} then ${now} end`,
      consumedAt: sql`case when ${right} or ${loginCodes.attempts} + 1 >= ${MOST_GUESSES} then ${now} end`,
    })
    .where(
      and(sql`${loginCodes.id} = (${newest})`, isNull(loginCodes.consumedAt), gt(loginCodes.expiresAt, now)),
    )
    .returning({ usedAt: loginCodes.usedAt, ...ENTRY })
  return guess?.usedAt == null ? undefined : guess
}

/**
 * Login codes: issued to the browser that asked, good for one login, dead after five wrong guesses.
 *
 * Guesses are bounded by the codes that can be asked for: 20 a day and account from browsers it does not know, five
 * guesses each. Of 20^8 codes of 8 letters that finds one with a chance of 4e-9 a day; of 6 digits, 1e-4.
 * Browsers that signed in to the account before have limits of their own, so that nobody can lock a person out.
 */
import { and, eq, gt, isNull, lt, max, or, type SQL, sql } from 'drizzle-orm'
import { alias } from 'drizzle-orm/sqlite-core'
import { type Actor, auditRow } from '../audit/record.ts'
import { loginCodes } from '../db/schema.ts'
import { Refusal } from '../errors.ts'
import { randomText } from '../ids.ts'
import type { Clock, Db } from '../ports.ts'
import type { AuthSettings } from '../settings.ts'
import { DAY_MS, HOUR_MS } from '../units.ts'
import { keyedHash } from './keyed-hash.ts'

/** No vowels, so that no words appear, and nothing that looks like something else. */
const LETTERS = 'BCDFGHJKLMNPQRSTVWXZ'
const STYLES = { letters: { length: 8, alphabet: LETTERS }, digits: { length: 6, alphabet: '0123456789' } }
const MOST_GUESSES = 5
const RESEND_MS = 60_000
const KNOWN_MS = 180 * DAY_MS
/** Codes a day for one account, from all unknown browsers together, or from one known browser. */
const CODES_A_DAY = 20
/** Codes an hour for unknown browsers behind one address: enough for an office behind one router. */
const CODES_AN_HOUR = 100

/** Stands for the browser where a code is good from any. No SHA-256 is empty. */
const ANY_BROWSER = ''
/** Longer than those that are mailed, as guesses do not burn it: 2^69 possibilities. */
const ISSUED_LENGTH = 16
/** Time enough to tell it to somebody. */
const ISSUED_MS = 30 * 60_000

/** Who asks, from where: `browser` is the SHA-256 of the browser's own cookie. */
export interface Asker {
  itcode: string
  browser: string
  ip: string
}

interface Parts {
  db: Db
  clock: Clock
  auth: AuthSettings
}

/** A new code for whoever asks; their older ones are dead from here on. Throws a Refusal too_many_attempts. */
export async function issueCode(parts: Parts, asker: Asker): Promise<{ id: number; code: string }> {
  const { length, alphabet } = STYLES[parts.auth.codeStyle]
  const code = randomText(length, alphabet)
  const codeHash = await keyedHash(parts.auth.secrets[0], `${asker.itcode} ${code}`)
  return { id: await record(parts, asker, codeHash), code }
}

/** Counts a wrong invite code against the address it came from. Throws a Refusal too_many_attempts. */
export async function recordWrongInvite(parts: Parts, asker: Asker): Promise<void> {
  const id = await record(parts, { ...asker, itcode: '' }, '')
  await cancelCode(parts, id)
}

/** A code that could not be delivered. */
export async function cancelCode({ db, clock }: Parts, id: number): Promise<void> {
  await db.update(loginCodes).set({ consumedAt: clock.now() }).where(eq(loginCodes.id, id))
}

/** One statement checks every limit and inserts, so that parallel requests cannot pass together. */
async function record({ db, clock, auth }: Parts, asker: Asker, codeHash: string): Promise<number> {
  const { itcode, browser, ip } = asker
  const now = clock.now()
  const known = sql<number>`${knows(asker)}`.mapWith(Number)
  const isSame = sql`itcode = ${itcode} and itcode <> '' and browser_hash = ${browser}`
  /** When the code was asked for that leaves room for another one; null while there is room. */
  const full = (which: SQL, age: number, most: number) =>
    sql`(select created_at from login_codes where created_at > ${now - age} and ${which}
      order by created_at desc limit 1 offset ${most - 1})`
  const limits = {
    // A code that was used or burnt does not hold up the next one.
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
    insert into login_codes (itcode, code_hash, browser_hash, ip, created_at, expires_at, known)
    select ${itcode}, ${codeHash}, ${browser}, ${ip}, ${now}, ${now + auth.codeExpiryMs}, asker.known
    from (select ${known} as known) asker
    where coalesce(${limits.resend}, ${limits.day}, ${limits.hour}) is null returning id`)
  if (inserted) return inserted.id
  const [met] = await db.all<Record<'resend' | 'day' | 'hour', number | null>>(sql`
    select ${limits.resend} as resend, ${limits.day} as day, ${limits.hour} as hour
    from (select ${known} as known) asker`)
  const end = (at: number | null | undefined, age: number) => (at == null ? 0 : at + age - now)
  const waits = [end(met?.resend, RESEND_MS), end(met?.day, DAY_MS), end(met?.hour, HOUR_MS)]
  const what = waits[0] === Math.max(...waits) ? 'A code is on its way.' : 'Too many codes were asked for.'
  throw new Refusal('too_many_attempts', `${what} Please try again later.`, {
    retryAfterMs: Math.max(...waits),
  })
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

/** Forgets codes when no limit counts them any more; those that were used tell for half a year which browser is known. */
export async function sweepCodes(db: Db, now: number): Promise<void> {
  const old = and(lt(loginCodes.createdAt, now - DAY_MS), isNull(loginCodes.usedAt))
  await db.delete(loginCodes).where(or(old, lt(loginCodes.createdAt, now - KNOWN_MS)))
}

/**
 * A code that an administrator hands over, good for one sign-in from any browser, whatever limits strangers have met. Older
 * ones are dead from here on. Answers the code and when it expires, in ms.
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

/** What is known of an attempt before anything is written. */
export interface Standing {
  /** This is a code that an administrator handed over. */
  handedOver: boolean
  /** The browser has a code, right or wrong. */
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

/** Uses up a code that was handed over; false when somebody was faster. From here on the account knows the browser. */
export async function useHandedOver(
  { db, clock, auth }: Parts,
  asker: Asker,
  code: string,
): Promise<boolean> {
  const now = clock.now()
  const hash = await keyedHash(auth.secrets[0], `${asker.itcode} ${plainCode(code)}`)
  const isIt = and(eq(loginCodes.itcode, asker.itcode), eq(loginCodes.browserHash, ANY_BROWSER))
  const used = await db
    .update(loginCodes)
    .set({ usedAt: now, consumedAt: now, browserHash: asker.browser })
    .where(
      and(isIt, eq(loginCodes.codeHash, hash), isNull(loginCodes.consumedAt), gt(loginCodes.expiresAt, now)),
    )
    .returning({ id: loginCodes.id })
  return used.length > 0
}

/** As it is kept, however it was typed. */
function plainCode(typed: string): string {
  return typed.replace(/[\s-]/g, '').toUpperCase()
}

/** Whether this is the newest code of this browser for this account: then it is used up. A wrong guess is counted. */
export async function useCode({ db, clock, auth }: Parts, asker: Asker, code: string): Promise<boolean> {
  const now = clock.now()
  const hash = await keyedHash(auth.secrets[0], `${asker.itcode} ${plainCode(code)}`)
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
    .returning({ usedAt: loginCodes.usedAt })
  return guess?.usedAt != null
}

/**
 * Login codes: issued to the browser that asked, good for one login, dead after five wrong guesses.
 *
 * Guesses are bounded by the codes that can be asked for: 20 a day and account from browsers it does not know, five
 * guesses each. Of 20^8 codes of 8 letters that finds one with a chance of 4e-9 a day; of 6 digits, 1e-4.
 * Browsers that signed in to the account before have limits of their own, so that nobody can lock a person out.
 */
import { and, eq, gt, isNull, lt, max, or, type SQL, sql } from 'drizzle-orm'
import { alias } from 'drizzle-orm/sqlite-core'
import { loginCodes } from '../db/schema.ts'
import { Refusal } from '../errors.ts'
import { randomText } from '../ids.ts'
import type { AuthPolicy } from '../policy.ts'
import type { Clock, Db } from '../ports.ts'
import { keyedHash } from './keyed-hash.ts'

/** No vowels, so that no words appear, and nothing that looks like something else. */
const LETTERS = 'BCDFGHJKLMNPQRSTVWXZ'
const STYLES = { letters: { length: 8, alphabet: LETTERS }, digits: { length: 6, alphabet: '0123456789' } }
const MOST_GUESSES = 5
const RESEND_MS = 60_000
const DAY_MS = 86_400_000
const HOUR_MS = 3_600_000
const KNOWN_MS = 180 * DAY_MS
/** Codes a day for one account, from all unknown browsers together, or from one known browser. */
const CODES_A_DAY = 20
/** Codes an hour for unknown browsers behind one address: enough for an office behind one router. */
const CODES_AN_HOUR = 100

/** Who asks, from where: `browser` is the SHA-256 of the browser's own cookie. */
export interface Asker {
  itcode: string
  browser: string
  ip: string
}

interface Parts {
  db: Db
  clock: Clock
  auth: AuthPolicy
}

/** A new code for the asker; his older ones are dead from here on. Throws a Refusal too_many_attempts. */
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
  const known = sql<number>`exists (select 1 from login_codes where itcode = ${itcode} and itcode <> ''
    and browser_hash = ${browser} and used_at is not null)`.mapWith(Number)
  const isSame = sql`itcode = ${itcode} and itcode <> '' and browser_hash = ${browser}`
  const since = (age: number, which: SQL) =>
    sql`select created_at from login_codes where created_at > ${now - age} and ${which}`
  const limits = {
    // A code that was used or burnt does not hold up the next one.
    resend: sql`exists (${since(RESEND_MS, sql`${isSame} and consumed_at is null`)})`,
    day: sql`(select count(*) from (${since(
      DAY_MS,
      sql`itcode = ${itcode} and itcode <> ''
      and known = asker.known and (known = 0 or browser_hash = ${browser})`,
    )})) >= ${CODES_A_DAY}`,
    hour: sql`asker.known = 0 and (select count(*) from (${since(HOUR_MS, sql`ip = ${ip} and known = 0`)}))
      >= ${CODES_AN_HOUR}`,
  }
  const [inserted] = await db.all<{ id: number }>(sql`
    insert into login_codes (itcode, code_hash, browser_hash, ip, created_at, expires_at, known)
    select ${itcode}, ${codeHash}, ${browser}, ${ip}, ${now}, ${now + auth.codeExpiryMs}, asker.known
    from (select ${known} as known) asker
    where not (${limits.resend}) and not (${limits.day}) and not (${limits.hour}) returning id`)
  if (inserted) return inserted.id
  const [hit] = await db.all<{ resend: number; hour: number }>(sql`
    select ${limits.resend} as resend, ${limits.hour} as hour from (select ${known} as known) asker`)
  throw tooMany(hit?.resend ? RESEND_MS : hit?.hour ? HOUR_MS : DAY_MS)
}

function tooMany(retryAfterMs: number): Refusal {
  const wait = retryAfterMs === RESEND_MS ? 'A code is on its way.' : 'Too many codes were asked for.'
  return new Refusal('too_many_attempts', `${wait} Please try again later.`, { retryAfterMs })
}

/** Forgets codes when no limit counts them any more; those that were used tell for half a year which browser is known. */
export async function sweepCodes(db: Db, now: number): Promise<void> {
  const old = and(lt(loginCodes.createdAt, now - DAY_MS), isNull(loginCodes.usedAt))
  await db.delete(loginCodes).where(or(old, lt(loginCodes.createdAt, now - KNOWN_MS)))
}

/** Whether this is the newest code of this browser for this account: then it is used up. A wrong guess is counted. */
export async function useCode({ db, clock, auth }: Parts, asker: Asker, code: string): Promise<boolean> {
  const given = code.replace(/[\s-]/g, '').toUpperCase()
  const now = clock.now()
  const hash = await keyedHash(auth.secrets[0], `${asker.itcode} ${given}`)
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

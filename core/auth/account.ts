/** Account names (itcode): a user id or an e-mail address in one spelling, and who may register a new one. */
import { and, eq, gte, inArray, isNull, lt, or } from 'drizzle-orm'
import { users } from '../db/schema.ts'
import { invalidField } from '../errors.ts'
import type { Db } from '../ports.ts'
import { problem } from '../problems.ts'
import type { AuthSettings } from '../settings.ts'
import { dnsName } from './domain.ts'
import { looksLikeAnother } from './look-alikes.ts'

export type User = typeof users.$inferSelect

const LONGEST = 254
const SHAPE = /^[\p{L}\p{N}._+-]+(@[\p{L}\p{N}-]+(\.[\p{L}\p{N}-]+)*)?$/u

/**
 * The one spelling of a name: NFKC, trimmed, lower case, the domain in its ASCII (xn--) form. Throws a Refusal invalid_input
 * for what is neither a name nor an address.
 */
export function accountName(text: string): string {
  const name = text.normalize('NFKC').trim().toLowerCase()
  if (name.length === 0 || name.length > LONGEST || !SHAPE.test(name)) {
    throw invalidField('itcode', problem('account'))
  }
  return oneSpelling(name)
}

/** The name of an account that is there, which may be a released one: `name#id`. Throws as accountName. */
export function givenName(text: string): string {
  return /#\d+$/.test(text) ? text : accountName(text)
}

function oneSpelling(name: string): string {
  const [local = '', domain] = name.split('@')
  return domain === undefined ? name : `${local}@${dnsName(domain)}`
}

/** Throws a Refusal invalid_input for a new name that looks like another. Existing accounts keep such names. */
export function assertUnmistakable(itcode: string): void {
  if (looksLikeAnother(itcode.split('@')[0] ?? '')) {
    throw invalidField('itcode', problem('lookalike'))
  }
}

/** Mail address of an account: the name if it is one, else the name at `emailDomain`, else the bare name. */
export function mailAddress(itcode: string, { emailDomain }: AuthSettings): string {
  return itcode.includes('@') || emailDomain === '' ? itcode : `${itcode}@${dnsName(emailDomain)}`
}

/** The name without `emailDomain`, so that both names of one mailbox are equal. */
export function bareName(itcode: string, { emailDomain }: AuthSettings): string {
  const suffix = `@${dnsName(emailDomain)}`
  return emailDomain !== '' && itcode.endsWith(suffix) ? itcode.slice(0, -suffix.length) : itcode
}

/**
 * The account of a name, also if only one of given and stored name has the company's mail domain; else the one whose address
 * it is.
 */
export async function findAccount(db: Db, auth: AuthSettings, itcode: string): Promise<User | undefined> {
  const address = mailAddress(itcode, auth)
  const found = await findByName(db, [itcode, address, bareName(itcode, auth)])
  const named = found.find((user) => oneSpelling(user.itcode) === itcode) ?? found[0]
  if (named) return named
  const [addressed] = await db
    .select()
    .from(users)
    .where(and(eq(users.email, address), isNull(users.deletedAt)))
  return addressed
}

/** Accounts with any of these names. Old rows may have domains in Unicode, because earlier releases did not convert them. */
export async function findByName(db: Db, names: readonly string[]): Promise<User[]> {
  const international = names.filter((name) => name.includes('xn--'))
  const locals = international.map((name) => name.slice(0, name.indexOf('@')))
  // `A` follows `@` in ASCII, so that the range holds every name with this local part.
  const ranges = locals.map((local) => and(gte(users.itcode, `${local}@`), lt(users.itcode, `${local}A`)))
  const found = await db
    .select()
    .from(users)
    .where(or(inArray(users.itcode, [...names]), ...ranges))
  return found.filter((user) => names.includes(oneSpelling(user.itcode)))
}

/** Whether a name has no tag. With tags one mailbox could have many accounts. */
export function isPlain(itcode: string): boolean {
  return !itcode.includes('+')
}

/** Whether this name may register by itself. */
export function mayRegister(itcode: string, auth: AuthSettings): boolean {
  return auth.autoRegister && isPlain(itcode) && isAtAllowedDomain(mailAddress(itcode, auth), auth)
}

/** Whether the company allows mail to go there. */
export function isAtAllowedDomain(address: string, { allowedDomains }: AuthSettings): boolean {
  const [, domain = ''] = address.split('@')
  return allowedDomains.length === 0 || allowedDomains.map(dnsName).includes(dnsName(domain))
}

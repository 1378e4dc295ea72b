/** What an account name (itcode) is: a user id or an e-mail address, in one spelling; and who may take a new one. */
import { inArray } from 'drizzle-orm'
import { users } from '../db/schema.ts'
import { Refusal } from '../errors.ts'
import type { AuthPolicy } from '../policy.ts'
import type { Db } from '../ports.ts'

export type User = typeof users.$inferSelect

const LONGEST = 254
const SHAPE = /^[\p{L}\p{N}._+-]+(@[\p{L}\p{N}-]+(\.[\p{L}\p{N}-]+)*)?$/u

/** NFKC, trimmed, lower case. Throws a Refusal invalid_input for what cannot be a name or an address. */
export function accountName(text: string): string {
  const name = text.normalize('NFKC').trim().toLowerCase()
  if (name.length === 0 || name.length > LONGEST || !SHAPE.test(name)) {
    const expected = 'an account name or an e-mail address is expected'
    throw new Refusal('invalid_input', `itcode: ${expected}.`, { fields: { itcode: expected } })
  }
  return name
}

/** Where mail for an account goes: its own address, else its name at `email_domain`, else the bare name. */
export function mailAddress(itcode: string, { emailDomain }: AuthPolicy): string {
  return itcode.includes('@') || emailDomain === '' ? itcode : `${itcode}@${emailDomain}`
}

/** Without the company's mail domain: the same for all names of one mailbox. */
export function bareName(itcode: string, { emailDomain }: AuthPolicy): string {
  const suffix = `@${emailDomain}`
  return emailDomain !== '' && itcode.endsWith(suffix) ? itcode.slice(0, -suffix.length) : itcode
}

/** The account of a name, also when it was given with the company's mail domain and is kept without, or the reverse. */
export async function findAccount(db: Db, auth: AuthPolicy, itcode: string): Promise<User | undefined> {
  const names = [itcode, mailAddress(itcode, auth), bareName(itcode, auth)]
  const found = await db.select().from(users).where(inArray(users.itcode, names))
  return found.find((user) => user.itcode === itcode) ?? found[0]
}

/** Whether a new account may be made under this name. A tag after + would give one mailbox many accounts. */
export function mayRegister(itcode: string, auth: AuthPolicy): boolean {
  const [local = '', domain = ''] = mailAddress(itcode, auth).split('@')
  if (!auth.autoRegister || local.includes('+')) return false
  return auth.allowedDomains.length === 0 || auth.allowedDomains.includes(domain)
}

/** A pasted list or CSV of people to invite: an address in each line, then a name and groups. */
import { inArray, sql } from 'drizzle-orm'
import { bareName, mailAddress } from '../auth/account.ts'
import { groups } from '../db/schema.ts'
import { invalidField, Refusal } from '../errors.ts'
import type { Db } from '../ports.ts'
import { problem } from '../problems.ts'
import type { AuthSettings } from '../settings.ts'
import { addressOf } from '../users/address.ts'

const MOST_INVITED = 1_000

export interface Invited {
  email: string
  name: string | null
  groups: readonly string[]
}

/**
 * The people in a list; a first line of titles is skipped, and so is an address that came before. Columns are separated by
 * commas, semicolons or tabs, groups by `|`. Throws a Refusal invalid_input that names the line.
 */
export function peopleIn(list: string, auth: AuthSettings): Invited[] {
  const people = new Map<string, Invited>()
  for (const [i, text] of list.split(/\r\n|\r|\n/).entries()) {
    const [address = '', name = '', groups = ''] = cellsOf(text)
    if (address === '' || (i === 0 && /^e-?mail$/i.test(address))) continue
    const email = spelled(address, i + 1, auth)
    if (name.length > 100) throw invalidField('list', problem('line_name', { line: i + 1 }))
    // As names are everywhere, because they would change what terminals, mails and logs show of them.
    if (/\p{Cc}/u.test(name) || !name.isWellFormed())
      throw invalidField('list', problem('line_no_controls', { line: i + 1 }))
    const named = groups.split('|').map((group) => group.trim())
    if (!people.has(email)) people.set(email, { email, name: name || null, groups: named.filter(Boolean) })
  }
  if (people.size === 0) throw invalidField('list', problem('one_address'))
  if (people.size > MOST_INVITED) throw invalidField('list', problem('most_addresses', { n: MOST_INVITED }))
  return [...people.values()]
}

function spelled(address: string, line: number, auth: AuthSettings): string {
  try {
    return addressOf(mailAddress(address, auth))
  } catch (thrown) {
    if (thrown instanceof Refusal) throw invalidField('list', problem('line_email', { line }))
    throw thrown
  }
}

/** Quotes around a cell are taken away, doubled ones inside halved (RFC 4180). */
function cellsOf(line: string): string[] {
  const cells = line.match(/("([^"]|"")*"|[^",;\t]*)([,;\t]|$)/g) ?? []
  return cells.map((cell) => {
    const text = cell.replace(/[,;\t]$/, '').trim()
    return text.startsWith('"') ? text.slice(1, -1).replaceAll('""', '"').trim() : text
  })
}

/** Ids of groups that are kept here, by name. Throws a Refusal invalid_input that names the first that is not there. */
export async function groupIdsOf(db: Db, people: readonly Invited[]): Promise<ReadonlyMap<string, number>> {
  const names = [...new Set(people.flatMap((one) => one.groups))]
  const found = new Map<string, number>()
  for (let from = 0; from < names.length; from += 50) {
    const rows = await db
      .select()
      .from(groups)
      .where(inArray(groups.name, names.slice(from, from + 50)))
    for (const { id, name, source, deletedAt } of rows) {
      if (source === 'direct' && deletedAt === null) found.set(name, id)
    }
  }
  const missing = names.find((name) => !found.has(name))
  if (missing !== undefined) throw invalidField('list', problem('list_group', { name: missing }))
  return found
}

/** Those of these people who have no account. */
export async function withoutAccount(
  { db, auth }: { db: Db; auth: AuthSettings },
  people: readonly Invited[],
): Promise<Invited[]> {
  // One value however many there are, because a statement takes a hundred on D1.
  const names = JSON.stringify(people.map(({ email }) => [email, bareName(email, auth)]))
  const taken = await db.all<{ email: string }>(sql`select wanted.value ->> 0 as email
    from json_each(${names}) as wanted where exists (select 1 from users where itcode in (wanted.value ->> 0, wanted.value ->> 1)
      or email = wanted.value ->> 0)`)
  const known = new Set(taken.map(({ email }) => email))
  return people.filter(({ email }) => !known.has(email))
}

/** What commands look up by name, and options that several have. */
import * as z from 'zod'
import type { User } from '../../../core/auth/account.ts'
import { systemClock } from '../../../core/clock.ts'
import { Refusal } from '../../../core/errors.ts'
import { findGroup, type Group } from '../../../core/organisation/groups.ts'
import type { Db } from '../../../core/ports.ts'
import { findUser } from '../../../core/users/manage.ts'
import type { Option } from '../command.ts'

/** Throws a Refusal not_found. */
export async function knownUser(db: Db, itcode: string): Promise<User> {
  const user = await findUser(db, itcode)
  if (!user)
    throw new Refusal('not_found', `There is no user ${itcode}. Create one with: user create ${itcode}`)
  return user
}

/** Throws a Refusal not_found. */
export async function knownGroup(db: Db, name: string): Promise<Group> {
  const group = await findGroup(db, name)
  if (!group) throw new Refusal('not_found', `There is no group ${name}. Make one with: group create ${name}`)
  return group
}

/** A date or time that is not over, as ms since 1970. */
export function futureTime(about: string): Option<number> {
  // Negated, so that NaN is refused too.
  const isFuture = (at: number) => !Number.isNaN(at) && !(at <= systemClock.now())
  const schema = z
    .string()
    .transform((given) => Date.parse(given))
    .refine(isFuture, 'a date in the future, such as 2027-01-31, is expected.')
  return { value: 'DATE', about, schema }
}

export function dayOf(at: number | null): string | null {
  return at === null ? null : new Date(at).toISOString().slice(0, 10)
}

/** An id as it was typed. Throws a Refusal body_invalid. */
export function idIn(text: string, noun: 'key' | 'device' | 'version' | 'invitation' | 'channel'): number {
  const id = z
    .int()
    .positive()
    .safeParse(text.trim() === '' ? Number.NaN : Number(text))
  if (id.success) return id.data
  const list = noun === 'version' ? 'policy history' : `${noun} list`
  throw new Refusal(
    'body_invalid',
    `ID: the number of ${noun === 'invitation' ? 'an' : 'a'} ${noun} is expected; ${list} shows them.`,
  )
}

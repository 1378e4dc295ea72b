/** What an account name (itcode) is: a user id or an e-mail address, in one spelling. */
import { Refusal } from '../errors.ts'

const LONGEST = 254
const SHAPE = /^[\p{L}\p{N}._+-]+(@[\p{L}\p{N}-]+(\.[\p{L}\p{N}-]+)*)?$/u

/** NFKC, trimmed, lower case. Throws a Refusal body_invalid for what cannot be a name or an address. */
export function accountName(text: string): string {
  const name = text.normalize('NFKC').trim().toLowerCase()
  if (name.length === 0 || name.length > LONGEST || !SHAPE.test(name)) {
    throw new Refusal('body_invalid', 'itcode: an account name or an e-mail address is expected.')
  }
  return name
}

/** Makes API keys. A key is shown once and not stored: only its SHA-256, first 7 and last 4 characters are. */
import { randomText } from '../ids.ts'

export const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789'
const LENGTH = 40

/** SHA-256 of a text as lower-case hex. It is injected because Web Crypto's is asynchronous. */
export type Sha256 = (text: string) => string

export interface MintedKey {
  /** `sk-` and 40 random characters out of 62: 238 bits. */
  secret: string
  hash: string
  prefix: string
  last4: string
}

export function mintKey(sha256: Sha256): MintedKey {
  return describeKey(`sk-${randomText(LENGTH, ALPHABET)}`, sha256)
}

/** A key with the parts of it that are stored. */
export function describeKey(secret: string, sha256: Sha256): MintedKey {
  return { secret, hash: sha256(secret), prefix: secret.slice(0, 7), last4: secret.slice(-4) }
}

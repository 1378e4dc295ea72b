/** Makes API keys. The key itself leaves this process once and is stored nowhere: only its SHA-256, prefix and end are. */
import { randomText } from '../ids.ts'

const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789'
const LENGTH = 40

/** SHA-256 of a text as lower-case hex. Injected, because Web Crypto can only do it asynchronously. */
export type Sha256 = (text: string) => string

export interface MintedKey {
  /** `sk-` + 40 characters of 62: 238 bits. */
  secret: string
  hash: string
  prefix: string
  last4: string
}

export function mintKey(sha256: Sha256): MintedKey {
  return describeKey(`sk-${randomText(LENGTH, ALPHABET)}`, sha256)
}

/** What is kept of a key. */
export function describeKey(secret: string, sha256: Sha256): MintedKey {
  return { secret, hash: sha256(secret), prefix: secret.slice(0, 7), last4: secret.slice(-4) }
}

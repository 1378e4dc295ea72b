/** What holds for a key at this moment. */
import type { Key } from '../api/index.ts'

export function isExpired({ expires_at: at }: Pick<Key, 'expires_at'>): boolean {
  return at !== null && Date.parse(at) <= Date.now()
}

export function works(key: Key): boolean {
  return key.status === 'active' && !isExpired(key)
}

/** The secret that was replaced, while it works beside the new one. */
export function oldSecretOf(key: Key): Key['previous'] {
  const { previous } = key
  return works(key) && previous && Date.parse(previous.ends_at) > Date.now() ? previous : null
}

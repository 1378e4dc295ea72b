/**
 * Encrypts secrets that the gateway must read again, with AES-GCM (NIST SP 800-38D) under keys that HKDF (RFC 5869) derives
 * from `secrets.key`.
 */
const VERSION = 'v1'
const IV_BYTES = 12
const KEY_ID_BYTES = 4
const SALT = new TextEncoder().encode('claude-gateway secrets')

export interface SecretBox {
  /** Text that holds the secret; it opens for the same `purpose` only, e.g. `identity:7`. */
  seal(secret: string, purpose: string): Promise<string>
  /** The secret; undefined for text that was changed, has another purpose, or was sealed by a key that is gone. */
  open(sealed: string, purpose: string): Promise<string | undefined>
  /** Whether an older key sealed it, so that it should be sealed again. */
  isStale(sealed: string): Promise<boolean>
}

interface DerivedKey {
  id: string
  key: CryptoKey
}

/** `keys`: the first seals, all of them open. */
export function createSecretBox(keys: readonly [string, ...string[]]): SecretBox {
  const derived = Promise.all(keys.map(derive))
  return {
    async seal(secret, purpose) {
      const [first] = await derived
      if (!first) throw new Error('there is no key to seal with')
      const iv = crypto.getRandomValues(new Uint8Array(IV_BYTES))
      const sealed = await crypto.subtle.encrypt(parameters(iv, purpose), first.key, encoded(secret))
      return [VERSION, first.id, base64(iv), base64(new Uint8Array(sealed))].join('.')
    },
    async open(sealed, purpose) {
      const [version, id, iv = '', data = ''] = sealed.split('.')
      const all = await derived
      const found = all.find((one) => one.id === id)
      if (version !== VERSION || !found) return undefined
      try {
        const bytes = await crypto.subtle.decrypt(
          parameters(unbase64(iv), purpose),
          found.key,
          unbase64(data),
        )
        return new TextDecoder().decode(bytes)
      } catch {
        return undefined
      }
    },
    isStale: async (sealed) => sealed.split('.')[1] !== (await derived)[0]?.id,
  }
}

async function derive(secret: string): Promise<DerivedKey> {
  const material = await crypto.subtle.importKey('raw', encoded(secret), 'HKDF', false, [
    'deriveBits',
    'deriveKey',
  ])
  const hkdf = (info: string) => ({ name: 'HKDF', hash: 'SHA-256', salt: SALT, info: encoded(info) })
  const aes = { name: 'AES-GCM', length: 256 }
  const [key, id] = await Promise.all([
    crypto.subtle.deriveKey(hkdf('key'), material, aes, false, ['encrypt', 'decrypt']),
    crypto.subtle.deriveBits(hkdf('id'), material, KEY_ID_BYTES * 8),
  ])
  return { key, id: base64(new Uint8Array(id)) }
}

function parameters(iv: Uint8Array<ArrayBuffer>, purpose: string) {
  return { name: 'AES-GCM', iv, additionalData: encoded(purpose) }
}

function encoded(text: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(new TextEncoder().encode(text))
}

function base64(bytes: Uint8Array): string {
  return btoa(String.fromCharCode(...bytes))
    .replaceAll('+', '-')
    .replaceAll('/', '_')
    .replaceAll('=', '')
}

/** Throws for text that is no base64. */
function unbase64(text: string): Uint8Array<ArrayBuffer> {
  const signs = atob(text.replaceAll('-', '+').replaceAll('_', '/'))
  const bytes = new Uint8Array(signs.length)
  for (let i = 0; i < signs.length; i++) bytes[i] = signs.charCodeAt(i)
  return bytes
}

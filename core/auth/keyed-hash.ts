/** HMAC-SHA-256 as hex. It is keyed because short codes could be guessed from plain hashes in a copy of the database. */
export async function keyedHash(secret: string, text: string): Promise<string> {
  const encoder = new TextEncoder()
  const algorithm = { name: 'HMAC', hash: 'SHA-256' }
  const key = await crypto.subtle.importKey('raw', encoder.encode(secret), algorithm, false, ['sign'])
  const mac = new Uint8Array(await crypto.subtle.sign('HMAC', key, encoder.encode(text)))
  return Array.from(mac, (byte) => byte.toString(16).padStart(2, '0')).join('')
}

/** Whether two secrets are equal. Hashes are compared, so that the time taken does not reveal where they differ. */
export async function sameSecret(key: string, given: string, expected: string): Promise<boolean> {
  const [a, b] = await Promise.all([keyedHash(key, given), keyedHash(key, expected)])
  return a === b
}

/** Identifiers and secrets, all from Web Crypto. */

/**
 * The id of a request in headers, log, journal and usage row: `req_`, 12 hex digits of `now` (ms since 1970), 20 random ones.
 * The time comes first because new rows then share the last pages of the index instead of touching a page each.
 */
export function requestId(now: number): string {
  const random = crypto.randomUUID()
  return `req_${now.toString(16).padStart(12, '0')}${random.slice(0, 8)}${random.slice(-12)}`
}

/** `length` random symbols of `alphabet` (≤ 256), equally likely because bytes that would favour some are discarded. */
export function randomText(length: number, alphabet: string): string {
  const ceiling = 256 - (256 % alphabet.length)
  let text = ''
  while (text.length < length) {
    for (const byte of crypto.getRandomValues(new Uint8Array(length * 2))) {
      if (byte < ceiling && text.length < length) text += alphabet[byte % alphabet.length]
    }
  }
  return text
}

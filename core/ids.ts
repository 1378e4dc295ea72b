/** Identifiers and secrets, all from Web Crypto. */

/**
 * `req_` + 32 hex digits: names one request in headers, log, journal and usage row. The time (`now`, ms) comes first, then
 * 80 random bits: new rows stand together at the end of the log's index, where random ones would touch a page each.
 */
export function requestId(now: number): string {
  const random = crypto.randomUUID()
  return `req_${now.toString(16).padStart(12, '0')}${random.slice(0, 8)}${random.slice(-12)}`
}

/** `length` symbols drawn evenly from `alphabet` (≤ 256 symbols): bytes that would favour some symbols are thrown away. */
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

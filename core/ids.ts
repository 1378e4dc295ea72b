/** Identifiers and secrets, all from Web Crypto. */

/** `req_` + 32 hex digits: names one request in headers, log, journal and usage row. */
export function requestId(): string {
  return `req_${crypto.randomUUID().replaceAll('-', '')}`
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

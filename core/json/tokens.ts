/** What the readers of JSON bytes share: single bytes, strings and keys. */

export const QUOTE = 0x22
export const BACKSLASH = 0x5c
export const COMMA = 0x2c
export const COLON = 0x3a
export const OPEN_BRACE = 0x7b
const OPEN_BRACKET = 0x5b
export const CLOSE_BRACE = 0x7d
/** `[` is `{` and `]` is `}` without this bit, and each closer is its opener plus two. */
export const BRACKET_BIT = 0x20

const STRUCTURE = [QUOTE, COMMA, COLON, OPEN_BRACE, CLOSE_BRACE, OPEN_BRACKET, 0x5d]
/** By byte: 1 for those of words. */
const WORD = Uint8Array.from({ length: 256 }, (_, byte) =>
  byte > 0x20 && byte < 0x7f && !STRUCTURE.includes(byte) ? 1 : 0,
)
/** Strings are read byte by byte for so many bytes, because a native search costs as much to begin. */
const NEAR = 64

export const isOpener = (byte: number) => (byte | BRACKET_BIT) === OPEN_BRACE
export const isCloser = (byte: number) => (byte | BRACKET_BIT) === CLOSE_BRACE

/** Of a number, true, false or null; what word the bytes make is not looked at. */
export function isWordByte(byte: number): boolean {
  return WORD[byte] === 1
}

export function isSpace(byte: number | undefined): boolean {
  return byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09
}

/**
 * The index behind the quote that closes a string whose next byte is at `from`. When `bytes` end before it, that index
 * is past their end: by one, or by two if the next byte stands after a backslash.
 */
export function stringEnd(bytes: Uint8Array, from: number): number {
  const { length } = bytes
  let i = from
  for (;;) {
    const near = Math.min(i + NEAR, length)
    while (i < near) {
      const byte = bytes[i]
      if (byte === QUOTE) return i + 1
      i += byte === BACKSLASH ? 2 : 1
    }
    if (i >= length) return i + 1
    const found = bytes.indexOf(QUOTE, i)
    const quote = found < 0 ? length : found
    let slashes = 0
    while (quote - slashes > i && bytes[quote - slashes - 1] === BACKSLASH) slashes += 1
    if (slashes % 2 === 0 && quote < length) return quote + 1
    i = quote + (slashes % 2)
  }
}

/** An escape has to be decoded before a string can be compared. */
export function hasEscape(bytes: Uint8Array, from: number, to: number): boolean {
  for (let i = from; i < to; i++) if (bytes[i] === BACKSLASH) return true
  return false
}

export function equals(expected: Uint8Array, bytes: Uint8Array, from: number, to: number): boolean {
  if (expected.length !== to - from) return false
  for (let i = 0; i < expected.length; i++) if (expected[i] !== bytes[from + i]) return false
  return true
}

/** Undefined when `text` is no JSON string. */
export function stringFrom(text: string): string | undefined {
  try {
    return String(JSON.parse(text))
  } catch {
    return undefined
  }
}

import { joined } from '../bytes.ts'
import type { Span } from './scan.ts'
import { BACKSLASH, CLOSE_BRACE, COLON, isSpace, OPEN_BRACE, QUOTE } from './tokens.ts'

/** What takes the place of a span of bytes. */
export interface Splice extends Span {
  text: string
}

const ENCODER = new TextEncoder()

/** The same bytes with these spans replaced, which do not overlap. The very same array if there is none. */
export function spliced(bytes: Uint8Array, splices: readonly Splice[]): Uint8Array {
  if (splices.length === 0) return bytes
  const parts: Uint8Array[] = []
  let from = 0
  for (const { start, end, text } of splices.toSorted((a, b) => a.start - b.start)) {
    parts.push(bytes.subarray(from, start), ENCODER.encode(text))
    from = end
  }
  parts.push(bytes.subarray(from))
  return joined(parts)
}

/**
 * The same object without the members that have these values, in their order, and with `added`, such as `"a":1,"b":2`, as its
 * first members. Every byte that stays is the same.
 */
export function reshaped(object: Uint8Array, removed: readonly Span[], added: string): Uint8Array {
  const first = object.indexOf(OPEN_BRACE) + 1
  const spans = removed.map(({ start, end }) => ({ start: memberStart(object, start), end, text: '' }))
  const begins = skipSpaces(object, first, 1)
  const isFirstKept = object[begins] !== CLOSE_BRACE && spans.every(({ start }) => start !== first)
  return spliced(object, [{ start: first, end: first, text: isFirstKept ? `${added},` : added }, ...spans])
}

/** Where a member begins: at the comma before its key, or behind the object's opening brace. `value`: where its value begins. */
function memberStart(object: Uint8Array, value: number): number {
  const colon = skipSpaces(object, value - 1, -1)
  const closing = object[colon] === COLON ? skipSpaces(object, colon - 1, -1) : colon
  let opening = closing - 1
  // A quote within a key stands behind an odd number of backslashes.
  while (object[opening] !== QUOTE || slashesBefore(object, opening) % 2 === 1) opening -= 1
  const before = skipSpaces(object, opening - 1, -1)
  return object[before] === OPEN_BRACE ? before + 1 : before
}

function slashesBefore(bytes: Uint8Array, at: number): number {
  let slashes = 0
  while (bytes[at - slashes - 1] === BACKSLASH) slashes += 1
  return slashes
}

function skipSpaces(bytes: Uint8Array, from: number, step: 1 | -1): number {
  let at = from
  while (isSpace(bytes[at])) at += step
  return at
}

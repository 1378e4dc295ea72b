/** Where values of JSON end, in its UTF-8 bytes. */
import type { Span } from './scan.ts'
import { COMMA, isCloser, isOpener, isSpace, QUOTE, stringEnd } from './tokens.ts'

/** So many bytes, and strings, are passed in a step. */
const STEP = 16 * 1024

/**
 * The spans of an array's elements, one by one, each found when it is asked for; none from the first one on that has more than
 * about `most` bytes and strings outside of strings.
 */
export function* elementsOf(
  bytes: Uint8Array,
  { start, end }: Span,
  most = Number.POSITIVE_INFINITY,
): Generator<Span> {
  let i = start + 1
  while (i < end - 1) {
    while (isSpace(bytes[i]) || bytes[i] === COMMA) i += 1
    if (i >= end - 1) return
    const from = i
    const next = valueEnd(bytes, i, most)
    if (next < 0) return
    i = Math.max(next, i + 1)
    yield { start: from, end: i }
  }
}

function valueEnd(bytes: Uint8Array, from: number, most: number): number {
  const passing = passingValue(bytes, from)
  for (let left = most; left >= 0; left -= STEP) {
    const { done, value } = passing.next()
    if (done) return value
  }
  return -1
}

/** The index behind the first value at or after `from`, in steps; a colon and white space before it are passed. */
export function* passingValue(bytes: Uint8Array, from: number): Generator<void, number> {
  let depth = 0
  let i = from
  for (let passed = 1; i < bytes.length; passed++) {
    if (passed % STEP === 0) yield
    const byte = bytes[i] ?? 0
    if (byte === QUOTE) {
      i = stringEnd(bytes, i + 1)
      if (depth === 0) return i
      continue
    }
    if (depth === 0 && (byte === COMMA || isCloser(byte))) return i
    i += 1
    if (isOpener(byte)) depth += 1
    else if (isCloser(byte)) {
      depth -= 1
      if (depth === 0) return i
    }
  }
  return i
}

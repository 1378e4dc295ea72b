/**
 * Finds the top-level members of a JSON object in its UTF-8 bytes, whole or chunk by chunk, without building anything.
 * What is nested deeper is only matched for brackets and strings: whoever receives the bytes parses them himself.
 */

export interface Member {
  /** Decoded, escapes and all. */
  key: string
  /** Offsets of the value in all bytes written so far: from its first byte to the one after its last. */
  start: number
  end: number
  /** The value's bytes, if the caller wanted them and they were within his limit. */
  value: Uint8Array | undefined
}

export interface Scan {
  write(chunk: Uint8Array): void
  /** `complete`: exactly one object, and nothing but white space after it so far. */
  state(): 'open' | 'complete' | 'invalid'
}

export interface ScanOptions {
  /** The most bytes of this key's value to keep; 0 keeps none. */
  capture(key: string): number
  onMember(member: Member): void
}

const QUOTE = 0x22
const BACKSLASH = 0x5c
const COMMA = 0x2c
const COLON = 0x3a
const OPEN_BRACE = 0x7b
const CLOSE_BRACE = 0x7d
const OPEN_BRACKET = 0x5b
const CLOSE_BRACKET = 0x5d
const BOM = [0xef, 0xbb, 0xbf]
const LONGEST_KEY = 1024

type Place =
  | 'start'
  | 'key or end'
  | 'key'
  | 'colon'
  | 'value'
  | 'word'
  | 'inside'
  | 'comma or end'
  | 'end'
  | 'invalid'

export function createScan({ capture, onMember }: ScanOptions): Scan {
  let place: Place = 'start'
  let afterComma = false
  let inString = false
  /** The byte that comes next in a string stands after a backslash. */
  let escaped = false
  /** The closers that are owed, innermost last; the object's own is not among them. */
  const owed: number[] = []
  let offset = 0
  let key = ''
  let start = 0
  let limit = 0
  /** Bytes of the key or value that is being read, from earlier chunks. */
  let kept: Uint8Array[] = []
  let keptBytes = 0

  function write(chunk: Uint8Array) {
    let from = 0
    let i = 0
    while (i < chunk.length) {
      if (inString) {
        i = closingQuote(chunk, i)
        if (i < 0) break
        inString = false
        i += 1
        if (place === 'key') {
          keep(chunk, from, i, LONGEST_KEY)
          key = decodedKey(taken())
          place = 'colon'
        } else if (owed.length === 0) endValue(chunk, from, i)
        continue
      }
      const byte = chunk[i] ?? 0
      if (place === 'inside') {
        i = inside(chunk, i)
        if (place !== 'inside') endValue(chunk, from, i)
        continue
      }
      if (place === 'word') {
        if (!endsWord(byte)) {
          i += 1
          continue
        }
        endValue(chunk, from, i)
      }
      if (byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09) {
        i += 1
        continue
      }
      const before = place
      step(byte, i)
      if (place === 'invalid') return
      if (before === 'value' || place === 'key') from = i
      i += 1
    }
    if (place === 'key' || place === 'word' || place === 'inside' || (place === 'value' && inString)) {
      keep(chunk, from, chunk.length, place === 'key' ? LONGEST_KEY : limit)
    }
    offset += chunk.length
  }

  /** One structural byte outside of strings and nested values. */
  function step(byte: number, i: number) {
    if (place === 'start') {
      if (byte === OPEN_BRACE) place = 'key or end'
      else if (byte !== BOM[offset + i]) place = 'invalid'
    } else if (place === 'key or end') {
      if (byte === QUOTE) {
        inString = true
        place = 'key'
      } else place = byte === CLOSE_BRACE && !afterComma ? 'end' : 'invalid'
    } else if (place === 'colon') {
      if (byte !== COLON) place = 'invalid'
      else {
        place = 'value'
        limit = capture(key)
      }
    } else if (place === 'value') {
      start = offset + i
      if (byte === QUOTE) inString = true
      else if (byte === OPEN_BRACE || byte === OPEN_BRACKET) {
        owed.push(byte === OPEN_BRACE ? CLOSE_BRACE : CLOSE_BRACKET)
        place = 'inside'
      } else place = startsWord(byte) ? 'word' : 'invalid'
    } else if (place === 'comma or end') {
      if (byte === COMMA) {
        place = 'key or end'
        afterComma = true
      } else place = byte === CLOSE_BRACE ? 'end' : 'invalid'
    } else place = 'invalid'
  }

  /** Goes through a nested value from `i`; answers where it stopped: at a string, at its end or at the chunk's. */
  function inside(chunk: Uint8Array, i: number): number {
    for (let at = i; at < chunk.length; at++) {
      const byte = chunk[at]
      if (byte === QUOTE) {
        inString = true
        return at + 1
      }
      if (byte === OPEN_BRACE) owed.push(CLOSE_BRACE)
      else if (byte === OPEN_BRACKET) owed.push(CLOSE_BRACKET)
      else if (byte === CLOSE_BRACE || byte === CLOSE_BRACKET) {
        if (owed.pop() !== byte) {
          place = 'invalid'
          return chunk.length
        }
        if (owed.length === 0) {
          place = 'comma or end'
          return at + 1
        }
      }
    }
    return chunk.length
  }

  /** Where the string that is open ends, or -1; long strings are crossed from quote to quote. */
  function closingQuote(chunk: Uint8Array, from: number): number {
    let i = from
    if (escaped) {
      escaped = false
      i += 1
    }
    for (;;) {
      const quote = chunk.indexOf(QUOTE, i)
      const end = quote < 0 ? chunk.length : quote
      let slashes = 0
      while (end - slashes > i && chunk[end - slashes - 1] === BACKSLASH) slashes += 1
      const odd = slashes % 2 === 1
      if (quote < 0) {
        escaped = odd
        return -1
      }
      if (!odd) return quote
      i = quote + 1
    }
  }

  function endValue(chunk: Uint8Array, from: number, end: number) {
    if (place === 'invalid') return
    keep(chunk, from, end, limit)
    const value = limit > 0 && keptBytes <= limit ? taken() : undefined
    kept = []
    keptBytes = 0
    place = 'comma or end'
    onMember({ key, start, end: offset + end, value })
  }
  function keep(chunk: Uint8Array, from: number, end: number, most: number) {
    keptBytes += end - from
    if (most > 0 && keptBytes <= most) kept.push(chunk.subarray(from, end))
    else kept = []
  }
  function taken(): Uint8Array {
    const [only = new Uint8Array(0), ...more] = kept
    kept = []
    keptBytes = 0
    if (more.length === 0) return only
    const whole = new Uint8Array([only, ...more].reduce((sum, part) => sum + part.length, 0))
    let at = 0
    for (const part of [only, ...more]) {
      whole.set(part, at)
      at += part.length
    }
    return whole
  }

  return {
    write(chunk) {
      if (place !== 'invalid') write(chunk)
    },
    state: () => (place === 'end' ? 'complete' : place === 'invalid' ? 'invalid' : 'open'),
  }
}

const DECODER = new TextDecoder()

/** `bytes` with its quotes; the empty text for one that is no valid JSON string or was too long to keep. */
function decodedKey(bytes: Uint8Array): string {
  const quoted = DECODER.decode(bytes)
  if (!quoted.includes('\\')) return quoted.slice(1, -1)
  try {
    const text: unknown = JSON.parse(quoted)
    return typeof text === 'string' ? text : ''
  } catch {
    return ''
  }
}

function startsWord(byte: number): boolean {
  return (byte >= 0x30 && byte <= 0x39) || byte === 0x2d || byte === 0x74 || byte === 0x66 || byte === 0x6e
}

function endsWord(byte: number): boolean {
  return (
    byte === COMMA || byte === CLOSE_BRACE || byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09
  )
}

/**
 * Finds the top-level members of a JSON object in its UTF-8 bytes, whole or chunk by chunk, without building anything.
 * What is nested deeper is only matched for brackets and strings: whoever receives the bytes parses them.
 */
import { createByteBuffer } from './buffer.ts'
import {
  BRACKET_BIT,
  CLOSE_BRACE,
  COLON,
  COMMA,
  equals,
  hasEscape,
  isOpener,
  isSpace,
  isWordByte,
  OPEN_BRACE,
  QUOTE,
  stringEnd,
  stringFrom,
} from './tokens.ts'

/** Offsets: from the first byte to the one after the last. */
export interface Span {
  start: number
  end: number
}

/** A member with where its value is in all bytes written so far. */
export interface Member extends Span {
  key: string
  /** The value as it was written, if its bytes were within the limit; what is no UTF-8 in it is replaced. */
  text: string | undefined
}

/** A key that is looked for, however it is escaped, with the most bytes of its value to keep. */
interface Wanted {
  key: string
  bytes: Uint8Array
  most: number
}

/** Keys to look for, each with the most bytes of its value to keep; 0 keeps none. Made once, used for many scans. */
export function wantedKeys(most: Readonly<Record<string, number>>): readonly Wanted[] {
  return Object.entries(most).map(([key, limit]) => ({ key, bytes: ENCODER.encode(key), most: limit }))
}

export interface Scan {
  /** The next bytes, cut anywhere: linear in them. Throws nothing. */
  write(chunk: Uint8Array): void
  /** `complete`: exactly one object, and nothing but white space after it so far. `invalid` and `too deep` stay. */
  state(): 'open' | 'complete' | 'invalid' | 'too deep' | 'too many'
  /** Offset of the byte after the object's closing brace; undefined while it is not closed. */
  end(): number | undefined
}

export interface ScanOptions {
  /** The most brackets that may be open at once. */
  deepest?: number
  /** The most members at the top level; default any number. */
  mostMembers?: number
  /** The most objects and lists below the top level; default any number. */
  mostNested?: number
  /**
   * Is told of each string below the top level, keys included, from its opening quote to the byte after its closing
   * one, if it has fewer than SHORT bytes and lies in one chunk.
   */
  onNested?: (chunk: Uint8Array, from: number, to: number) => void
}

/** Longer strings are no words of an interface, even with every character of them escaped. */
const SHORT = 100
const ENCODER = new TextEncoder()
const DECODER = new TextDecoder()
const BOM = [0xef, 0xbb, 0xbf]
const LONGEST_KEY = 1024
/** The default of `deepest`: bounds the memory for open brackets. */
const DEEPEST = 100_000
const ANY = Number.POSITIVE_INFINITY

type Token = 'key' | 'string' | 'word' | 'inside'
type Between = 'start' | 'key or end' | 'next key' | 'colon' | 'value' | 'comma or end'
type Broken = 'invalid' | 'too deep' | 'too many'
type Place = Token | Between | 'end' | Broken

/** `onMember` is called for each wanted member once its value has ended, in order, repeated keys included. */
export function createScan(
  wanted: readonly Wanted[],
  onMember: (member: Member) => void,
  { deepest = DEEPEST, mostMembers = ANY, mostNested = ANY, onNested }: ScanOptions = {},
): Scan {
  let place: Place = 'start'
  let bomBytes = 0
  let inString = false
  let escaped = false // the next byte of the string follows a backslash
  /** Closing brackets that are still to come, innermost last, without the object's own. */
  const owed: number[] = []
  let offset = 0 // bytes in earlier chunks
  let closedAt: number | undefined
  let members = 0
  let nested = 0
  /** The wanted key whose value is next or under way. */
  let member: Wanted | undefined
  let start = 0
  let limit = 0
  const kept = createByteBuffer()

  function write(chunk: Uint8Array) {
    /** Where the key or value that is being read begins in this chunk. */
    let from = 0
    let i = 0
    while (i < chunk.length && !isBroken(place)) {
      if (isToken(place)) {
        const end = tokenEnd(place, chunk, i)
        if (end < 0) break
        if (place === 'key') endKey(chunk, from, end)
        else endValue(chunk, from, end)
        i = end
      } else {
        step(chunk[i] ?? 0, offset + i)
        from = i
        i += 1
      }
    }
    if (isToken(place) && (place === 'key' || member)) kept.add(chunk, from, chunk.length, limit)
    offset += chunk.length
  }

  /** One byte between tokens, or the first of one; `at` is its offset. */
  function step(byte: number, at: number) {
    if (isSpace(byte)) return
    if (place === 'value') begin(byte, at)
    else if (byte === QUOTE && (place === 'key or end' || place === 'next key')) {
      place = 'key'
      limit = LONGEST_KEY
    } else if (place === 'colon' && byte === COLON) place = 'value'
    else if (place === 'comma or end' && byte === COMMA) place = 'next key'
    else if (byte === CLOSE_BRACE && (place === 'key or end' || place === 'comma or end')) {
      place = 'end'
      closedAt = at + 1
    } else if (place === 'start' && byte === OPEN_BRACE && bomBytes % BOM.length === 0) place = 'key or end'
    else if (place === 'start' && byte === BOM[at] && bomBytes === at) bomBytes += 1
    else place = 'invalid'
  }

  function begin(byte: number, at: number) {
    start = at
    limit = member?.most ?? 0
    if (byte === QUOTE) place = 'string'
    else if (isOpener(byte)) place = 'inside'
    else place = isWordByte(byte) ? 'word' : 'invalid'
    if (place === 'inside') open(byte)
  }

  function open(byte: number) {
    nested += 1
    if (owed.push(byte + 2) >= deepest) place = 'too deep'
    else if (nested > mostNested) place = 'too many'
  }

  /** Nearly all keys lie in one chunk and have no escape: those are compared as bytes, in place. */
  function endKey(chunk: Uint8Array, from: number, end: number) {
    members += 1
    place = members > mostMembers ? 'too many' : 'colon'
    if (kept.length() === 0 && !hasEscape(chunk, from, end)) {
      member = wanted.find(({ bytes }) => equals(bytes, chunk, from + 1, end - 1))
      return
    }
    const text = textOf(chunk, from, end)
    const key = text && stringFrom(text)
    member = wanted.find((one) => one.key === key)
    if (text && key === undefined) place = 'invalid'
  }

  function endValue(chunk: Uint8Array, from: number, end: number) {
    place = 'comma or end'
    if (member) onMember({ key: member.key, start, end: offset + end, text: textOf(chunk, from, end) })
  }

  /** The token that ends in this chunk, wherever it began; undefined when it was too long to keep. */
  function textOf(chunk: Uint8Array, from: number, end: number): string | undefined {
    if (kept.length() === 0) return end - from > limit ? undefined : DECODER.decode(chunk.subarray(from, end))
    kept.add(chunk, from, end, limit)
    return kept.takeText(limit)
  }

  /** The index after the open token's last byte, or -1 when it is not in this chunk. */
  function tokenEnd(token: Token, chunk: Uint8Array, from: number): number {
    if (token === 'inside') return nestedEnd(chunk, from)
    if (token !== 'word') return endOfString(chunk, from)
    for (let i = from; i < chunk.length; i++) if (!isWordByte(chunk[i] ?? 0)) return i
    return -1
  }

  function nestedEnd(chunk: Uint8Array, from: number): number {
    let i = from
    while (i < chunk.length) {
      if (inString) {
        i = endOfString(chunk, i)
        if (i < 0) return -1
        inString = false
        continue
      }
      const byte = chunk[i] ?? 0
      i += 1
      if (byte === QUOTE) {
        const end = endOfString(chunk, i)
        if (end < 0) {
          inString = true
          return -1
        }
        if (onNested && end - i < SHORT) onNested(chunk, i - 1, end)
        i = end
      } else if (isOpener(byte)) {
        open(byte)
      } else if ((byte | BRACKET_BIT) === CLOSE_BRACE) {
        if (owed.pop() !== byte) place = 'invalid'
        else if (owed.length === 0) return i
      }
      if (isBroken(place)) break
    }
    return -1
  }

  /** Behind the closing quote, or -1 when it is not in this chunk. */
  function endOfString(chunk: Uint8Array, from: number): number {
    const end = stringEnd(chunk, escaped ? from + 1 : from)
    escaped = end > chunk.length + 1
    return end > chunk.length ? -1 : end
  }

  return {
    write,
    state: () => (place === 'end' ? 'complete' : isBroken(place) ? place : 'open'),
    end: () => closedAt,
  }
}

const isBroken = (place: Place): place is Broken =>
  place === 'invalid' || place === 'too deep' || place === 'too many'
const isToken = (place: Place): place is Token =>
  place === 'key' || place === 'string' || place === 'word' || place === 'inside'

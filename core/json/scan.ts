/**
 * Finds the top-level members of a JSON object in its UTF-8 bytes, whole or chunk by chunk, without building anything.
 * What is nested deeper is only matched for brackets and strings: whoever receives the bytes parses them.
 */
import { createByteBuffer } from './buffer.ts'
import { createNested, createStringEnd } from './nested.ts'
import {
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
  /** The same of a chunk from `begin`, where the part before it ended, to `until` or somewhat further; answers how far. */
  read(chunk: Uint8Array, begin: number, until: number): number
  /** `complete`: exactly one object, and nothing but white space after it so far. `invalid` and `too deep` stay. */
  state(): 'open' | 'complete' | 'invalid' | 'too deep' | 'too many'
  /** Members of the top level, and objects, lists and commas below it, so far. */
  values(): number
}

export interface ScanOptions {
  /** The most brackets that may be open at once. */
  deepest?: number
  /** The most members at the top level; default any number. */
  mostMembers?: number
  /** The most objects and lists below the top level; default any number. */
  mostNested?: number
  /** The most objects, lists and commas below the top level; default any number. */
  mostValues?: number
  /**
   * Is told of each string below the top level, keys included, from its opening quote to the byte after its closing
   * one, if it has fewer than a hundred bytes and lies in one chunk.
   */
  onNested?: (chunk: Uint8Array, from: number, to: number) => void
}

const ENCODER = new TextEncoder()
const DECODER = new TextDecoder()
const BOM = [0xef, 0xbb, 0xbf]
const LONGEST_KEY = 1024
/** A step takes a millisecond at most. */
const STEP_BYTES = 32 * 1024
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
  { deepest = DEEPEST, mostMembers = ANY, mostNested = ANY, mostValues = ANY, onNested }: ScanOptions = {},
): Scan {
  let place: Place = 'start'
  let bomBytes = 0
  const endOfString = createStringEnd()
  const nested = createNested({ deepest, mostNested, mostValues, endOfString, onNested })
  let offset = 0 // bytes in earlier chunks
  let members = 0
  /** The wanted key whose value is next or under way. */
  let member: Wanted | undefined
  let start = 0
  let limit = 0
  const kept = createByteBuffer()
  /** Where the key or value that is being read begins in this chunk. */
  let from = 0

  function read(chunk: Uint8Array, begin: number, until: number): number {
    if (begin === 0) from = 0
    let i = begin
    while (i < chunk.length && !isBroken(place)) {
      if (i >= until) return i
      if (isToken(place)) {
        const end = tokenEnd(place, chunk, i, until)
        if (end < 0) {
          place = nested.broken() ?? place
          if (nested.pausedAt() > 0) return nested.pausedAt()
          break
        }
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
    return chunk.length
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
    if (place === 'inside') place = nested.open(byte) ?? place
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
  function tokenEnd(token: Token, chunk: Uint8Array, from: number, until: number): number {
    if (token === 'inside') return nested.end(chunk, from, until)
    if (token !== 'word') return endOfString(chunk, from)
    for (let i = from; i < chunk.length; i++) if (!isWordByte(chunk[i] ?? 0)) return i
    return -1
  }

  return {
    write: (chunk) => void read(chunk, 0, chunk.length),
    read,
    state: () => (place === 'end' ? 'complete' : isBroken(place) ? place : 'open'),
    values: () => members + nested.values(),
  }
}

/** Writes a chunk in steps. */
export function* writing(scan: Scan, chunk: Uint8Array): Generator<void, void> {
  for (let at = 0; at < chunk.length; ) {
    at = scan.read(chunk, at, at + STEP_BYTES)
    yield
  }
}

const isBroken = (place: Place): place is Broken =>
  place === 'invalid' || place === 'too deep' || place === 'too many'
const isToken = (place: Place): place is Token =>
  place === 'key' || place === 'string' || place === 'word' || place === 'inside'

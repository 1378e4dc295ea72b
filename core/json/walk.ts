/**
 * Visits the objects nested in a JSON value, in its UTF-8 bytes: each with those of its members that are looked for.
 * Builds nothing else, so that a long value costs little more than reading its bytes.
 */
import { atOnce } from '../steps.ts'
import { passingValue } from './elements.ts'
import type { Span } from './scan.ts'
import {
  COMMA,
  equals,
  hasEscape,
  isCloser,
  isOpener,
  isWordByte,
  OPEN_BRACE,
  QUOTE,
  stringEnd,
  stringFrom,
} from './tokens.ts'

export interface Keys {
  /** Members to report, at any depth. */
  wanted: readonly Key[]
  /** Members whose values are not looked into: what stands there means nothing to an upstream. */
  skipped: readonly Key[]
}

interface Key {
  key: string
  bytes: Uint8Array
}

export type Scalar = string | number | boolean | null

export interface FoundObject {
  /** 0 for the outermost value, one more for each bracket around it. */
  depth: number
  /** The wanted key whose value this object is. */
  key: string | undefined
  members: ReadonlyMap<string, Span>
  /** A wanted key that it has twice. */
  repeated: string | undefined
  /** A member's value; undefined if there is none, or an object or array. */
  scalar(key: string): Scalar | undefined
  /** Where it is, such as messages.0.content.1; only its beginning where it is very long. To be called before the visitor returns. */
  path(): string
}

/** An open bracket. */
interface Frame {
  start: number
  /** -1 in an object. */
  index: number
  /** In an object: the key whose value is next or under way, as offsets with its quotes; 0 where a key is next. */
  keyFrom: number
  keyTo: number
  wanted: string | undefined
  members: Map<string, Span> | undefined
  repeated: string | undefined
}

const ENCODER = new TextEncoder()
const DECODER = new TextDecoder()
/** A key of more bytes is none of ours, even with every character escaped. */
const LONGEST_KEY = 200
/** A step takes a millisecond or two at most. */
const STEP_BYTES = 16 * 1024
/** Steps of a path: no request needs as many, and each of a thousand things may be named ten thousand brackets deep. */
const MOST_STEPS = 32
const NONE: ReadonlyMap<string, Span> = new Map()

/** Made once, used for many walks. */
export function keysToFind(wanted: readonly string[], skipped: readonly string[]): Keys {
  const encoded = (keys: readonly string[]) => keys.map((key) => ({ key, bytes: ENCODER.encode(key) }))
  return { wanted: encoded(wanted), skipped: encoded(skipped) }
}

/**
 * Reads `span` of `bytes`, a JSON value whose brackets and strings are known to match. What it visits in JSON that is
 * broken otherwise is undefined, but it never throws. `visit` is called as each object closes, the innermost first, for
 * those that have a wanted member. `name` is how paths begin.
 */
export function walkObjects(...given: Parameters<typeof walkingObjects>): void {
  atOnce(walkingObjects(...given))
}

/** The same in steps. */
export function* walkingObjects(
  bytes: Uint8Array,
  span: Span,
  name: string,
  keys: Keys,
  visit: (object: FoundObject) => void,
): Generator<void, void> {
  /** The brackets around `frame`, outermost first. */
  const around: Frame[] = []
  let frame: Frame | undefined
  let i = span.start
  let pauseAt = i + STEP_BYTES
  let isSkipped = false

  function open(at: number) {
    if (frame) around.push(frame)
    frame = frameAt(at, bytes[at] === OPEN_BRACE ? -1 : 0)
  }

  function close(end: number) {
    const closed = frame
    frame = around.pop()
    if (!closed) return
    const { members, repeated, start } = closed
    if (members) {
      const scalar = (key: string) => scalarAt(bytes, members.get(key))
      visit({ depth: frame ? around.length + 1 : 0, key: frame?.wanted, members, repeated, scalar, path })
    }
    if (frame?.wanted !== undefined) note(frame, frame.wanted, { start, end })
  }

  function path(): string {
    const frames = around.slice(0, MOST_STEPS)
    if (frame) frames.push(frame)
    return [name, ...stepsOf(bytes, frames)].join('.')
  }

  /** A string that begins at `i`: a key, or a value. Answers the index behind it. */
  function passString(): number {
    const end = stringEnd(bytes, i + 1)
    if (!frame) return end
    if (frame.index < 0 && frame.keyFrom === 0) {
      frame.keyFrom = i
      frame.keyTo = end
      frame.wanted = find(keys.wanted, bytes, i, end)
      isSkipped = find(keys.skipped, bytes, i, end) !== undefined
      return end
    }
    if (frame.wanted !== undefined) note(frame, frame.wanted, { start: i, end })
    return end
  }

  while (i < span.end) {
    if (i >= pauseAt) {
      pauseAt = i + STEP_BYTES
      yield
    }
    const byte = bytes[i] ?? 0
    if (byte === QUOTE) {
      i = passString()
      if (isSkipped) i = yield* passingValue(bytes, i)
      isSkipped = false
    } else if (isOpener(byte)) {
      open(i)
      i += 1
    } else if (isCloser(byte)) {
      i += 1
      close(i)
    } else if (byte === COMMA && frame) {
      if (frame.index >= 0) frame.index += 1
      else frame.keyFrom = 0
      frame.wanted = undefined
      i += 1
    } else if (frame?.wanted !== undefined && isWordByte(byte)) {
      const start = i
      while (i < span.end && isWordByte(bytes[i] ?? 0)) i += 1
      note(frame, frame.wanted, { start, end: i })
    } else i += 1
  }
}

function frameAt(start: number, index: number): Frame {
  return { start, index, keyFrom: 0, keyTo: 0, wanted: undefined, members: undefined, repeated: undefined }
}

function stepsOf(bytes: Uint8Array, frames: readonly Frame[]): string[] {
  const steps = frames
    .slice(0, MOST_STEPS)
    .map(({ index, keyFrom, keyTo }) => (index >= 0 ? String(index) : keyAt(bytes, keyFrom, keyTo)))
  return frames.length > MOST_STEPS ? [...steps, '..'] : steps
}

function keyAt(bytes: Uint8Array, from: number, to: number): string {
  if (to - from > LONGEST_KEY) return '..'
  return stringFrom(DECODER.decode(bytes.subarray(from, to))) ?? ''
}

/** Keeps a wanted value that ended. */
function note(frame: Frame, key: string, value: Span) {
  frame.members ??= new Map()
  if (frame.members.has(key)) frame.repeated = key
  frame.members.set(key, value)
}

/** The members of one object that are looked for, of its own level only. */
export function membersOf(bytes: Uint8Array, span: Span, keys: Keys): ReadonlyMap<string, Span> {
  let found = NONE
  if (bytes[span.start] !== OPEN_BRACE) return found
  walkObjects(bytes, span, '', keys, ({ depth, members }) => {
    if (depth === 0) found = members
  })
  return found
}

function find(keys: readonly Key[], bytes: Uint8Array, from: number, to: number): string | undefined {
  if (to - from > LONGEST_KEY) return undefined
  const first = bytes[from + 1]
  for (const { key, bytes: expected } of keys) {
    if (expected[0] === first && equals(expected, bytes, from + 1, to - 1)) return key
  }
  if (!hasEscape(bytes, from, to)) return undefined
  const text = stringFrom(DECODER.decode(bytes.subarray(from, to)))
  return keys.find(({ key }) => key === text)?.key
}

/** The string, number, true, false or null that is there; undefined for anything else. */
export function scalarAt(bytes: Uint8Array, span: Span | undefined): Scalar | undefined {
  if (!span || isOpener(bytes[span.start] ?? 0)) return undefined
  try {
    // Without an opening bracket JSON.parse gives a scalar.
    return JSON.parse(DECODER.decode(bytes.subarray(span.start, span.end))) as Scalar
  } catch {
    return undefined
  }
}

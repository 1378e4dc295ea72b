/** Counts the characters a model wrote, in the JSON that carries them, as they pass. */
import { BACKSLASH, COLON, isCloser, isOpener, QUOTE } from '../json/tokens.ts'

const LF = 0x0a
const CR = 0x0d
const SPACE = 0x20
const LOWER_U = 0x75
const STOP = 2
/**
 * What a byte of a string adds to its characters: 0 for 10xxxxxx, the later bytes of a longer character
 * (https://www.rfc-editor.org/rfc/rfc3629#section-3).
 */
const KINDS = Uint8Array.from({ length: 256 }, (_, byte) => {
  if (byte === LF || byte === CR || byte === QUOTE || byte === BACKSLASH) return STOP
  return (byte & 0xc0) === 0x80 ? 0 : 1
})

/** Keys by a rolling hash of their bytes. */
export interface CountedKeys {
  /** Those whose string values are what a model wrote. */
  texts: readonly number[]
  /** Those of which the whole value is, such as the input of a tool. */
  values: readonly number[]
  /** Length of the longest. */
  longest: number
}

export interface CharacterCounter {
  /** Reads JSON from `from` to the end of the line or chunk; answers where it stopped. */
  read(chunk: Uint8Array, from: number): number
  /** One JSON text is over; what was counted in it holds only if `counts`. */
  endText(counts: boolean): void
  /** Characters as JSON decodes them: an escape is one, so is a character of several bytes. */
  count(): number
}

export function countedKeys(texts: readonly string[], values: readonly string[] = []): CountedKeys {
  const hashes = (keys: readonly string[]) => keys.map((key) => hashOf(new TextEncoder().encode(key), 0))
  const longest = Math.max(...[...texts, ...values].map(({ length }) => length))
  return { texts: hashes(texts), values: hashes(values), longest }
}

export function createCharacterCounter(keys: CountedKeys): CharacterCounter {
  let count = 0
  /** The part of `count` that texts before this one settled. */
  let settled = 0
  let inString = false
  /** 1: the byte after a backslash is next. 5 to 2: that many digits of \uXXXX are to come, less one. */
  let escaping = 0
  /** Of the last string's bytes. The hash is kept only while the string may be a key that is sought. */
  let hash = 0
  let length = 0
  /** `countsText`: a string that follows is counted. `countsValue`: an object or array that follows is, too. */
  let countsText = false
  let countsValue = false
  /** Open brackets of the value that is counted as a whole; 0 outside of one. */
  let depth = 0

  /** Answers where it stopped: behind the closing quote, or at the line's or chunk's end. */
  function readString(chunk: Uint8Array, from: number): number {
    let i = from
    while (i < chunk.length) {
      if (escaping === 0) {
        i = readPlain(chunk, i)
        if (i === chunk.length) break
      }
      const byte = chunk[i]
      if (byte === LF || byte === CR) break
      i += 1
      if (escaping > 0) readEscape(byte)
      else if (byte === BACKSLASH) escaping = 1
      else {
        inString = false
        break
      }
    }
    return i
  }
  function readPlain(chunk: Uint8Array, from: number): number {
    let characters = 0
    let i = from
    for (; i < chunk.length; i++) {
      const kind = KINDS[chunk[i] ?? LF] ?? STOP
      if (kind === STOP) break
      characters += kind
    }
    if (countsText || depth > 0) count += characters
    else {
      length += i - from
      if (length <= keys.longest) hash = hashOf(chunk, hash, from, i)
    }
    return i
  }
  function readEscape(byte: number | undefined) {
    escaping = escaping === 1 && byte === LOWER_U ? 5 : escaping - 1
    if (escaping > 1) return
    escaping = 0
    if (countsText || depth > 0) count += 1
    else length = keys.longest + 1
  }
  /** A byte between strings. */
  function readStructure(byte: number) {
    if (depth > 0) {
      count += 1
      if (isOpener(byte)) depth += 1
      else if (isCloser(byte)) depth -= 1
    } else if (byte === COLON) {
      const isKnown = length <= keys.longest
      countsValue = isKnown && keys.values.includes(hash)
      countsText = countsValue || (isKnown && keys.texts.includes(hash))
    } else {
      if (countsValue && isOpener(byte)) {
        depth = 1
        count += 1
      }
      countsText = countsValue = false
    }
  }

  return {
    count: () => count,
    endText(counts) {
      if (!counts) count = settled
      settled = count
      inString = countsText = countsValue = false
      escaping = length = hash = depth = 0
    },
    read(chunk, from) {
      let i = from
      while (i < chunk.length) {
        const byte = chunk[i] ?? 0
        if (inString) {
          i = readString(chunk, i)
          if (inString) break
          continue
        }
        if (byte === LF || byte === CR) break
        if (byte === QUOTE) {
          inString = true
          hash = 0
          length = 0
          // Both quotes.
          if (depth > 0) count += 2
        } else if (byte > SPACE) readStructure(byte)
        i += 1
      }
      return i
    },
  }
}

function hashOf(bytes: Uint8Array, start: number, from = 0, to = bytes.length): number {
  let hash = start
  for (let i = from; i < to; i++) hash = (Math.imul(hash, 31) + (bytes[i] ?? 0)) | 0
  return hash
}

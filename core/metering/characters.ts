/** Counts the characters a model wrote, in the JSON that carries them, as they pass. */
import { BACKSLASH, COLON, isCloser, isOpener, QUOTE } from '../json/tokens.ts'

const LF = 0x0a
const CR = 0x0d
const SPACE = 0x20
const LOWER_U = 0x75
/** A byte at which more has to be looked at: it ends the string or the line, or begins an escape. */
export const STOP = 2
/**
 * What a byte of a string adds to its characters: 0 for 10xxxxxx, the later bytes of a longer character
 * (https://www.rfc-editor.org/rfc/rfc3629#section-3).
 */
const KINDS = Uint8Array.from({ length: 256 }, (_, byte) => {
  if (byte === LF || byte === CR || byte === QUOTE || byte === BACKSLASH) return STOP
  return (byte & 0xc0) === 0x80 ? 0 : 1
})

/** Where something stands in a chunk: from this byte up to, but not including, that one. */
export interface Span {
  from: number
  to: number
}

/** How many characters this byte of a string adds, 0 or 1; or STOP. */
export function charactersOf(byte: number): number {
  return KINDS[byte] ?? STOP
}

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
  /** Where the one text stands that was counted in this JSON text, in the chunk that was read last; undefined if others were, too. */
  onlyText(): Span | undefined
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
  const key = createKey(keys)
  /** `countsText`: a string that follows is counted. `countsValue`: an object or array that follows is, too. */
  let countsText = false
  let countsValue = false
  const only = createOnlyText()
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
        if (countsText && depth === 0) only.end(i - 1)
        break
      }
    }
    return i
  }
  function readPlain(chunk: Uint8Array, from: number): number {
    let characters = 0
    let i = from
    for (; i < chunk.length; i++) {
      const kind = charactersOf(chunk[i] ?? LF)
      if (kind === STOP) break
      characters += kind
    }
    if (countsText || depth > 0) count += characters
    else key.add(chunk, from, i)
    return i
  }
  function readEscape(byte: number | undefined) {
    escaping = escaping === 1 && byte === LOWER_U ? 5 : escaping - 1
    if (escaping > 1) return
    escaping = 0
    if (countsText || depth > 0) count += 1
    else key.spoil()
  }
  /** A byte between strings. */
  function readStructure(byte: number) {
    if (depth > 0) {
      count += 1
      if (isOpener(byte)) depth += 1
      else if (isCloser(byte)) depth -= 1
    } else if (byte === COLON) {
      countsValue = key.isAmong(keys.values)
      countsText = countsValue || key.isAmong(keys.texts)
    } else {
      if (countsValue && isOpener(byte)) {
        only.spoil()
        depth = 1
        count += 1
      }
      countsText = countsValue = false
    }
  }

  return {
    count: () => count,
    onlyText: only.span,
    endText(counts) {
      if (!counts) count = settled
      settled = count
      key.restart()
      only.restart()
      inString = countsText = countsValue = false
      escaping = depth = 0
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
          key.restart()
          // Both quotes.
          if (depth > 0) count += 2
          else if (countsText) only.begin(i + 1)
        } else if (byte > SPACE) readStructure(byte)
        i += 1
      }
      return i
    },
  }
}

/** The last string. Its hash is kept only while it may be a key that is sought. */
function createKey({ longest }: CountedKeys) {
  let hash = 0
  let length = 0
  return {
    restart() {
      hash = 0
      length = 0
    },
    add(chunk: Uint8Array, from: number, to: number) {
      length += to - from
      if (length <= longest) hash = hashOf(chunk, hash, from, to)
    },
    /** It is none of those that are sought. */
    spoil() {
      length = longest + 1
    },
    isAmong: (hashes: readonly number[]) => length <= longest && hashes.includes(hash),
  }
}

/** Where the text stands that is counted, unless more than one is. */
function createOnlyText() {
  let from = 0
  let to = 0
  let texts = 0
  return {
    restart() {
      texts = 0
    },
    begin(at: number) {
      from = at
      texts += 1
    },
    end(at: number) {
      to = at
    },
    /** Something else is counted, too. */
    spoil() {
      texts += 2
    },
    span: (): Span | undefined => (texts === 1 ? { from, to } : undefined),
  }
}

function hashOf(bytes: Uint8Array, start: number, from = 0, to = bytes.length): number {
  let hash = start
  for (let i = from; i < to; i++) hash = (Math.imul(hash, 31) + (bytes[i] ?? 0)) | 0
  return hash
}

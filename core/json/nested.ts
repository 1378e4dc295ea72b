/** Finds the end of a value in brackets in its UTF-8 bytes, chunk by chunk: only brackets and strings are matched. */
import { BRACKET_BIT, CLOSE_BRACE, COMMA, isOpener, QUOTE, stringEnd } from './tokens.ts'

/** Longer strings are no words of an interface, even with every character of them escaped. */
const SHORT = 100

/** Behind the closing quote of the string that is being read, or -1 when it is not in this chunk. */
export function createStringEnd(): (chunk: Uint8Array, from: number) => number {
  let escaped = false // the next byte follows a backslash
  return (chunk, from) => {
    const end = stringEnd(chunk, escaped ? from + 1 : from)
    escaped = end > chunk.length + 1
    return end > chunk.length ? -1 : end
  }
}

export interface Nested {
  /** A value begins with this bracket. Answers how it is broken with that. */
  open(byte: number): ReturnType<Nested['broken']>
  /** The index behind its last bracket; -1 where that is not in this chunk, where it is broken, and where it is paused. */
  end(chunk: Uint8Array, from: number, until: number): number
  /** Where it goes on in this chunk once `until` was passed; 0 otherwise. */
  pausedAt(): number
  broken(): 'invalid' | 'too deep' | 'too many' | undefined
  /** How many objects, lists and commas there were so far. */
  values(): number
}

interface Options {
  deepest: number
  mostNested: number
  mostValues: number
  endOfString: (chunk: Uint8Array, from: number) => number
  onNested: ((chunk: Uint8Array, from: number, to: number) => void) | undefined
}

export function createNested({ deepest, mostNested, mostValues, endOfString, onNested }: Options): Nested {
  /** Closing brackets that are still to come, innermost last. */
  const owed: number[] = []
  let opened = 0
  let commas = 0
  let inString = false
  let pausedAt = 0
  let broken: ReturnType<Nested['broken']>

  function open(byte: number) {
    opened += 1
    if (owed.push(byte + 2) >= deepest) broken = 'too deep'
    else if (opened > mostNested || opened + commas > mostValues) broken = 'too many'
    return broken
  }

  function end(chunk: Uint8Array, from: number, until: number): number {
    pausedAt = 0
    for (let i = from; i < chunk.length; ) {
      if (i >= until) {
        pausedAt = i
        return -1
      }
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
        if (owed.pop() !== byte) broken = 'invalid'
        else if (owed.length === 0) return i
      } else if (byte === COMMA) {
        if (opened + ++commas > mostValues) broken = 'too many'
      }
      if (broken) break
    }
    return -1
  }

  return {
    open,
    end,
    pausedAt: () => pausedAt,
    broken: () => broken,
    values: () => opened + commas,
  }
}

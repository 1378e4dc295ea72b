/**
 * Notices, while a body is scanned, the few words that make it worth walking through its messages: nearly all requests
 * have none of them, and walking costs as much again as the scan.
 */
import { BACKSLASH, COLON, equals, hasEscape, isSpace } from '../json/tokens.ts'

const ENCODER = new TextEncoder()
/** A file that is named, content by URL, a tool that joins in: see named.ts. */
const FILE_ID = ENCODER.encode('"file_id"')
const URL_TYPE = ENCODER.encode('"url"')
const TOOL_DEFINITION = ENCODER.encode('"tool_definition"')
const HOUR = ENCODER.encode('"1h"')
/** The words by their first byte behind the quote; no two share one. */
const WORDS = new Array<Uint8Array | undefined>(256).fill(undefined)
for (const word of [FILE_ID, URL_TYPE, TOOL_DEFINITION, HOUR]) WORDS[word[1] ?? 0] = word
/** An escape (\u0066) makes a word longer by this many bytes at least. */
const ESCAPE_ADDS = 5

export function createContentWatch() {
  let last = -1
  let longCache = false
  return {
    /** A string of at most a hundred bytes, with its quotes. */
    look(bytes: Uint8Array, from: number, to: number) {
      const first = bytes[from + 1] ?? 0
      if (first === BACKSLASH) last = from
      const word = WORDS[first]
      if (!word || to - from < word.length) return
      if (equals(word, bytes, from, to)) {
        if (word === HOUR) longCache = true
        else if (word !== URL_TYPE || isValue(bytes, from)) last = from
      } else if (to - from >= word.length + ESCAPE_ADDS && hasEscape(bytes, from, to)) last = from
    },
    /** Whether one of the words, or what may be one, stands in this member or behind it. */
    sawSince: ({ start }: { start: number }) => last >= start,
    sawLongCache: () => longCache,
  }
}

/** Whether the string at `from` is a value and not a key: many tools have a parameter called url. */
function isValue(bytes: Uint8Array, from: number): boolean {
  let before = from - 1
  while (isSpace(bytes[before])) before -= 1
  return bytes[before] === COLON
}

/**
 * Nearly every event of a stream is the one before with another text. Such an event is known by the bytes around its text, so that
 * only the text is looked at, because reading each event anew costs several times as much.
 */
import { BACKSLASH } from '../json/tokens.ts'
import { createEventReader, type EventReader, type EventReaderOptions } from '../sse/reader.ts'
import {
  type CharacterCounter,
  type CountedKeys,
  charactersOf,
  createCharacterCounter,
  type Span,
  STOP,
} from './characters.ts'

const LF = 0x0a
const CR = 0x0d
const LOWER_U = 0x75
/** Bytes around a text that are worth keeping: names of blocks and indexes are short. */
const MOST_BYTES = 512
const NOTHING = new Uint8Array()

export interface RepeatReader extends EventReader, Pick<CharacterCounter, 'endText'> {
  /** All that were counted. */
  characters(): number
}

/**
 * Reads events, and counts characters in those of this name. `onEvent` ends the text of each event that it is called for; it is not
 * called for those that repeat the one before.
 */
export function createRepeatReader(
  options: Pick<EventReaderOptions, 'onEvent' | 'most'> & { name: string; keys: CountedKeys },
): RepeatReader {
  const { name, keys, onEvent } = options
  const characters = createCharacterCounter(keys)
  const repeats = createRepeats()
  let chunk: Uint8Array = NOTHING
  /** Where in the chunk the event begins that is being read; undefined if it began in an earlier one. */
  let begun: number | undefined = 0
  const reader = createEventReader({
    ...options,
    inPlace: { name, read: characters.read },
    onEvent(event) {
      const text = event.name === name && begun !== undefined ? characters.onlyText() : undefined
      if (text && begun !== undefined) repeats.learn(chunk, { from: begun, to: event.end }, text)
      begun = event.end
      onEvent(event)
    },
    onEmpty(end) {
      begun = end
    },
  })
  return {
    write(bytes) {
      const passed = begun === undefined ? 0 : repeats.pass(bytes)
      if (passed === bytes.length) return
      chunk = passed === 0 ? bytes : bytes.subarray(passed)
      reader.write(chunk)
      begun = begun === chunk.length ? 0 : undefined
      chunk = NOTHING
    },
    end: reader.end,
    endText: characters.endText,
    characters: () => characters.count() + repeats.count(),
  }
}

/** Events that are known by the bytes around their text. */
export function createRepeats() {
  let head = NOTHING
  let tail = NOTHING
  let count = 0

  /** Where the event ends that begins at `from`; undefined if it is no repetition, or not whole. */
  function endOf(chunk: Uint8Array, from: number): number | undefined {
    if (chunk.length - from < head.length + tail.length || !standsAt(head, chunk, from)) return undefined
    let characters = 0
    let i = from + head.length
    for (; i < chunk.length; i++) {
      const byte = chunk[i] ?? LF
      const more = charactersOf(byte)
      if (more !== STOP) characters += more
      else if (byte === BACKSLASH && isShortEscape(chunk[i + 1])) {
        characters += 1
        i += 1
      } else break
    }
    if (!standsAt(tail, chunk, i)) return undefined
    count += characters
    return i + tail.length
  }

  return {
    /** Characters of all texts that were passed. */
    count: () => count,
    /** Answers how many bytes at the beginning of the chunk, which begins with an event, are whole events that repeat the learnt one. */
    pass(chunk: Uint8Array): number {
      if (tail.length === 0) return 0
      let at = 0
      for (;;) {
        const end = endOf(chunk, at)
        if (end === undefined) return at
        at = end
      }
    },
    /** This event was read from its first byte to its last; `text` is what may differ in the next one. */
    learn(chunk: Uint8Array, event: Span, text: Span) {
      if (text.from - event.from + event.to - text.to > MOST_BYTES) return
      head = chunk.slice(event.from, text.from)
      tail = chunk.slice(text.to, event.to)
    },
  }
}

function standsAt(bytes: Uint8Array, chunk: Uint8Array, at: number): boolean {
  for (let i = 0; i < bytes.length; i++) if (chunk[at + i] !== bytes[i]) return false
  return true
}

/** Whether a backslash and this byte are one character, and nothing else belongs to it. */
function isShortEscape(byte: number | undefined): boolean {
  return byte !== undefined && byte !== LOWER_U && byte !== LF && byte !== CR
}

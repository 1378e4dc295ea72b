/** Reads what a call used from the bytes of its answer as they pass. Never holds a byte back, never throws. */
import { parsedJson } from '../json/parse.ts'
import { createScan, wantedKeys } from '../json/scan.ts'
import {
  COLON,
  CR,
  createFrameReader,
  type DeltaReader,
  Frame,
  type FrameName,
  LF,
  SPACE,
} from '../sse/frames.ts'
import type { Metered } from '../usage/counts.ts'
import { isRecord, mergeUsage, meteredFrom, type RawUsage } from '../usage/usage.ts'

export interface Tap {
  /** The next bytes of the answer, cut anywhere. */
  write(chunk: Uint8Array): void
  /** `usage`: the final usage is known, the answer still flows. `complete`: the answer reached its end. */
  state(): 'open' | 'usage' | 'complete'
  /** The type of the error that ended the answer, if one did. */
  error(): string | undefined
  /** What the call is billed for, if its answer ended here; may be asked for more than once. */
  metered(): Metered
}

/** Where the final usage never came (protocol reference §2.3). */
const CHARACTERS_PER_TOKEN = 4
const EXTRA_CHARACTERS = 4096

/** For an Anthropic event stream (protocol reference §2.1, §2.3). */
export function createStreamTap(): Tap {
  let usage: RawUsage = {}
  let finalUsage = false
  let stopReason: string | undefined
  let blocks = 0
  let servedBy: string | undefined
  let failure: string | undefined
  let ended = false
  /** A frame that matters could not be read. */
  let damaged = false

  const characters = createCharacterCounter()
  const frames = createFrameReader({
    deltas: characters,
    onFrame(name, data) {
      if (name === 'content_block_start') blocks += 1
      if (name === 'message_stop' || name === 'error') ended = true
      try {
        read(name, data)
      } catch {
        damaged = true
      }
    },
  })
  /** Throws if `data` is not what an event of that name carries. */
  function read(name: FrameName, data: unknown) {
    if (name === 'message_start') usage = Frame.message_start.parse(data).message.usage ?? {}
    else if (name === 'message_delta') {
      const { delta, usage: change } = Frame.message_delta.parse(data)
      stopReason = delta?.stop_reason ?? stopReason
      usage = mergeUsage(usage, change ?? {})
      finalUsage ||= typeof change?.output_tokens === 'number'
    } else if (name === 'content_block_start') {
      servedBy = Frame.fallback.safeParse(data).data?.content_block.to.model ?? servedBy
    } else if (name === 'error') failure = Frame.error.safeParse(data).data?.error.type ?? 'api_error'
  }

  return {
    write: frames.write,
    state: () => (ended ? 'complete' : finalUsage ? 'usage' : 'open'),
    error: () => failure,
    metered: () =>
      metered(usage, {
        final: finalUsage && !damaged,
        estimatedOutput: finalUsage ? 0 : Math.ceil(characters.count() / CHARACTERS_PER_TOKEN),
        refusedUnserved: stopReason === 'refusal' && blocks === 0,
        servedBy,
      }),
  }
}

/** Top-level members of a message or error envelope, with the most bytes to keep of each. */
const WANTED = wantedKeys({
  usage: 64 * 1024,
  stop_reason: 64,
  type: 64,
  error: 64 * 1024,
  // Only whether it is empty matters.
  content: 64,
})

const EMPTY = /^\[\s*\]$/

/** For an answer that is one JSON message, or an error envelope. Only its top level counts. */
export function createJsonTap(): Tap {
  let bytes = 0
  const found = new Map<string, string | undefined>()
  const scan = createScan(WANTED, ({ key, text }) => found.set(key, text))
  const memberOf = (key: string) => parsedJson(found.get(key))

  return {
    write(chunk) {
      bytes += chunk.length
      scan.write(chunk)
    },
    state: () => (scan.state() === 'complete' ? 'complete' : 'open'),
    error() {
      // Nearly every answer is a "message": told by its length, before anything is parsed.
      if (found.get('type')?.length !== '"error"'.length || memberOf('type') !== 'error') return undefined
      return Frame.error.safeParse({ error: memberOf('error') }).data?.error.type ?? 'api_error'
    },
    metered() {
      const usage = memberOf('usage')
      const known = isRecord(usage)
      return metered(known ? usage : {}, {
        final: known && scan.state() === 'complete',
        estimatedOutput: known || scan.state() === 'complete' ? 0 : Math.ceil(bytes / CHARACTERS_PER_TOKEN),
        refusedUnserved: memberOf('stop_reason') === 'refusal' && EMPTY.test(found.get('content') ?? ''),
        servedBy: undefined,
      })
    },
  }
}

type End = Parameters<typeof meteredFrom>[1]

/** A refused call's usage is kept in full: it is not billed and so stands in no other column. */
function metered(usage: RawUsage, end: End): Metered {
  try {
    const result = meteredFrom(usage, end)
    if (end.refusedUnserved) result.extra = JSON.stringify(usage, (_, value) => value ?? undefined)
    if (result.extra && result.extra.length > EXTRA_CHARACTERS) result.extra = null
    return result
  } catch {
    // Nested too deeply to be written again, or an object that throws where a number was expected: no usage at all.
    return meteredFrom({}, { ...end, final: false })
  }
}

/** Keys whose string values are what the model wrote, told by a rolling hash of their bytes. */
const COUNTED = ['text', 'thinking', 'partial_json'].map((key) => hashOf(new TextEncoder().encode(key), 0))
const LONGEST_KEY = 'partial_json'.length
const QUOTE = 0x22
const BACKSLASH = 0x5c
const LOWER_U = 0x75
const STOP = 2
/** What a byte of a string adds to its characters: 0 for 10xxxxxx, the later bytes of a longer character. */
const KINDS = Uint8Array.from({ length: 256 }, (_, byte) => {
  if (byte === LF || byte === CR || byte === QUOTE || byte === BACKSLASH) return STOP
  return (byte & 0xc0) === 0x80 ? 0 : 1
})

/** Counts the characters under those keys as JSON decodes them: an escape is one, so is a character of several bytes. */
function createCharacterCounter(): DeltaReader & { count(): number } {
  let count = 0
  let inString = false
  /** 1: the byte after a backslash is next. 5 to 2: that many digits of \uXXXX are to come, less one. */
  let escaping = 0
  /** Of the string that came last, if it is no longer than a key that is sought. */
  let hash = 0
  let length = 0
  /** A string that follows is the value of a counted key. */
  let counted = false

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
    if (counted) count += characters
    else {
      length += i - from
      if (length <= LONGEST_KEY) hash = hashOf(chunk, hash, from, i)
    }
    return i
  }
  function readEscape(byte: number | undefined) {
    escaping = escaping === 1 && byte === LOWER_U ? 5 : escaping - 1
    if (escaping > 1) return
    escaping = 0
    if (counted) count += 1
    else length = LONGEST_KEY + 1
  }

  return {
    count: () => count,
    endFrame() {
      inString = false
      escaping = 0
      counted = false
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
        } else if (byte === COLON) counted = length <= LONGEST_KEY && COUNTED.includes(hash)
        else if (byte > SPACE) counted = false
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

/**
 * Finds the few frames of an Anthropic event stream that matter (protocol reference §2.1), in one pass over the bytes:
 * linear for any chunking and any event size, with at most 64 KB carried from chunk to chunk.
 *
 * Names stand on lines of their own and JSON escapes line ends, so nothing a model writes can look like a frame.
 */
import * as z from 'zod'
import { createByteBuffer } from '../json/buffer.ts'
import { parsedJson } from '../json/parse.ts'

export const LF = 0x0a
export const CR = 0x0d
export const SPACE = 0x20
export const COLON = 0x3a
const CARRY_BYTES = 64 * 1024

/** The events that are read, with the most bytes of data to keep. A fallback block, all that is sought of blocks, is small. */
const KEPT = {
  message_start: CARRY_BYTES,
  content_block_start: 1024,
  message_delta: CARRY_BYTES,
  message_stop: 0,
  error: CARRY_BYTES,
}
export type FrameName = keyof typeof KEPT

const DELTA = 'content_block_delta'
const DELTA_OPENING = new TextEncoder().encode(`event: ${DELTA}\ndata: `)
const NAMES = [
  DELTA,
  'message_start',
  'content_block_start',
  'message_delta',
  'message_stop',
  'error',
] as const
/** One more than the longest name: what does not fit is no name that matters. */
const WORD_BYTES = 20
/** Lines are read byte by byte so far: a native search costs as much as this many bytes. */
const NEAR = 64

export interface FrameOptions {
  /** Called at the end of each frame that matters; `data` is undefined when it was too long to keep or no JSON. */
  onFrame(name: FrameName, data: unknown): void
  /** Given the data of content_block_delta frames where it stands: most bytes of a stream, never copied. */
  deltas: DeltaReader
}

export interface DeltaReader {
  /** Reads JSON from `from` to the end of the line or chunk; answers where it stopped. */
  read(chunk: Uint8Array, from: number): number
  endFrame(): void
}

export interface FrameReader {
  /** The next bytes of the stream, cut anywhere. Never throws. */
  write(chunk: Uint8Array): void
}

type Line = 'field' | 'name' | 'data' | 'delta' | 'skipped'

export function createFrameReader({ onFrame, deltas }: FrameOptions): FrameReader {
  let line: Line = 'field'
  let firstLine = true
  let afterCarriageReturn = false
  /** The field's or event's name, as far as it was read. */
  const word = new Uint8Array(WORD_BYTES)
  let wordLength = 0
  /** Of the frame: undefined until its event line came, '' when that named nothing that matters. */
  let name: (typeof NAMES)[number] | '' | undefined
  let hasData = false
  const data = createByteBuffer()
  const lines = createLineEnds()

  function write(chunk: Uint8Array) {
    lines.restart()
    let i = 0
    while (i < chunk.length) {
      const byte = chunk[i] ?? 0
      if (byte === LF || byte === CR) {
        if (byte === CR || !afterCarriageReturn) endLine()
        afterCarriageReturn = byte === CR
        i += 1
      } else {
        afterCarriageReturn = false
        i = isDelta(chunk, i) ? beginDelta(i) : advance(chunk, i)
      }
    }
  }

  /** A shortcut for what nearly every frame looks like; any other spelling takes the long way to the same end. */
  function isDelta(chunk: Uint8Array, from: number): boolean {
    if (line !== 'field' || wordLength > 0 || name !== undefined || hasData) return false
    for (let i = 0; i < DELTA_OPENING.length; i++) if (chunk[from + i] !== DELTA_OPENING[i]) return false
    return true
  }
  function beginDelta(from: number): number {
    name = DELTA
    beginData()
    firstLine = false
    return from + DELTA_OPENING.length
  }

  /** Reads on in the line; answers where it stopped: at the line's end, the chunk's, or behind the field's colon. */
  function advance(chunk: Uint8Array, from: number): number {
    if (line === 'delta') return deltas.read(chunk, from)
    if (line === 'field' || line === 'name') return readWord(chunk, from)
    const end = lines.end(chunk, from)
    if (line === 'data') data.add(chunk, from, end, name && name !== DELTA ? KEPT[name] : CARRY_BYTES)
    return end
  }

  function readWord(chunk: Uint8Array, from: number): number {
    for (let i = from; i < chunk.length; i++) {
      const byte = chunk[i] ?? 0
      if (byte === LF || byte === CR) return i
      if (line === 'field' && byte === COLON) {
        beginValue()
        return i + 1
      }
      if (line === 'name' && byte === SPACE && wordLength === 0) continue
      if (wordLength === WORD_BYTES) continue
      word[wordLength] = byte
      wordLength += 1
    }
    return chunk.length
  }

  /** What a line is, once its field name is read to the colon. */
  function beginValue() {
    const from = firstLine && wordLength > 3 && wordIs('\u00ef\u00bb\u00bf', 0, 3) ? 3 : 0
    if (wordIs('event', from, wordLength)) line = 'name'
    else if (!wordIs('data', from, wordLength)) line = 'skipped'
    else beginData()
    wordLength = 0
  }
  function beginData() {
    if (name === DELTA) line = 'delta'
    // Data may come before its name: kept until that is known.
    else line = name === '' ? 'skipped' : 'data'
    if (hasData && line === 'data') data.add(NEWLINE, 0, 1, CARRY_BYTES)
    hasData = true
  }

  function endLine() {
    if (line === 'name') endName()
    else if (line === 'field' && wordLength === 0) endFrame()
    firstLine = false
    line = 'field'
    wordLength = 0
  }
  function endName() {
    name = NAMES.find((known) => wordIs(known, 0, wordLength)) ?? ''
    if (name !== DELTA || !hasData) return
    const early = new TextEncoder().encode(data.takeText(CARRY_BYTES))
    for (let i = 0; i < early.length; i++) i = deltas.read(early, i)
  }
  function endFrame() {
    if (hasData && name !== DELTA) {
      const kept = data.takeText(name ? KEPT[name] : 0)
      if (name) onFrame(name, parsedJson(kept))
    }
    deltas.endFrame()
    name = undefined
    hasData = false
  }

  function wordIs(text: string, from: number, to: number): boolean {
    if (to - from !== text.length) return false
    for (let i = from; i < to; i++) if (word[i] !== text.charCodeAt(i - from)) return false
    return true
  }

  return { write }
}

const NEWLINE = new Uint8Array([LF])

/** Finds line ends in time linear in the chunk, though LF and CR are searched for apart. */
function createLineEnds() {
  let nextLf = 0
  let nextCr = 0
  return {
    /** To be called for each chunk. */
    restart() {
      nextLf = 0
      nextCr = 0
    },
    /** Where the line ends that holds `from`, or the chunk. */
    end(chunk: Uint8Array, from: number): number {
      const near = Math.min(from + NEAR, chunk.length)
      for (let i = from; i < near; i++) if (chunk[i] === LF || chunk[i] === CR) return i
      if (nextLf < near) nextLf = positionOf(LF, chunk, near)
      if (nextCr < near) nextCr = positionOf(CR, chunk, near)
      return Math.min(nextLf, nextCr)
    },
  }
}

function positionOf(byte: number, chunk: Uint8Array, from: number): number {
  const found = chunk.indexOf(byte, from)
  return found < 0 ? chunk.length : found
}

const Usage = z.record(z.string(), z.unknown()).nullish()
/** What is read of each frame; all else is the client's. */
export const Frame = {
  message_start: z.object({ message: z.object({ usage: Usage }) }),
  message_delta: z.object({
    delta: z.object({ stop_reason: z.string().nullish() }).nullish(),
    usage: Usage,
  }),
  error: z.object({ error: z.object({ type: z.string() }) }),
  /** A content_block_start of the one kind that matters. */
  fallback: z.object({
    content_block: z.object({ type: z.literal('fallback'), to: z.object({ model: z.string() }) }),
  }),
}

/**
 * The one reader of server-sent events: any framing that https://html.spec.whatwg.org/multipage/server-sent-events.html
 * allows, cut anywhere, in one pass over the bytes that is linear for any chunking and any size of an event.
 *
 * Fields stand on lines of their own and JSON escapes line ends, so nothing a model writes can look like an event.
 */
import { createByteBuffer } from '../json/buffer.ts'

const LF = 0x0a
const CR = 0x0d
const SPACE = 0x20
const COLON = 0x3a
const BOM = [0xef, 0xbb, 0xbf]
/** More than any name of a field or an event that matters: of a longer one only the beginning is read. */
const WORD_BYTES = 64
/** Lines are read byte by byte for so many bytes, because a native search costs as much to begin. */
const NEAR = 64
/** The name of an event without an `event:` line, by the standard. */
const DEFAULT_NAME = 'message'

export interface StreamEvent {
  /** By its last `event:` line; undefined without one, or where that says no more than "message". */
  name: string | undefined
  /** Its data lines joined by LF; undefined when they are longer than was asked for, or were read in place. */
  data: string | undefined
  /** False when the stream ended before the blank line that ends an event: `data` may be cut. */
  whole: boolean
  /** Offset of the byte after the event in the chunk that is being written; 0 when the stream ended instead. */
  end: number
}

export interface EventReaderOptions {
  /** Called at the end of each event that has data. */
  onEvent(event: StreamEvent): void
  /** Called at each blank line that ends no data: behind comments, and where several follow each other. `end`: as above. */
  onEmpty?(end: number): void
  /** The most bytes of data to keep of an event of this name, undefined as long as it has none. Default: no limit. */
  most?(name: string | undefined): number
  inPlace?: InPlaceReader
}

/** Is given the data of events of one name, and of those without a name so far, where it stands: never copied. */
interface InPlaceReader {
  name: string
  /** Reads from `from` to the end of the line or chunk; answers where it stopped. */
  read(chunk: Uint8Array, from: number): number
}

export interface EventReader {
  /** The next bytes of the stream, cut anywhere. Throws only what `onEvent` throws. */
  write(chunk: Uint8Array): void
  /** The stream is over: an event whose blank line is missing is told of now. */
  end(): void
}

type Line = 'field' | 'name' | 'data' | 'skipped'

export function createEventReader(options: EventReaderOptions): EventReader {
  const { onEvent, onEmpty, most = () => Number.POSITIVE_INFINITY, inPlace } = options
  const usual = inPlace && new TextEncoder().encode(`event: ${inPlace.name}\ndata: `)
  let line: Line = 'field'
  let firstLine = true
  let afterCarriageReturn = false
  /** The next byte is the first of a field's value, where one space is dropped. */
  let valueBegins = false
  /** The field's or event's name, as far as it was read. */
  const word = new Uint8Array(WORD_BYTES)
  let wordLength = 0
  let name: string | undefined
  let hasData = false
  const kept = createByteBuffer()
  const lines = createLineEnds()

  function write(chunk: Uint8Array) {
    lines.restart()
    let i = 0
    while (i < chunk.length) {
      const byte = chunk[i] ?? 0
      if (byte === LF || byte === CR) {
        const next = byte === CR && chunk[i + 1] === LF ? i + 2 : i + 1
        if (byte === CR || !afterCarriageReturn) endLine(next)
        afterCarriageReturn = byte === CR && next === i + 1
        i = next
      } else {
        afterCarriageReturn = false
        i = isUsual(chunk, i) ? beginUsual(i) : advance(chunk, i)
      }
    }
  }

  /** A shortcut for the spelling of nearly every event; any other takes the long way to the same result. */
  function isUsual(chunk: Uint8Array, from: number): boolean {
    if (!usual || line !== 'field' || wordLength > 0 || name !== undefined || hasData) return false
    for (let i = 0; i < usual.length; i++) if (chunk[from + i] !== usual[i]) return false
    return true
  }
  function beginUsual(from: number): number {
    name = inPlace?.name
    line = 'data'
    hasData = true
    // The shortcut has passed the space behind the colon already.
    valueBegins = false
    firstLine = false
    return from + (usual?.length ?? 0)
  }

  /** Reads on in the line; answers where it stopped: at the line's end, the chunk's, or behind the field's colon. */
  function advance(chunk: Uint8Array, from: number): number {
    if (line === 'field') return readWord(chunk, from)
    if (line === 'skipped') return lines.end(chunk, from)
    const begin = valueBegins && chunk[from] === SPACE ? from + 1 : from
    valueBegins = false
    if (begin === chunk.length) return begin
    return line === 'name' ? readWord(chunk, begin) : readData(chunk, begin)
  }

  function readWord(chunk: Uint8Array, from: number): number {
    for (let i = from; i < chunk.length; i++) {
      const byte = chunk[i] ?? 0
      if (byte === LF || byte === CR) return i
      if (line === 'field' && byte === COLON) {
        beginValue()
        return i + 1
      }
      if (wordLength === WORD_BYTES) continue
      word[wordLength] = byte
      wordLength += 1
    }
    return chunk.length
  }

  function readData(chunk: Uint8Array, from: number): number {
    const isInPlace = inPlace !== undefined && name === inPlace.name
    const end =
      isInPlace || (inPlace && name === undefined) ? inPlace.read(chunk, from) : lines.end(chunk, from)
    if (!isInPlace) kept.add(chunk, from, end, most(name))
    return end
  }

  /** What a line is, once the name of its field is read. */
  function beginValue() {
    const from = firstLine && BOM.every((byte, at) => wordLength > at && word[at] === byte) ? BOM.length : 0
    line = wordIs('event', from) ? 'name' : wordIs('data', from) ? 'data' : 'skipped'
    wordLength = 0
    valueBegins = true
    if (line !== 'data') return
    if (hasData) kept.add(NEWLINE, 0, 1, most(name))
    hasData = true
  }

  function endLine(next: number) {
    const isBlank = line === 'field' && wordLength === 0
    // A field without a colon has the empty value.
    if (line === 'field' && !isBlank) beginValue()
    if (line === 'name') endName()
    firstLine = false
    line = 'field'
    wordLength = 0
    if (isBlank) endEvent(next, true)
  }
  function endName() {
    const text = DECODER.decode(word.subarray(0, wordLength))
    name = text === '' || text === DEFAULT_NAME ? undefined : text
  }
  function endEvent(end: number, whole: boolean) {
    const ended = name
    name = undefined
    if (!hasData) return onEmpty?.(end)
    hasData = false
    const isInPlace = inPlace !== undefined && ended === inPlace.name
    // Data lines that came before the event's name were kept.
    const data = isInPlace && kept.length() === 0 ? undefined : kept.takeText(most(ended))
    onEvent({ name: ended, data: isInPlace ? undefined : data, whole, end })
  }

  function wordIs(text: string, from: number): boolean {
    if (wordLength - from !== text.length) return false
    for (let i = from; i < wordLength; i++) if (word[i] !== text.charCodeAt(i - from)) return false
    return true
  }

  return {
    write,
    end() {
      if (line === 'name') endName()
      line = 'field'
      wordLength = 0
      endEvent(0, false)
    },
  }
}

const NEWLINE = new Uint8Array([LF])
const DECODER = new TextDecoder('utf-8', { fatal: false, ignoreBOM: true })

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

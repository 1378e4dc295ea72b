/**
 * Finds the few frames of an Anthropic event stream that matter, and counts the characters of the rest, in one pass
 * over the bytes: linear for any chunking and any event size, with at most 64 KB carried from chunk to chunk.
 *
 * Names stand on lines of their own and JSON escapes line ends, so nothing a model writes can look like a frame.
 */

const LF = 0x0a
const CR = 0x0d
const QUOTE = 0x22
const BACKSLASH = 0x5c
const BOM = [0xef, 0xbb, 0xbf]
const CARRY_BYTES = 64 * 1024
const LONGEST_NAME = 64

export interface FrameReader {
  write(chunk: Uint8Array): void
  /** Characters of text, thinking and tool input in the content_block_delta frames so far, as JSON decodes them. */
  characters(): number
}

export interface FrameOptions {
  /** Whether the data of an event of this name is wanted. */
  wants(name: string): boolean
  /** A wanted event; `data` is undefined when it was too long to carry. */
  onFrame(name: string, data: string | undefined): void
  /** Every event, before its data is read. */
  onName(name: string): void
}

type Line = 'start' | 'field' | 'value' | 'data' | 'delta' | 'skip'

export function createFrameReader({ wants, onFrame, onName }: FrameOptions): FrameReader {
  let line: Line = 'start'
  let afterCarriageReturn = false
  /** How much of a byte order mark was met at the start; 3 once there can be none any more. */
  let position = 0
  /** Field name or event name as far as it was read. */
  let word = ''
  let name = ''
  let collecting = false
  let data: Uint8Array[] = []
  let dataBytes = 0
  let tooLong = false
  const counter = createCharacterCounter()

  function endFrame() {
    if (dataBytes > 0 && wants(name)) onFrame(name, tooLong ? undefined : textOf(data))
    name = ''
    data = []
    dataBytes = 0
    tooLong = false
  }
  function endLine() {
    if (line === 'start') endFrame()
    else if (line === 'value') {
      name = word
      onName(name)
    } else if (line === 'data') keep(NEWLINE, 0, 1)
    else if (line === 'delta') counter.endLine()
    word = ''
    line = 'start'
  }
  function keep(chunk: Uint8Array, from: number, to: number) {
    if (to <= from) return
    dataBytes += to - from
    if (dataBytes > CARRY_BYTES) {
      tooLong = true
      data = []
    } else data.push(chunk.slice(from, to))
  }
  /** What a line is, once its field name is read to the colon. */
  function beginValue() {
    if (word === 'event') line = 'value'
    else if (word !== 'data') line = 'skip'
    else if (name === 'content_block_delta') line = 'delta'
    // Data may come before its name: kept until that is known.
    else line = name === '' || wants(name) ? 'data' : 'skip'
    collecting = line === 'data'
    word = ''
  }

  function write(chunk: Uint8Array) {
    let i = 0
    while (position < 3 && i < chunk.length) {
      if (chunk[i] !== BOM[position]) position = 3
      else {
        position += 1
        i += 1
      }
    }
    let from = i
    while (i < chunk.length) {
      const byte = chunk[i] ?? 0
      if (byte === LF || byte === CR) {
        if (collecting) keep(chunk, from, i)
        collecting = false
        if (!(byte === LF && afterCarriageReturn)) endLine()
        afterCarriageReturn = byte === CR
        i += 1
        from = i
        continue
      }
      afterCarriageReturn = false
      if (line === 'delta') i = counter.read(chunk, i)
      else if (line === 'data' || line === 'skip') i = lineEnd(chunk, i)
      else {
        i += 1
        if (line === 'start') line = 'field'
        if (line === 'field') {
          if (byte !== 0x3a) word = word.length < LONGEST_NAME ? word + String.fromCharCode(byte) : word
          else {
            beginValue()
            from = i
          }
        } else if (!(byte === 0x20 && word === '') && word.length < LONGEST_NAME)
          word += String.fromCharCode(byte)
      }
    }
    if (collecting) keep(chunk, from, chunk.length)
  }
  return { write, characters: counter.count }
}

const NEWLINE = new Uint8Array([LF])

/** Where the line ends that holds `from`, or the chunk. */
function lineEnd(chunk: Uint8Array, from: number): number {
  for (let i = from; i < chunk.length; i++) {
    const byte = chunk[i]
    if (byte === LF || byte === CR) return i
  }
  return chunk.length
}

/** Keys whose string values are what the model wrote, told by a rolling hash of their bytes. */
const COUNTED = new Set(['text', 'thinking', 'partial_json'].map(hashOf))

/** Counts decoded characters of the strings under counted keys in JSON lines that come byte by byte. */
function createCharacterCounter() {
  let count = 0
  let inString = false
  let escaping = 0
  let hash = 0
  let length = 0
  let lastString = 0
  let key = 0
  return {
    count: () => count,
    endLine() {
      inString = false
      escaping = key = lastString = 0
    },
    /** Reads to the end of the line or chunk; answers where it stopped. */
    read(chunk: Uint8Array, from: number): number {
      let i = from
      for (; i < chunk.length; i++) {
        const byte = chunk[i] ?? 0
        if (byte === LF || byte === CR) break
        if (!inString) {
          if (byte === QUOTE) {
            inString = true
            hash = length = 0
          } else if (byte === 0x3a) key = lastString
          else if (byte === 0x2c || byte === 0x7b || byte === 0x7d) key = 0
          continue
        }
        if (escaping > 0) {
          // 1: the byte after a backslash. 5 to 2: the four digits of \uXXXX, of which only the last counts.
          escaping = escaping === 1 && byte === 0x75 ? 5 : escaping - 1
          if (escaping > 1) continue
          escaping = 0
          length += 1
        } else if (byte === BACKSLASH) escaping = 1
        else if (byte === QUOTE) {
          inString = false
          if (COUNTED.has(key)) count += length
          lastString = hash
        } else {
          hash = (Math.imul(hash, 31) + byte) | 0
          if ((byte & 0xc0) !== 0x80) length += 1
        }
      }
      return i
    },
  }
}

function hashOf(text: string): number {
  let hash = 0
  for (const character of text) hash = (Math.imul(hash, 31) + character.charCodeAt(0)) | 0
  return hash
}

function textOf(parts: readonly Uint8Array[]): string {
  const decoder = new TextDecoder()
  return parts.map((part) => decoder.decode(part, { stream: true })).join('') + decoder.decode()
}

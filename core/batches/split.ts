/** Takes the body of a batch apart while it arrives: its requests one by one, all other bytes as they are. */
import { joined } from '../bytes.ts'
import { Refusal } from '../errors.ts'
import { isCloser, isOpener, isSpace, OPEN_BRACE, QUOTE, stringFrom } from '../json/tokens.ts'

const BACKSLASH = 0x5c
const COMMA = 0x2c
const OPEN_BRACKET = 0x5b
const LONGEST_KEY = 200
const DEEPEST = 10_000
const EMPTY = new Uint8Array(0)
const DECODER = new TextDecoder()

/**
 * The same bytes, with each request as `take` answers it. Throws a Refusal body_invalid for what is no object with one list
 * `requests` of objects, each of at most `most` bytes; and what `take` and `keep` throw. `keep` is told how much longer than all
 * before it a request is, because each is in memory until it is whole.
 */
export async function* rewritten(
  pieces: AsyncIterable<Uint8Array>,
  most: number,
  { take, keep }: { take(request: Uint8Array): Promise<Uint8Array>; keep(bytes: number): void },
): AsyncGenerator<Uint8Array> {
  const splitter = createSplitter(most, keep)
  for await (const piece of pieces) {
    const out: Uint8Array[] = []
    for (const part of splitter.write(piece)) out.push(part.isRequest ? await take(part.bytes) : part.bytes)
    if (out.length > 0) yield joined(out)
  }
  splitter.end()
}

interface Part {
  bytes: Uint8Array
  isRequest: boolean
}

/** Where in the body a byte is. */
interface Place {
  depth: number
  inString: boolean
  escaped: boolean
  /** At the top level: a key is next, or under way. */
  keyNext: boolean
  key: number[] | undefined
  name: string
  /** Lists of requests so far; whether this is one. */
  lists: number
  inList: boolean
  started: boolean
}

function inText(place: Place, byte: number) {
  if (place.key && place.key.length <= LONGEST_KEY) place.key.push(byte)
  if (place.escaped) place.escaped = false
  else if (byte === BACKSLASH) place.escaped = true
  else if (byte === QUOTE) {
    place.inString = false
    if (!place.key) return
    const text = DECODER.decode(Uint8Array.from(place.key))
    place.name = place.key.length > LONGEST_KEY ? '' : (stringFrom(text) ?? '')
    place.key = undefined
    place.keyNext = false
  }
}

function open(place: Place, byte: number) {
  place.depth += 1
  if (place.depth > DEEPEST) throw invalid('The body is nested too deep.')
  if (place.depth === 1) {
    if (byte !== OPEN_BRACE || place.started) throw invalid('The body is not a JSON object.')
    place.started = place.keyNext = true
  } else if (place.depth === 2 && place.name === 'requests') {
    place.lists += 1
    if (byte !== OPEN_BRACKET || place.lists > 1) throw invalid('requests: one list is expected.')
    place.inList = true
  }
}

/** A byte outside of strings. Answers whether a request begins or ends with it. */
function step(place: Place, byte: number): 'begins' | 'ends' | undefined {
  const between = place.inList && place.depth === 2
  if (byte === QUOTE) {
    if (between) throw invalid('requests: objects are expected.')
    place.inString = true
    if (place.depth === 1 && place.keyNext) place.key = [byte]
  } else if (isOpener(byte)) {
    open(place, byte)
    if (between && byte !== OPEN_BRACE) throw invalid('requests: objects are expected.')
    return between ? 'begins' : undefined
  } else if (isCloser(byte)) {
    place.depth -= 1
    if (place.depth < 0) throw invalid('The body is not a JSON object.')
    if (place.depth === 1) place.inList = false
    if (place.inList && place.depth === 2) return 'ends'
  } else if (place.depth === 1 && byte === COMMA) {
    place.keyNext = true
    place.name = ''
  } else if (between && byte !== COMMA && !isSpace(byte)) throw invalid('requests: objects are expected.')
  return undefined
}

function createSplitter(most: number, keep: (bytes: number) => void) {
  const place: Place = {
    depth: 0,
    inString: false,
    escaped: false,
    keyNext: false,
    key: undefined,
    name: '',
    lists: 0,
    inList: false,
    started: false,
  }
  /** The request that is being read, as far as it is in earlier pieces. */
  let request: Uint8Array[] | undefined
  let size = 0
  let longest = 0
  function grow(bytes: Uint8Array) {
    size += bytes.length
    if (size > most) {
      throw new Refusal('body_too_large', `A request of the batch is larger than ${most} bytes.`)
    }
    if (size > longest) {
      keep(size - longest)
      longest = size
    }
    request?.push(bytes)
  }
  return {
    *write(piece: Uint8Array): Generator<Part> {
      let from = 0
      for (let i = 0; i < piece.length; i++) {
        const byte = piece[i] ?? 0
        if (place.inString) {
          inText(place, byte)
          continue
        }
        const edge = step(place, byte)
        if (edge === 'begins') {
          if (i > from) yield { bytes: piece.subarray(from, i), isRequest: false }
          from = i
          request = []
          size = 0
        } else if (edge === 'ends') {
          grow(piece.subarray(from, i + 1))
          yield { bytes: joined(request ?? []), isRequest: true }
          from = i + 1
          request = undefined
        }
      }
      const rest = from < piece.length ? piece.subarray(from) : EMPTY
      if (request) grow(rest)
      else if (rest.length > 0) yield { bytes: rest, isRequest: false }
    },
    end() {
      if (!place.started || place.depth !== 0 || place.inString)
        throw invalid('The body is not a JSON object.')
      if (place.lists === 0) throw invalid('requests: a list is expected.')
    },
  }
}

function invalid(problem: string): Refusal {
  return new Refusal('body_invalid', problem)
}

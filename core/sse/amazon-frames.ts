/**
 * Reads frames of `application/vnd.amazon.eventstream`, cut anywhere. A frame begins with its length and carries two checksums:
 * https://docs.aws.amazon.com/transcribe/latest/dg/streaming-setting-up.html#streaming-event-stream
 */
import { EventStreamCodec } from '@smithy/eventstream-codec'
import { createPieces } from '../bytes.ts'

const LENGTH_BYTES = 4
/** Length, length of the headers and two checksums. */
const SMALLEST_FRAME = 16
/** AWS sends none above 16 MiB of payload and 128 KiB of headers, so a longer one is damaged. */
const LARGEST_FRAME = 17 * 1024 * 1024

const DECODER = new TextDecoder()
const CODEC = new EventStreamCodec(
  (bytes) => (typeof bytes === 'string' ? bytes : DECODER.decode(bytes)),
  (text) => new TextEncoder().encode(text),
)

export interface AmazonFrame {
  /** A header that is a text, such as `:message-type`; undefined where there is none. */
  header(name: string): string | undefined
  payload: Uint8Array
}

export interface AmazonFrameReader {
  /** The frames that these bytes complete. Throws when one is damaged; nothing may be written afterwards. */
  write(chunk: Uint8Array): AmazonFrame[]
  /** The stream is over. Throws when it ended within a frame. */
  end(): void
}

export function createAmazonFrameReader(): AmazonFrameReader {
  const pieces = createPieces()
  /** How many bytes there must be before anything can be done. */
  let needed = LENGTH_BYTES

  function write(chunk: Uint8Array): AmazonFrame[] {
    pieces.add(chunk)
    if (pieces.size() < needed) return []
    const bytes = pieces.take()
    const frames: AmazonFrame[] = []
    let at = 0
    for (;;) {
      const left = bytes.byteLength - at
      needed = left < LENGTH_BYTES ? LENGTH_BYTES : lengthAt(bytes, at)
      if (left < needed) break
      frames.push(frameOf(bytes.subarray(at, at + needed)))
      at += needed
    }
    if (at < bytes.byteLength) pieces.add(bytes.subarray(at))
    return frames
  }

  return {
    write,
    end() {
      if (pieces.size() > 0) throw new Error('the event stream ended within a frame')
    },
  }
}

function lengthAt(bytes: Uint8Array, at: number): number {
  const length = new DataView(bytes.buffer, bytes.byteOffset + at, LENGTH_BYTES).getUint32(0)
  if (length < SMALLEST_FRAME || length > LARGEST_FRAME) {
    throw new Error('a frame of the event stream has an impossible length')
  }
  return length
}

function frameOf(bytes: Uint8Array): AmazonFrame {
  const { headers, body } = CODEC.decode(bytes)
  return {
    header(name) {
      const header = headers[name]
      return header?.type === 'string' ? header.value : undefined
    },
    payload: body,
  }
}

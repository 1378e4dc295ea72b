/** Undoes the content-encoding of request bodies. Node does this in its thread pool, so that nobody else waits for it. */
import {
  constants,
  createBrotliDecompress,
  createGunzip,
  createInflate,
  createInflateRaw,
  createZstdDecompress,
} from 'node:zlib'
import { joined } from '../../core/bytes.ts'
import type { ContentEncoding, Decompress } from '../../core/ports.ts'

/** In bytes: a trip to the thread pool and back per piece. */
const chunkSize = 64 * 1024
/** 8 MiB, the largest window that HTTP allows (RFC 9659): a frame may ask for 128 MiB before it has any content. */
const LARGEST_WINDOW_LOG = 23
/** A body of zstd may be several frames (RFC 8878), of which Node's decoder reads one. Each takes a decoder. */
const MOST_FRAMES = 1_000
/** The compression method of a zlib header, which some clients leave out: https://www.rfc-editor.org/rfc/rfc9110#section-8.4.1.2 */
const DEFLATE = 8

function decoderFor(encoding: ContentEncoding, body: Uint8Array) {
  switch (encoding) {
    case 'gzip':
      return createGunzip({ chunkSize })
    case 'br':
      return createBrotliDecompress({ chunkSize })
    case 'zstd':
      return createZstdDecompress({
        chunkSize,
        params: { [constants.ZSTD_d_windowLogMax]: LARGEST_WINDOW_LOG },
      })
    case 'deflate': {
      const hasHeader = ((body[0] ?? 0) & 0x0f) === DEFLATE
      return hasHeader ? createInflate({ chunkSize }) : createInflateRaw({ chunkSize })
    }
  }
}

export const decompress: Decompress = (encoding, body, take) => {
  const { promise, resolve, reject } = Promise.withResolvers<Uint8Array | undefined>()
  const pieces: Uint8Array[] = []
  const decode = (part: Uint8Array, frame: number) => {
    const decoder = decoderFor(encoding, part)
    decoder.on('data', (piece: Uint8Array) => {
      if (take(piece.byteLength)) pieces.push(piece)
      else {
        resolve(undefined)
        decoder.destroy()
      }
    })
    decoder.on('end', () => {
      const rest = encoding === 'zstd' ? part.subarray(decoder.bytesWritten) : part.subarray(part.length)
      if (rest.length === 0) resolve(joined(pieces))
      else if (frame < MOST_FRAMES) decode(rest, frame + 1)
      else reject(new Error(`more than ${MOST_FRAMES} frames`))
    })
    decoder.on('error', reject)
    decoder.end(part)
  }
  decode(body, 1)
  return promise
}

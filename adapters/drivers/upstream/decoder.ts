/** Decoders for content-encoding. */
import type { Transform } from 'node:stream'
import { createBrotliDecompress, createGunzip, createInflate, createZstdDecompress } from 'node:zlib'
import { coded } from './coded.ts'

const DECODERS = new Map(
  Object.entries<() => Transform>({
    gzip: createGunzip,
    'x-gzip': createGunzip,
    deflate: createInflate,
    br: createBrotliDecompress,
    zstd: createZstdDecompress,
  }),
)

/** Throws an Error for an unknown encoding and for several. */
export function decoderFor(encoding: string): Transform {
  const create = DECODERS.get(encoding.trim().toLowerCase())
  if (!create) throw coded('UNKNOWN_ENCODING', `answered in the encoding ${encoding.slice(0, 40)}`)
  return create()
}

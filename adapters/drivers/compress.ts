/** Compresses answers. Node does this in its thread pool, so that nobody else waits for it. */
import { promisify } from 'node:util'
import { gzip } from 'node:zlib'
import type { Compress } from '../../core/ports.ts'

const zipped = promisify(gzip)

export const compress: Compress = (body) => zipped(body)

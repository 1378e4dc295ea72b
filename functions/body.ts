/** Reads request bodies within limits of size and time, and undoes their content-encoding. */

import { ClientGone } from '../core/calls/forward.ts'
import { asRefusal, Refusal } from '../core/errors.ts'
import { headerOf } from '../core/http/headers.ts'
import type { Clock, ContentEncoding, Decompress, HeaderPairs, TakeBytes } from '../core/ports.ts'

/** Bytes of a too large body that are read and discarded before its connection is closed. */
export const MOST_DISCARDED = 64 * 1024 * 1024
/** A piece that is discarded counts as so many bytes more, because what it costs is to take it. */
export const PIECE_BYTES = 1024
/** A body may come in so many pieces, and in more if they have some bytes each: nobody else is served while they are taken. */
const MOST_PIECES = 10_000
const LEAST_PIECE_BYTES = 64

/** An upload that sends nothing for this long is given up. */
const STALLED_MS = 30_000

/** Names of content-encodings, and what is meant by them. */
const ENCODINGS: ReadonlyMap<string, ContentEncoding> = new Map([
  ['zstd', 'zstd'],
  ['gzip', 'gzip'],
  ['x-gzip', 'gzip'],
  ['br', 'br'],
  ['deflate', 'deflate'],
])

export interface Reading {
  clock: Clock
  headers: HeaderPairs
  /** Wire.body of this request. */
  read(take: TakeBytes): Promise<Uint8Array | undefined>
  decompress: Decompress
  /** Called with the size of each piece, as it came and as it is decompressed. May throw a Refusal. */
  add?(bytes: number): void
}

/** content-length in bytes, 0 without it. Throws a Refusal: body_too_large, or unsupported_media_type for its encoding. */
export function announcedBytes(headers: HeaderPairs, most: number): number {
  encodingOf(headers)
  const announced = Number(headerOf(headers, 'content-length') ?? 0)
  if (announced > most) throw tooLarge(most, announced)
  return announced
}

/** The body's content-encoding, undefined for none. Throws a Refusal unsupported_media_type for others, and for several. */
function encodingOf(headers: HeaderPairs): ContentEncoding | undefined {
  const named = headerOf(headers, 'content-encoding')?.trim().toLowerCase() ?? ''
  if (named === '' || named === 'identity') return undefined
  const encoding = ENCODINGS.get(named)
  if (encoding) return encoding
  throw new Refusal(
    'unsupported_media_type',
    `The content-encoding ${named.slice(0, 40)} is not understood. Send the body as it is, or in zstd, gzip, br or deflate.`,
    { headers: [['accept-encoding', 'zstd, gzip, br, deflate']] },
  )
}

/**
 * Reads and decompresses at most `most` bytes. Throws a Refusal unsupported_media_type; rejects with a Refusal (body_too_large,
 * body_invalid, upload_stalled, what `add` throws) or ClientGone.
 */
export function readBody(most: number, reading: Reading): Promise<Uint8Array> {
  const encoding = encodingOf(reading.headers)
  const arriving = arrived(most, reading)
  return encoding ? arriving.then((body) => decompressed(body, encoding, most, reading)) : arriving
}

/**
 * The body piece by piece, nothing of it kept or told to `add`; one with a content-encoding is read whole first, at most `whole`
 * bytes of it. Throws a Refusal or ClientGone, as readBody, when a piece is asked for.
 */
export async function* piecesOf(
  { most, whole }: { most: number; whole: number },
  reading: Reading & { pieces(): AsyncIterable<Uint8Array> },
): AsyncGenerator<Uint8Array> {
  if (encodingOf(reading.headers)) {
    announcedBytes(reading.headers, whole)
    return void (yield await readBody(whole, reading))
  }
  const pieces = reading.pieces()[Symbol.asyncIterator]()
  const taking = createTaking(most, undefined)
  try {
    for (;;) {
      const { done, value } = await beforeStall(reading.clock, pieces.next())
      if (done) return
      if (!taking.take(value.byteLength)) throw taking.refused() ?? tooLarge(most, 0)
      yield value
    }
  } finally {
    void pieces.return?.()
  }
}

/** A Refusal upload_stalled if the piece takes too long; ClientGone if it does not come. */
async function beforeStall<T>(clock: Clock, piece: Promise<T>): Promise<T> {
  const { promise, reject } = Promise.withResolvers<never>()
  const cancel = clock.after(STALLED_MS, () => reject(stalled()))
  const came = piece.catch(() => {
    throw new ClientGone()
  })
  return Promise.race([came, promise]).finally(cancel)
}

/** Counts the pieces of a body. `take` answers false once there are more than `most` bytes, or `add` throws. */
function createTaking(most: number, add: Reading['add']) {
  let size = 0
  let pieces = 0
  let refused: Refusal | undefined
  return {
    take(bytes: number): boolean {
      if (refused) return false
      size += bytes
      pieces += 1
      try {
        if (size > most) throw tooLarge(most, 0)
        if (pieces > MOST_PIECES && size < pieces * LEAST_PIECE_BYTES) throw tooManyPieces()
        add?.(bytes)
      } catch (thrown) {
        refused = asRefusal(thrown)
      }
      return refused === undefined
    },
    refused: () => refused,
  }
}

async function decompressed(
  body: Uint8Array,
  encoding: ContentEncoding,
  most: number,
  { decompress, add }: Reading,
): Promise<Uint8Array> {
  const taking = createTaking(most, add)
  const whole = await decompress(encoding, body, taking.take).catch((cause: unknown) => {
    throw new Refusal('body_invalid', `The body is no valid ${encoding}.`, { cause })
  })
  if (whole) return whole
  throw taking.refused() ?? tooLarge(most, 0)
}

function arrived(most: number, { clock, read, add }: Reading): Promise<Uint8Array> {
  const { promise, resolve, reject } = Promise.withResolvers<Uint8Array>()
  const taking = createTaking(most, add)
  let lastByteAt = clock.elapsed()
  const take = (bytes: number) => {
    lastByteAt = clock.elapsed()
    return taking.take(bytes)
  }
  // One timer per body instead of one per piece: it fires when the upload may have stalled and then checks.
  const watch = (ms: number): (() => void) =>
    clock.after(ms, () => {
      const silentMs = clock.elapsed() - lastByteAt
      if (silentMs < STALLED_MS) cancelWatch = watch(STALLED_MS - silentMs)
      else reject(taking.refused() ?? stalled())
    })
  let cancelWatch = watch(STALLED_MS)
  read(take).then(
    (body) => {
      cancelWatch()
      if (body && !taking.refused()) resolve(body)
      else reject(taking.refused())
    },
    () => {
      cancelWatch()
      reject(new ClientGone())
    },
  )
  return promise
}

/**
 * The connection stays open until MOST_DISCARDED more bytes have come, because a client that is still sending would
 * otherwise see a broken pipe instead of this refusal.
 */
function tooLarge(most: number, announced: number): Refusal {
  const size = most >= 1_048_576 ? `${Math.floor(most / 1_048_576)} MiB` : `${most} bytes`
  return new Refusal('body_too_large', `The request is larger than ${size}.`, {
    headers: announced > most + MOST_DISCARDED ? [['connection', 'close']] : [],
  })
}

function tooManyPieces(): Refusal {
  return new Refusal(
    'body_invalid',
    'The body comes in too many pieces of few bytes. Send it in larger ones.',
    {
      headers: [['connection', 'close']],
    },
  )
}

function stalled(): Refusal {
  return new Refusal('upload_stalled', 'The rest of the request did not come. Please send it again.', {
    headers: [['connection', 'close']],
  })
}

/** Reads request bodies within limits of size and time. */

import { ClientGone } from '../core/calls/forward.ts'
import { asRefusal, Refusal } from '../core/errors.ts'
import { headerOf } from '../core/http/headers.ts'
import type { Clock, HeaderPairs, TakeBytes } from '../core/ports.ts'

/** Bytes of a too large body that are read and discarded before its connection is closed. */
export const MOST_DISCARDED = 64 * 1024 * 1024

/** An upload that sends nothing for this long is given up. */
const STALLED_MS = 30_000

export interface Reading {
  clock: Clock
  /** Wire.body of this request. */
  read(take: TakeBytes): Promise<Uint8Array | undefined>
  /** Called with the size of each piece. May throw a Refusal. */
  add?(bytes: number): void
}

/** content-length in bytes, 0 without it. Throws a Refusal: body_too_large, or body_invalid for a content-encoding. */
export function announcedBytes(headers: HeaderPairs, most: number): number {
  const encoding = headerOf(headers, 'content-encoding')
  if (encoding && encoding !== 'identity') {
    throw new Refusal(
      'body_invalid',
      `Send the body uncompressed: content-encoding ${encoding} is not supported.`,
    )
  }
  const announced = Number(headerOf(headers, 'content-length') ?? 0)
  if (announced > most) throw tooLarge(most, announced)
  return announced
}

/** Reads at most `most` bytes. Rejects with a Refusal (body_too_large, upload_stalled, what `add` throws) or ClientGone. */
export function readBody(most: number, { clock, read, add }: Reading): Promise<Uint8Array> {
  const { promise, resolve, reject } = Promise.withResolvers<Uint8Array>()
  let size = 0
  let lastByteAt = clock.elapsed()
  let refused: Refusal | undefined
  const take = (bytes: number) => {
    if (refused) return false
    lastByteAt = clock.elapsed()
    size += bytes
    try {
      if (size > most) throw tooLarge(most, 0)
      add?.(bytes)
    } catch (thrown) {
      refused = asRefusal(thrown)
    }
    return refused === undefined
  }
  // One timer per body instead of one per piece: it fires when the upload may have stalled and then checks.
  const watch = (ms: number): (() => void) =>
    clock.after(ms, () => {
      const silentMs = clock.elapsed() - lastByteAt
      if (silentMs < STALLED_MS) cancelWatch = watch(STALLED_MS - silentMs)
      else {
        refused ??= stalled()
        reject(refused)
      }
    })
  let cancelWatch = watch(STALLED_MS)
  read(take).then(
    (body) => {
      cancelWatch()
      if (body && !refused) resolve(body)
      else reject(refused)
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

function stalled(): Refusal {
  return new Refusal('upload_stalled', 'The rest of the request did not come. Please send it again.', {
    headers: [['connection', 'close']],
  })
}

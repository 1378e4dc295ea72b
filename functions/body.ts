/** The body of a request: how long it may be, and how long it may take. */

import { ClientGone } from '../core/calls/forward.ts'
import { asRefusal, Refusal } from '../core/errors.ts'
import { headerOf } from '../core/http/headers.ts'
import type { Clock, HeaderPairs, TakeBytes } from '../core/ports.ts'

/** How much of a body that is too large may still come, to be thrown away, before its connection is closed. In bytes. */
export const MOST_DISCARDED = 64 * 1024 * 1024

/** An upload of which nothing comes for so long is given up. */
const STALLED_MS = 30_000

export interface Reading {
  clock: Clock
  /** As Wire has it. */
  read(take: TakeBytes): Promise<Uint8Array | undefined>
  /** Hears of `bytes` more. May throw a Refusal. */
  add?(bytes: number): void
}

/** How long the body says to be, 0 when it does not. Throws a Refusal: body_too_large, or body_invalid when it is encoded. */
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

/** The whole body, at most `most` bytes. Throws a Refusal: body_too_large, upload_stalled, what `add` throws; or ClientGone. */
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
  // One timer a body, not one a piece: it looks when the time could be over at the earliest.
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
 * Whoever still sends is let finish, within reason, and nothing of it is kept: a connection that is closed upon them would
 * tell them of a broken pipe instead of this.
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

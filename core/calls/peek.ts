/** Holds the beginning of an answer back until there is enough of it to judge it. */
import { joined } from '../bytes.ts'
import type { MaybePromise, Sink, UpstreamReply } from '../ports.ts'
import { OPENING_BYTES } from '../sse/event-name.ts'

/**
 * The same reply, whose `first` is all that came until `isClear` accepted it, it was longer than OPENING_BYTES, or it ended.
 * Rejects when the answer was cut or aborted before that.
 */
export function peeked(
  reply: UpstreamReply,
  isClear: (bytes: Uint8Array) => boolean,
): Promise<UpstreamReply> {
  const held: Uint8Array[] = []
  let size = 0
  let target: Sink | undefined
  const attached = Promise.withResolvers<void>()
  const { promise, resolve, reject } = Promise.withResolvers<UpstreamReply>()
  const clear = () => {
    const first = joined(held)
    resolve({
      ...reply,
      first,
      async pipe(sink) {
        await sink.write(first)
        target = sink
        attached.resolve()
        await flowing
      },
    })
  }
  const write = (chunk: Uint8Array): MaybePromise<void> => {
    if (target) return target.write(chunk)
    if (held.length > 0 && isDecided) return attached.promise.then(() => target?.write(chunk))
    held.push(chunk)
    size += chunk.byteLength
    isDecided = size > OPENING_BYTES || isClear(joined(held))
    if (!isDecided) return
    clear()
    // Chunks that follow wait until somebody pipes the reply.
  }
  let isDecided = false
  const flowing = Promise.resolve(reply.pipe({ write }))
  flowing.then(
    () => {
      if (!isDecided) clear()
    },
    (cause) => reject(cause),
  )
  return promise
}

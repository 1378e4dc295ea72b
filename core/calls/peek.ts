/** Holds the beginning of an answer back until there is enough of it to judge it. */
import { createPieces } from '../bytes.ts'
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
  const held = createPieces()
  let target: Sink | undefined
  const attached = Promise.withResolvers<void>()
  const { promise, resolve, reject } = Promise.withResolvers<UpstreamReply>()
  const clear = () => {
    const first = held.take()
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
    // Chunks that follow wait until somebody pipes the reply.
    if (isDecided) return attached.promise.then(() => target?.write(chunk))
    held.add(chunk)
    if (held.size() > OPENING_BYTES) decide()
    else judging ??= Promise.resolve().then(judge).catch(reject)
  }
  let isDecided = false
  let judging: Promise<void> | undefined
  const decide = () => {
    isDecided = true
    clear()
  }
  // Once for all that was read together, because some send thousands of chunks in one read.
  const judge = () => {
    judging = undefined
    if (!isDecided && isClear(held.bytes())) decide()
  }
  const flowing = Promise.resolve(reply.pipe({ write }))
  flowing.then(
    () => {
      if (!isDecided) clear()
    },
    (cause) => reject(cause),
  )
  return promise
}

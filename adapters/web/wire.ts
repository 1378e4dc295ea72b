/** A Wire on web-standard objects, for every runtime without a faster way. */
import { joined } from '../../core/bytes.ts'
import type { Sink, Wire } from '../../core/ports.ts'

/** Bodies of up to this many bytes are read at once. */
const AT_ONCE = 64 * 1024

/** `peer` is Wire.peer, because only the runtime knows the address. */
export function webWire(peer: Wire['peer'], waitUntil: (work: Promise<unknown>) => void): Wire {
  return {
    headers: (request) => [...request.headers],
    peer,
    async body(request, _bindings, take) {
      const announced = Number(request.headers.get('content-length') ?? Number.NaN)
      if (announced <= AT_ONCE) {
        return take(announced) ? new Uint8Array(await request.arrayBuffer()) : undefined
      }
      const chunks: Uint8Array[] = []
      for await (const chunk of request.body ?? []) {
        if (!take(chunk.byteLength)) return undefined
        chunks.push(chunk)
      }
      return joined(chunks)
    },
    pieces: (request) => request.body ?? nothing(),
    free: () => false,
    left: (request) => request.signal,
    respond(reply) {
      const { readable, sink, end } = pushedStream()
      waitUntil(
        Promise.resolve(reply.pipe(sink)).then(
          () => end(),
          (cause: unknown) => end(cause ?? new Error('cut')),
        ),
      )
      const empty = reply.status === 204 || reply.status === 205 || reply.status === 304
      return new Response(empty ? null : readable, { status: reply.status, headers: reply.headers })
    },
  }
}

async function* nothing(): AsyncGenerator<Uint8Array> {}

/** A stream with a sink. A write waits until the reader wants more; `end` with a cause makes the stream fail. */
function pushedStream(): { readable: ReadableStream<Uint8Array>; sink: Sink; end(cause?: unknown): void } {
  const left = new AbortController()
  let controller: ReadableStreamDefaultController<Uint8Array> | undefined
  let wake = () => {}
  const readable = new ReadableStream<Uint8Array>({
    start(started) {
      controller = started
    },
    pull: () => wake(),
    cancel() {
      left.abort(new Error('the client left'))
      wake()
    },
  })
  return {
    readable,
    sink: {
      left: left.signal,
      write(chunk) {
        if (left.signal.aborted) return Promise.reject(left.signal.reason)
        controller?.enqueue(chunk)
        if ((controller?.desiredSize ?? 0) > 0) return
        return new Promise((resolve) => {
          wake = resolve
        })
      },
    },
    end(cause) {
      if (left.signal.aborted) return
      if (cause === undefined) controller?.close()
      else controller?.error(cause)
    },
  }
}

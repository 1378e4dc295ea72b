/** Requests and replies as the web's own objects: for every runtime that has no faster way. */
import type { HeaderPairs, Reply, Sink } from '../ports.ts'

/** The headers of a request where there is nothing but the request. */
export function webHeaders(request: Request): HeaderPairs {
  return [...request.headers]
}

export function webRespond(waitUntil: (work: Promise<unknown>) => void): (reply: Reply) => Response {
  return (reply) => {
    const { readable, sink, end } = pushedStream()
    waitUntil(
      Promise.resolve(reply.pipe(sink)).then(
        () => end(),
        (cause: unknown) => end(cause ?? new Error('cut')),
      ),
    )
    const empty = reply.status === 204 || reply.status === 205 || reply.status === 304
    return new Response(empty ? null : readable, { status: reply.status, headers: reply.headers })
  }
}

/** A stream that is written to; a write waits until the reader wants more. `end` with a cause breaks it off. */
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

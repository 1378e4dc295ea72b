/** Upstream on the runtime's fetch, for Workers. Redirects are returned, not followed. */
import type { HeaderPairs, Upstream } from '../../../core/ports.ts'
import { coded } from './coded.ts'

export function fetchUpstream(): Upstream {
  return {
    async send({ origin, method, path, headers, body }, signal) {
      const stop = new AbortController()
      const onAbort = () => stop.abort(signal.reason)
      if (signal.aborted) onAbort()
      else signal.addEventListener('abort', onAbort)
      const response = await fetch(`${origin}${path}`, {
        method,
        headers,
        redirect: 'manual',
        signal: stop.signal,
        ...(body ? sendable(body) : {}),
      })
      const fields = decodedHeaders(response.headers)
      const reader = response.body?.getReader()
      const first = (await reader?.read())?.value
      return {
        status: response.status,
        headers: fields,
        first,
        cancel: () => stop.abort(new Error('cancelled')),
        async pipe(sink) {
          try {
            for (let chunk = first; chunk; chunk = (await reader?.read())?.value) await sink.write(chunk)
          } catch (cause) {
            stop.abort(cause)
            throw cause
          } finally {
            signal.removeEventListener('abort', onAbort)
          }
        },
      }
    },
    close: async () => {},
  }
}

/** What fetch takes as a body. `duplex` is needed with a stream (https://fetch.spec.whatwg.org/#dom-requestinit-duplex). */
function sendable(body: Uint8Array | AsyncIterable<Uint8Array>): RequestInit {
  // The cast holds because the bytes are never a view of shared memory.
  if (body instanceof Uint8Array) return { body: body as Uint8Array<ArrayBuffer> }
  const pieces = body[Symbol.asyncIterator]()
  const stream = new ReadableStream<Uint8Array>({
    async pull(controller) {
      const { done, value } = await pieces.next()
      if (done) controller.close()
      else controller.enqueue(value)
    },
    async cancel() {
      await pieces.return?.()
    },
  })
  return Object.assign({ body: stream }, { duplex: 'half' })
}

/** Encodings that every runtime's fetch decodes. */
const DECODED = new Set(['gzip', 'x-gzip', 'br'])

/** The headers of the decoded body. Throws an Error for an encoding that fetch may not decode. */
function decodedHeaders(headers: Headers): HeaderPairs {
  const fields: HeaderPairs = [...headers].map(([name, value]) => [name, value])
  const encoding = headers.get('content-encoding')?.trim().toLowerCase()
  if (!encoding || encoding === 'identity') return fields
  if (!DECODED.has(encoding))
    throw coded('UNKNOWN_ENCODING', `answered in the encoding ${encoding.slice(0, 40)}`)
  return fields.filter(([name]) => name !== 'content-encoding' && name !== 'content-length')
}

/** Upstream on the runtime's own fetch: Workers and Lambda. Redirects come back as they are. */
import type { HeaderPairs, Upstream } from '../../../core/ports.ts'

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
        // The bytes come from this process and are never a view of shared memory.
        ...(body ? { body: body as Uint8Array<ArrayBuffer> } : {}),
      })
      const reader = response.body?.getReader()
      const first = (await reader?.read())?.value
      const fields: HeaderPairs = [...response.headers].map(([name, value]) => [name, value])
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

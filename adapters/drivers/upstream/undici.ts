/**
 * Upstream on undici's dispatch: each chunk goes on as it leaves the socket, with no stream object between.
 * HTTP/1.1 only: sessions that share one HTTP/2 connection block each other behind one slow reader.
 */
import { Agent, type Dispatcher, errors } from 'undici'
import type { HeaderPairs, Sink, Upstream, UpstreamReply, UpstreamRequest } from '../../../core/ports.ts'
import { flatHeaders } from '../flat-headers.ts'

const CONNECT_TIMEOUT_MS = 5_000
const KEEP_ALIVE_MS = 30_000

/** Time limits are the core's: undici's own would cut long thinking. */
export function undiciUpstream(): Upstream {
  const agent = new Agent({
    allowH2: false,
    bodyTimeout: 0,
    headersTimeout: 0,
    keepAliveTimeout: KEEP_ALIVE_MS,
    maxHeaderSize: 64 * 1024,
    connect: { timeout: CONNECT_TIMEOUT_MS },
  })
  const once = (request: UpstreamRequest, signal: AbortSignal) => {
    const { promise, resolve, reject } = Promise.withResolvers<UpstreamReply>()
    const { origin, method, path, headers, body } = request
    agent.dispatch(
      { origin, method, path, headers: flatHeaders(headers), body: body ?? null },
      receiver(signal, resolve, reject),
    )
    return promise
  }
  return {
    // A server may close an idle connection just as the call goes out on it. Nothing was processed then: once more.
    send: (request, signal) =>
      once(request, signal).catch((cause) => {
        if (signal.aborted || !(cause instanceof IdleClosed)) throw cause
        return once(request, signal)
      }),
    close: () => agent.destroy(),
  }
}

/** The connection had served an answer before, and was closed before any byte of this one. */
class IdleClosed extends Error {}

function wasIdleClosed(cause: unknown): boolean {
  return cause instanceof errors.SocketError && (cause.socket?.bytesRead ?? 0) > 0
}

function receiver(
  signal: AbortSignal,
  resolve: (reply: UpstreamReply) => void,
  reject: (cause: unknown) => void,
): Dispatcher.DispatchHandler {
  let controller: Dispatcher.DispatchController | undefined
  let status = 0
  const headers: HeaderPairs = []
  let sink: Sink | undefined
  let ended = false
  let writing: Promise<void> | undefined
  let failure: { cause: unknown } | undefined
  let finish: { resolve(): void; reject(cause: unknown): void } | undefined

  const abort = (cause: unknown) =>
    controller?.abort(cause instanceof Error ? cause : new Error(String(cause)))
  const onAbort = () => abort(signal.reason)

  const deliver = (target: Sink, chunk: Uint8Array) => {
    const wait = target.write(chunk)
    if (!wait) return
    writing = wait
    controller?.pause()
    wait.then(() => controller?.resume(), abort)
  }
  /** The body is whole once its last chunk was taken, which may be after its end was seen. */
  const conclude = () => {
    if (writing) writing.then(finish?.resolve, finish?.reject)
    else finish?.resolve()
  }
  const pipe = (first: Uint8Array | undefined, target: Sink): Promise<void> => {
    const body = Promise.withResolvers<void>()
    finish = body
    sink = target
    if (first) {
      try {
        deliver(target, first)
      } catch (cause) {
        abort(cause)
      }
    }
    if (failure) body.reject(failure.cause)
    else if (ended) conclude()
    else controller?.resume()
    return body.promise
  }
  const answer = (first: Uint8Array | undefined) =>
    resolve({
      status,
      headers,
      first,
      cancel: () => abort(new Error('cancelled')),
      pipe: (target) => pipe(first, target),
    })

  return {
    onRequestStart(started) {
      controller = started
      if (signal.aborted) onAbort()
      else signal.addEventListener('abort', onAbort, { once: true })
    },
    onResponseStart(_controller, code, fields) {
      status = code
      for (const [name, value] of Object.entries(fields)) {
        if (typeof value === 'string') headers.push([name, value])
        else for (const one of value ?? []) headers.push([name, one])
      }
    },
    onResponseData(_controller, chunk) {
      if (sink) return deliver(sink, chunk)
      controller?.pause()
      answer(chunk)
    },
    onResponseEnd() {
      signal.removeEventListener('abort', onAbort)
      ended = true
      if (finish) conclude()
      else if (!sink) answer(undefined)
    },
    onResponseError(_controller, cause) {
      signal.removeEventListener('abort', onAbort)
      failure = { cause }
      if (finish) finish.reject(cause)
      else reject(status === 0 && wasIdleClosed(cause) ? new IdleClosed('idle connection', { cause }) : cause)
    },
  }
}

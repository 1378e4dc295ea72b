/**
 * Upstream on undici's dispatch: each chunk goes on as it leaves the socket, with no stream object between.
 * HTTP/1.1 only: sessions that share one HTTP/2 connection block each other behind one slow reader.
 */
import type { Transform } from 'node:stream'
import { Agent, type Dispatcher, errors } from 'undici'
import type {
  HeaderPairs,
  MaybePromise,
  Sink,
  Upstream,
  UpstreamReply,
  UpstreamRequest,
} from '../../../core/ports.ts'
import { headerOf } from '../../../core/proxy/headers.ts'
import type { StopSignal } from '../../../core/stop.ts'
import { flatHeaders } from '../flat-headers.ts'
import { decoderFor } from './decoder.ts'
import { guardedLookup } from './lookup.ts'

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
    connect: { timeout: CONNECT_TIMEOUT_MS, lookup: guardedLookup() },
  })
  const dispatch = (request: UpstreamRequest, signal: StopSignal, answered: Answered) => {
    const { origin, method, path, headers, body } = request
    agent.dispatch(
      { origin, method, path, headers: flatHeaders(headers), body: body ?? null },
      receiver(signal, answered),
    )
  }
  return {
    send: (request, signal) =>
      new Promise((resolve, reject) => {
        // A server may close an idle connection just as the call goes out on it. Nothing was processed then: once more.
        const again = (cause: unknown) => {
          if (signal.aborted || !(cause instanceof IdleClosed)) reject(cause)
          else dispatch(request, signal, { resolve, reject })
        }
        dispatch(request, signal, { resolve, reject: again })
      }),
    close: () => agent.destroy(),
  }
}

/** The connection had served an answer before, and was closed before any byte of this one. */
class IdleClosed extends Error {}

function wasIdleClosed(cause: unknown): boolean {
  return cause instanceof errors.SocketError && (cause.socket?.bytesRead ?? 0) > 0
}

/** What comes of a dispatched request. */
interface Answered {
  resolve(reply: UpstreamReply): void
  reject(cause: unknown): void
}

/** What brings the body and can be held up: the connection, or the decoder behind it. */
interface Source {
  pause(): unknown
  resume(): unknown
}

function receiver(signal: StopSignal, answered: Answered): Dispatcher.DispatchHandler {
  let controller: Dispatcher.DispatchController | undefined
  let source: Source | undefined
  let decoder: Transform | undefined
  let status = 0
  let headers: HeaderPairs = []
  /** Chunks that came before the pipe: the first, and one more that was read with it. */
  const early: Uint8Array[] = []
  let sink: Sink | undefined
  let ended = false
  /** The last write, while its sink takes its time. */
  let writing: Promise<void> | undefined
  let failure: { cause: unknown } | undefined
  let body: { resolve(): void; reject(cause: unknown): void } | undefined

  const abort = (cause: unknown) => {
    controller?.abort(cause instanceof Error ? cause : new Error(String(cause)))
    // The connection may be done with an answer that is still being decoded.
    if (decoder) fail(cause)
  }
  const onAbort = () => abort(signal.reason)

  const deliver = (target: Sink, chunk: Uint8Array) => {
    const wait = writing ? writing.then(() => target.write(chunk)) : target.write(chunk)
    if (!wait) return
    writing = wait
    // The connection may serve another call by now.
    if (ended) return
    source?.pause()
    wait.then(() => {
      if (writing !== wait) return
      writing = undefined
      if (!ended) source?.resume()
    }, abort)
  }
  const pipe = (target: Sink): MaybePromise<void> => {
    sink = target
    try {
      for (const chunk of early) deliver(target, chunk)
    } catch (cause) {
      if (ended) return Promise.reject(cause)
      abort(cause)
    }
    if (failure) return Promise.reject(failure.cause)
    if (ended) return writing
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    body = { resolve, reject }
    if (!writing) source?.resume()
    return promise
  }
  const answer = () =>
    answered.resolve({
      status,
      headers,
      first: early[0],
      cancel: () => abort(new Error('cancelled')),
      pipe,
    })

  const take = (chunk: Uint8Array) => {
    if (sink) return deliver(sink, chunk)
    early.push(chunk)
    // The rest of what was read with the first chunk may come, which often is the end: to stop it would cost more.
    if (early.length === 1) answer()
    else source?.pause()
  }
  const finish = () => {
    signal.removeEventListener('abort', onAbort)
    ended = true
    // The body is whole once its last chunk was taken, which may be after its end was seen.
    if (body && writing) writing.then(body.resolve, body.reject)
    else if (body) body.resolve()
    else if (early.length === 0) answer()
  }
  const fail = (cause: unknown) => {
    if (failure) return
    signal.removeEventListener('abort', onAbort)
    failure = { cause }
    decoder?.destroy()
    if (body) body.reject(cause)
    else if (status === 0 && wasIdleClosed(cause))
      answered.reject(new IdleClosed('idle connection', { cause }))
    else answered.reject(cause)
  }
  /** Nobody asked for it, but what comes encoded is decoded: metered and judged it must be as everything else. */
  const decode = (encoding: string) => {
    headers = headers.filter(([name]) => name !== 'content-encoding' && name !== 'content-length')
    decoder = decoderFor(encoding)
    decoder.on('data', take).on('end', finish)
    decoder.on('error', abort)
    source = decoder
  }

  return {
    onRequestStart(started) {
      controller = started
      source = started
      if (signal.aborted) onAbort()
      else signal.addEventListener('abort', onAbort)
    },
    onResponseStart(_controller, code, fields) {
      status = code
      for (const name in fields) {
        const value = fields[name]
        if (typeof value === 'string') headers.push([name, value])
        else for (const one of value ?? []) headers.push([name, one])
      }
      const encoding = headerOf(headers, 'content-encoding')
      if (encoding && encoding !== 'identity') decode(encoding)
    },
    onResponseData(_controller, chunk) {
      // A body of announced length has an empty piece whenever it is resumed: handed on, each would cause the next.
      if (chunk.byteLength === 0) return
      if (!decoder) return take(chunk)
      if (decoder.write(chunk)) return
      controller?.pause()
      decoder.once('drain', () => controller?.resume())
    },
    onResponseEnd() {
      if (decoder) decoder.end()
      else finish()
    },
    onResponseError: (_controller, cause) => fail(cause),
  }
}

/**
 * Upstream on undici's dispatch: each chunk is passed on as it is read, without a stream in between. HTTP/1.1 only, because
 * calls that share an HTTP/2 connection block each other behind one slow reader.
 */
import { Readable, type Transform } from 'node:stream'
import { type Dispatcher, errors } from 'undici'
import { headerOf } from '../../../core/http/headers.ts'
import type { HeaderPairs, MaybePromise, Sink, Upstream, UpstreamReply } from '../../../core/ports.ts'
import type { StopSignal } from '../../../core/stop.ts'
import { flatHeaders } from '../flat-headers.ts'
import { createTurn, type Turn } from '../turn.ts'
import { openConnections } from './connections.ts'
import { decoderFor } from './decoder.ts'

/**
 * `noProxy`: hosts that are reached without their backend's proxy, as in the variable NO_PROXY. `turn`: what is to be written
 * before a request leaves.
 */
export function undiciUpstream(noProxy = '', turn: Turn = createTurn()): Upstream {
  const connections = openConnections(noProxy)
  return {
    send: (request, signal) =>
      new Promise((resolve, reject) => {
        const attempt = (fresh: boolean, failed: (cause: unknown) => void) => {
          const { origin, proxy, method, path, headers, body } = request
          const place = proxy === undefined ? origin : `${origin} ${proxy}`
          const client = connections.take(place, fresh)
          const sent = () => connections.hasSent(client)
          // A server may answer before it reads the body. Another call would wait behind what is still to be sent.
          const over = (good: boolean) =>
            good && sent() ? connections.release(place, client) : connections.drop(client)
          const used = connections.wasUsed(client)
          const begun = performance.now()
          const maybeIdle = () => used && performance.now() - begun < IDLE_CLOSE_MS
          const exchange = { resolve, reject: failed, over, maybeIdle, sent }
          client.dispatch(
            { method, path, headers: flatHeaders(headers), body: body === undefined ? null : sendable(body) },
            receiver(signal, exchange),
          )
        }
        const begin = () => {
          if (signal.aborted) return reject(signal.reason)
          // Pieces can be sent once only.
          if (request.body && !(request.body instanceof Uint8Array)) return attempt(true, reject)
          // Retried once on a new connection, because a server may close an idle one just as a call is sent and processes nothing.
          attempt(false, (cause) => {
            if (signal.aborted || !(cause instanceof IdleClosed)) reject(cause)
            else attempt(true, reject)
          })
        }
        turn.after(() => {
          try {
            begin()
          } catch (cause) {
            reject(cause)
          }
        })
      }),
    close: connections.close,
  }
}

/** undici takes pieces as a stream only. */
function sendable(body: Uint8Array | AsyncIterable<Uint8Array>): Uint8Array | Readable {
  return body instanceof Uint8Array ? body : Readable.from(body, { objectMode: false })
}

/** A close that comes later than this ends what the server was working on. A second call would make it work twice. */
const IDLE_CLOSE_MS = 2_000

/** A connection that had served an earlier answer was closed before the first byte of this one. */
class IdleClosed extends Error {}

/** A server that closes a connection on which a request has come already resets it. */
const RESET = new Set<unknown>(['ECONNRESET', 'EPIPE'])

function wasClosed(cause: unknown): boolean {
  if (cause instanceof errors.SocketError) return true
  return cause instanceof Error && 'code' in cause && RESET.has(cause.code)
}

/** Callbacks for the result of a dispatched request. */
interface Exchange {
  resolve(reply: UpstreamReply): void
  reject(cause: unknown): void
  /** The exchange no longer needs the connection; `good` if it can be used again. */
  over(good: boolean): void
  /** Whether its server may have closed the connection as an idle one. */
  maybeIdle(): boolean
  sent(): boolean
}

/** The source of the body, which can be paused: the connection or the decoder after it. */
interface Source {
  pause(): unknown
  resume(): unknown
}

/** `take`, of which `failed` hears what it throws. undici catches that itself; behind a decoder it would end the process. */
function guarded(take: (chunk: Uint8Array) => void, failed: (cause: unknown) => void) {
  return (chunk: Uint8Array) => {
    try {
      take(chunk)
    } catch (cause) {
      failed(cause)
    }
  }
}

function receiver(signal: StopSignal, exchange: Exchange): Dispatcher.DispatchHandler {
  let controller: Dispatcher.DispatchController | undefined
  let source: Source | undefined
  let decoder: Transform | undefined
  let status = 0
  let headers: HeaderPairs = []
  /** Chunks that came before `pipe`: the first, and one more that was read with it. */
  const early: Uint8Array[] = []
  let sink: Sink | undefined
  let ended = false
  /** The connection is released; its bytes may still be in the decoder. */
  let over = false
  /** The last write, while its promise is pending. */
  let writing: Promise<void> | undefined
  let failure: { cause: unknown } | undefined
  let body: { resolve(): void; reject(cause: unknown): void } | undefined

  const abort = (cause: unknown) => {
    controller?.abort(cause instanceof Error ? cause : new Error(String(cause)))
    // Without a controller the request is not sent yet, or the answer is still being decoded.
    if (!controller) fail(cause)
  }
  const onAbort = () => abort(signal.reason)
  signal.addEventListener('abort', onAbort)

  const deliver = (target: Sink, chunk: Uint8Array) => {
    const wait = writing ? writing.then(() => target.write(chunk)) : target.write(chunk)
    if (!wait) return
    writing = wait
    // The connection may serve another call by now, so it is not paused.
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
  const cancel = () => abort(new Error('cancelled'))
  const answer = () =>
    exchange.resolve({ status, headers, first: early[0], cancel, sent: exchange.sent, pipe })

  const take = (chunk: Uint8Array) => {
    if (sink) return deliver(sink, chunk)
    early.push(chunk)
    // Not paused after the first chunk, because the rest of the same read is often the end of the body.
    if (early.length === 1) answer()
    else source?.pause()
  }
  const finish = () => {
    signal.removeEventListener('abort', onAbort)
    ended = true
    // The last write may still be pending when the end of the body is read.
    if (body && writing) writing.then(body.resolve, body.reject)
    else if (body) body.resolve()
    else if (early.length === 0) answer()
  }
  const fail = (cause: unknown) => {
    if (failure) return
    signal.removeEventListener('abort', onAbort)
    failure = { cause }
    if (decoder) decoder.destroy()
    if (!over) exchange.over(false)
    over = true
    if (body) body.reject(cause)
    else if (status === 0 && exchange.maybeIdle() && wasClosed(cause))
      exchange.reject(new IdleClosed('idle connection', { cause }))
    else exchange.reject(cause)
  }
  /** Decodes a body that is encoded although nobody asked for that, because it must be metered like any other. */
  const decode = (encoding: string) => {
    headers = headers.filter(([name]) => name !== 'content-encoding' && name !== 'content-length')
    decoder = decoderFor(encoding)
    decoder.on('data', guarded(take, abort)).on('end', finish)
    decoder.on('error', abort)
    source = decoder
  }

  return {
    onRequestStart(started) {
      controller = started
      source = started
      if (signal.aborted) onAbort()
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
      // undici emits an empty chunk at each resume() of a body with content-length; passing it on would cause the next.
      if (chunk.byteLength === 0) return
      if (!decoder) return take(chunk)
      if (decoder.write(chunk)) return
      controller?.pause()
      decoder.once('drain', () => controller?.resume())
    },
    onResponseEnd() {
      over = true
      // From here on the connection may belong to another call.
      controller = undefined
      exchange.over(true)
      if (decoder) decoder.end()
      else finish()
    },
    onResponseError: (_controller, cause) => fail(cause),
  }
}

/**
 * Upstream on undici's dispatch: each chunk goes on as it leaves the socket, with no stream object between.
 * HTTP/1.1 only: sessions that share one HTTP/2 connection block each other behind one slow reader.
 */
import type { Transform } from 'node:stream'
import { type Dispatcher, errors } from 'undici'
import { headerOf } from '../../../core/http/headers.ts'
import type { HeaderPairs, MaybePromise, Sink, Upstream, UpstreamReply } from '../../../core/ports.ts'
import type { StopSignal } from '../../../core/stop.ts'
import { flatHeaders } from '../flat-headers.ts'
import { openConnections } from './connections.ts'
import { decoderFor } from './decoder.ts'

export function undiciUpstream(): Upstream {
  const connections = openConnections()
  return {
    send: (request, signal) =>
      new Promise((resolve, reject) => {
        const attempt = (fresh: boolean, failed: (cause: unknown) => void) => {
          const { origin, method, path, headers, body } = request
          const client = connections.take(origin, fresh)
          const over = (good: boolean) =>
            good ? connections.release(origin, client) : connections.drop(client)
          const exchange = { resolve, reject: failed, over }
          client.dispatch(
            { method, path, headers: flatHeaders(headers), body: body ?? null },
            receiver(signal, exchange),
          )
        }
        // A server may close an idle connection just as the call goes out on it. Nothing was processed then: once more.
        attempt(false, (cause) => {
          if (signal.aborted || !(cause instanceof IdleClosed)) reject(cause)
          else attempt(true, reject)
        })
      }),
    close: connections.close,
  }
}

/** The connection had served an answer before, and was closed before any byte of this one. */
class IdleClosed extends Error {}

function wasIdleClosed(cause: unknown): boolean {
  return cause instanceof errors.SocketError && (cause.socket?.bytesRead ?? 0) > 0
}

/** What comes of a dispatched request. */
interface Exchange {
  resolve(reply: UpstreamReply): void
  reject(cause: unknown): void
  /** The connection is done with it. */
  over(good: boolean): void
}

/** What brings the body and can be held up: the connection, or the decoder behind it. */
interface Source {
  pause(): unknown
  resume(): unknown
}

function receiver(signal: StopSignal, exchange: Exchange): Dispatcher.DispatchHandler {
  let controller: Dispatcher.DispatchController | undefined
  let source: Source | undefined
  let decoder: Transform | undefined
  let status = 0
  let headers: HeaderPairs = []
  /** Chunks that came before the pipe: the first, and one more that was read with it. */
  const early: Uint8Array[] = []
  let sink: Sink | undefined
  let ended = false
  /** The connection is done with this exchange; what it brought may still be on its way. */
  let over = false
  /** The last write, while its sink takes its time. */
  let writing: Promise<void> | undefined
  let failure: { cause: unknown } | undefined
  let body: { resolve(): void; reject(cause: unknown): void } | undefined

  const abort = (cause: unknown) => {
    controller?.abort(cause instanceof Error ? cause : new Error(String(cause)))
    // It may not have begun to send, or be done with an answer that is still being decoded.
    if (!controller) fail(cause)
  }
  const onAbort = () => abort(signal.reason)
  signal.addEventListener('abort', onAbort)

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
    exchange.resolve({
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
    if (decoder) decoder.destroy()
    if (!over) exchange.over(false)
    over = true
    if (body) body.reject(cause)
    else if (status === 0 && wasIdleClosed(cause))
      exchange.reject(new IdleClosed('idle connection', { cause }))
    else exchange.reject(cause)
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
      over = true
      // From here on the connection is another call's.
      controller = undefined
      exchange.over(true)
      if (decoder) decoder.end()
      else finish()
    },
    onResponseError: (_controller, cause) => fail(cause),
  }
}

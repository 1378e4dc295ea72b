/** A Wire on Node's sockets, without web streams between upstream and client. */
import type { HttpBindings } from '@hono/node-server'
import { RESPONSE_ALREADY_SENT } from '@hono/node-server/utils/response'
import { joined } from '../../core/bytes.ts'
import { headerOf } from '../../core/http/headers.ts'
import type { HeaderPairs, MaybePromise, Reply, TakeBytes, Wire } from '../../core/ports.ts'
import { createStop, ProcessEnds } from '../../core/stop.ts'
import { MOST_DISCARDED } from '../../functions/body.ts'
import { flatHeaders } from '../drivers/flat-headers.ts'
import { askForBody, expectsContinue } from './http-server.ts'

/** The cast holds because @hono/node-server passes Node's request and response to fetch as the second argument. */
const socketOf = (bindings: unknown) => bindings as HttpBindings

/**
 * Bodies do not pass through Request and Response, because these cost more than the gateway's own work. `cuts` tells whether
 * connections are closed by this process rather than by their clients.
 */
export function socketWire(waitUntil: (work: Promise<unknown>) => void, cuts: () => boolean): Wire {
  return {
    headers(_request, bindings) {
      const { headers } = socketOf(bindings).incoming
      const pairs: HeaderPairs = []
      for (const name in headers) {
        const value = headers[name]
        if (typeof value === 'string') pairs.push([name, value])
        else for (const one of value ?? []) pairs.push([name, one])
      }
      return pairs
    },
    peer: (_request, bindings) => socketOf(bindings).incoming.socket.remoteAddress ?? '',
    body: (_request, bindings, take) => read(socketOf(bindings), take),
    left(_request, bindings) {
      const { outgoing } = socketOf(bindings)
      const { signal, abort } = createStop()
      const onClose = () => {
        if (outgoing.writableFinished) return
        abort(cuts() ? new ProcessEnds('the gateway stopped') : new Error('the client left'))
      }
      // `close` does not fire again for a client that has left already.
      if (outgoing.destroyed) onClose()
      else outgoing.once('close', onClose)
      return signal
    },
    respond(reply, bindings) {
      const sending = send(reply, socketOf(bindings).outgoing)
      if (sending) waitUntil(sending)
      return RESPONSE_ALREADY_SENT
    },
  }
}

/** Reads the body. A client that expects 100 Continue gets it here. */
function read({ incoming, outgoing }: HttpBindings, take: TakeBytes): Promise<Uint8Array | undefined> {
  if (expectsContinue(incoming)) askForBody(outgoing)
  return new Promise((resolve, reject) => {
    const chunks: Uint8Array[] = []
    let discarded = 0
    incoming.on('data', (chunk: Uint8Array) => {
      if (discarded === 0 && take(chunk.length)) return void chunks.push(chunk)
      chunks.length = 0
      resolve(undefined)
      discarded += chunk.length
      if (discarded > MOST_DISCARDED) incoming.destroy()
    })
    incoming.once('end', () => resolve(joined(chunks)))
    incoming.once('error', reject)
    const onClose = () => {
      if (!incoming.readableEnded) reject(new Error('the client left'))
    }
    if (incoming.destroyed) onClose()
    else incoming.once('close', onClose)
  })
}

/**
 * Sends a reply. If its body fails, the socket is destroyed, because a broken answer must not look complete. Chunks are not
 * gathered with cork(), which cost twice as much per streamed event.
 */
function send(reply: Reply, outgoing: HttpBindings['outgoing']): MaybePromise<void> {
  /** Bytes of content-length not sent yet; NaN without it. */
  let bytesLeft = Number(headerOf(reply.headers, 'content-length') ?? Number.NaN)
  const writeHead = () => {
    if (!outgoing.headersSent) outgoing.writeHead(reply.status, flatHeaders(reply.headers))
  }
  const write = (chunk: Uint8Array) => {
    writeHead()
    bytesLeft -= chunk.length
    // Ending the response with the last chunk saves a write.
    if (bytesLeft === 0) outgoing.end(chunk)
    else if (!outgoing.write(chunk)) return drained(outgoing)
  }
  const end = () => {
    writeHead()
    outgoing.end()
  }
  // In a later turn, because Node first flushes the last write, which may be the event that reports the error.
  const cut = () => void setImmediate(() => outgoing.destroy())
  try {
    const flowing = reply.pipe({ write })
    return flowing ? flowing.then(end, cut) : end()
  } catch {
    cut()
  }
}

function drained(outgoing: HttpBindings['outgoing']): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  const onClose = () => reject(new Error('the client left'))
  const onDrain = () => {
    outgoing.off('close', onClose)
    resolve()
  }
  if (outgoing.destroyed) onClose()
  outgoing.once('close', onClose)
  outgoing.once('drain', onDrain)
  return promise
}

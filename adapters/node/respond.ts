/** Writes a reply straight to the socket: no Response body, no stream object between upstream and client. */
import type { HttpBindings } from '@hono/node-server'
import { RESPONSE_ALREADY_SENT } from '@hono/node-server/utils/response'
import type { HeaderPairs, MaybePromise, Reply } from '../../core/ports.ts'
import { headerOf } from '../../core/proxy/headers.ts'
import { flatHeaders } from '../drivers/flat-headers.ts'

/** For `Parts.headersOf`: Node has parsed them already, and building a Headers object from them costs more than the rest. */
export function socketHeaders(_request: Request, bindings: unknown): HeaderPairs {
  const { incoming } = bindings as HttpBindings // as below
  const pairs: HeaderPairs = []
  for (const name in incoming.headers) {
    const value = incoming.headers[name]
    if (typeof value === 'string') pairs.push([name, value])
    else for (const one of value ?? []) pairs.push([name, one])
  }
  return pairs
}

/** For `Parts.peerOf`. */
export function socketPeer(_request: Request, bindings: unknown): string {
  return (bindings as HttpBindings).incoming.socket.remoteAddress ?? '' // as below
}

/** For `Parts.respond`. A body that fails destroys the socket: a cut answer must never look like a finished one. */
export function socketRespond(waitUntil: (work: Promise<unknown>) => void) {
  return (reply: Reply, bindings: unknown): Response => {
    // @hono/node-server calls fetch with its own request and response as the second argument.
    const { outgoing } = bindings as HttpBindings
    const sending = send(reply, outgoing)
    if (sending) waitUntil(sending)
    return RESPONSE_ALREADY_SENT
  }
}

/** Each chunk leaves by Node's own write: gathering a turn's chunks by cork() cost twice as much per streamed event. */
function send(reply: Reply, outgoing: HttpBindings['outgoing']): MaybePromise<void> {
  /** NaN where the length is not known. */
  let bytesLeft = Number(headerOf(reply.headers, 'content-length') ?? Number.NaN)
  const writeHead = () => {
    if (!outgoing.headersSent) outgoing.writeHead(reply.status, flatHeaders(reply.headers))
  }
  const write = (chunk: Uint8Array) => {
    writeHead()
    bytesLeft -= chunk.length
    // With its last byte the response is over: one write instead of two.
    if (bytesLeft === 0) outgoing.end(chunk)
    else if (!outgoing.write(chunk)) return drained(outgoing)
  }
  const end = () => {
    writeHead()
    outgoing.end()
  }
  const cut = () => void outgoing.destroy()
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

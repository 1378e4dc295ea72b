/** A Wire on Node's sockets, without web streams between upstream and client. */
import type { Writable } from 'node:stream'
import type { HttpBindings } from '@hono/node-server'
import { RESPONSE_ALREADY_SENT } from '@hono/node-server/utils/response'
import { joined } from '../../core/bytes.ts'
import { headerOf } from '../../core/http/headers.ts'
import type { HeaderPairs, MaybePromise, Reply, TakeBytes, Wire } from '../../core/ports.ts'
import { createStop, ProcessEnds } from '../../core/stop.ts'
import { MOST_DISCARDED } from '../../functions/body.ts'
import { flatHeaders } from '../drivers/flat-headers.ts'
import { askForBody, expectsContinue } from './http-server.ts'

/** In bytes. Shorter bodies are left to the garbage collector. */
const WORTH_FREEING = 8 * 1024

type Outgoing = HttpBindings['outgoing']

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
    pieces: (_request, bindings) => piecesOf(socketOf(bindings)),
    free: (body) => body.length < WORTH_FREEING || freeNow(body),
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
  const announced = Number(incoming.headers['content-length'])
  return new Promise((resolve, reject) => {
    const body = announced > 0 ? announcedBody(announced) : bodyInChunks()
    let discarded = 0
    incoming.on('data', (chunk: Uint8Array<ArrayBuffer>) => {
      if (discarded === 0 && take(chunk.length)) body.add(chunk)
      else {
        body.clear()
        resolve(undefined)
        discarded += chunk.length
        freeNow(chunk)
        if (discarded > MOST_DISCARDED) incoming.destroy()
      }
    })
    incoming.once('end', () => resolve(body.whole()))
    incoming.once('error', reject)
    const onClose = () => {
      if (incoming.readableEnded) return
      body.clear()
      reject(new Error('the client left'))
    }
    if (incoming.destroyed) onClose()
    else incoming.once('close', onClose)
  })
}

/** What is not taken is read and discarded, because a client that is still sending would not read its answer. */
async function* piecesOf({ incoming, outgoing }: HttpBindings): AsyncGenerator<Uint8Array> {
  if (expectsContinue(incoming)) askForBody(outgoing)
  let discarded = 0
  try {
    for await (const chunk of incoming.iterator({ destroyOnReturn: false })) yield chunk
    if (!incoming.complete) throw new Error('the client left')
  } finally {
    incoming.on('data', (chunk: Uint8Array) => {
      discarded += chunk.length
      freeNow(chunk)
      if (discarded > MOST_DISCARDED) incoming.destroy()
    })
  }
}

interface Body {
  add(chunk: Uint8Array<ArrayBuffer>): void
  clear(): void
  whole(): Uint8Array
}

/** A body whose size is known is gathered where it stays, because pieces would take as much again until they are joined. */
function announcedBody(bytes: number): Body {
  let room: Uint8Array | undefined
  let size = 0
  return {
    add(chunk) {
      // Not a part of Node's pool, because it is given back on its own.
      const into = room ?? Buffer.allocUnsafeSlow(bytes)
      room = into
      into.set(chunk, size)
      size += chunk.length
      freeNow(chunk)
    },
    clear() {
      if (room) freeNow(room)
      room = undefined
    },
    whole: () => room ?? new Uint8Array(),
  }
}

function bodyInChunks(): Body {
  const chunks: Uint8Array[] = []
  return {
    add: (chunk) => void chunks.push(chunk),
    clear() {
      for (const chunk of chunks.splice(0)) freeNow(chunk)
    },
    whole() {
      const whole = joined(chunks)
      for (const chunk of chunks.splice(0)) if (chunk !== whole) freeNow(chunk)
      return whole
    },
  }
}

/**
 * Gives the memory of a piece back at once, if the piece has it alone. The collector counts a piece as a few bytes and would let
 * hundreds of megabytes gather before it runs.
 */
function freeNow({ buffer, length }: Uint8Array): boolean {
  if (!(buffer instanceof ArrayBuffer) || buffer.byteLength !== length) return false
  buffer.transfer(0)
  return true
}

/**
 * Sends a reply. If its body fails, the socket is destroyed, because a broken answer must not look complete. Chunks are not
 * gathered with cork(), which cost twice as much per streamed event.
 */
function send(reply: Reply, outgoing: Outgoing): MaybePromise<void> {
  /** Bytes of content-length not sent yet; NaN without it. */
  let bytesLeft = Number(headerOf(reply.headers, 'content-length') ?? Number.NaN)
  let chunked = false
  const writeHead = () => {
    if (outgoing.headersSent) return
    outgoing.writeHead(reply.status, flatHeaders(reply.headers))
    chunked = outgoing.chunkedEncoding
    // Chunks are framed here from now on, because Node writes each as four pieces, which cost a third more per event.
    outgoing.chunkedEncoding = false
  }
  const endWith = (chunk: Uint8Array) => {
    // As text it goes out in one piece with the head, for less than half of what two pieces cost.
    if (chunk.length <= WORTH_COPYING)
      outgoing.end(Buffer.from(chunk.buffer, chunk.byteOffset, chunk.length).latin1Slice(), 'latin1')
    else outgoing.end(chunk)
  }
  const write = (chunk: Uint8Array) => {
    const { socket } = outgoing
    // Behind the head, frames go to the socket itself, because gathering those of a turn costs a twentieth more per event.
    if (chunked && socket) return writeChunk(socket, chunk) ? undefined : drained(socket)
    writeHead()
    bytesLeft -= chunk.length
    // Ending the response with the last chunk saves a write.
    if (bytesLeft === 0) endWith(chunk)
    else if (!(chunked ? writeChunk(outgoing, chunk) : outgoing.write(chunk))) return drained(outgoing)
  }
  const end = () => {
    writeHead()
    outgoing.end(chunked ? LAST_CHUNK : undefined)
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

const CRLF = Buffer.from('\r\n')
const LAST_CHUNK = Buffer.from('0\r\n\r\n')
/** In bytes. Longer chunks are not copied to be one piece with their frame. */
const WORTH_COPYING = 4 * 1024

/**
 * Writes a chunk as https://www.rfc-editor.org/rfc/rfc9112#section-7.1 frames it; an empty one, which would end the body, not at
 * all. Returns false if the client reads more slowly, or has left.
 */
function writeChunk(to: Writable, chunk: Uint8Array): boolean {
  const { length } = chunk
  if (length === 0) return true
  if (to.destroyed) return false
  const head = `${length.toString(16)}\r\n`
  if (length > WORTH_COPYING) {
    to.write(head, 'latin1')
    to.write(chunk)
    return to.write(CRLF)
  }
  const frame = Buffer.allocUnsafe(head.length + length + CRLF.length)
  frame.latin1Write(head, 0)
  frame.set(chunk, head.length)
  frame.set(CRLF, head.length + length)
  return to.write(frame)
}

function drained(to: Writable): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  const onClose = () => reject(new Error('the client left'))
  const onDrain = () => {
    to.off('close', onClose)
    resolve()
  }
  if (to.destroyed) onClose()
  to.once('close', onClose)
  to.once('drain', onDrain)
  return promise
}

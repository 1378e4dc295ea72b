/** From a reply of the core to the bytes of an answer on a socket. */
import type { Writable } from 'node:stream'
import type { HttpBindings } from '@hono/node-server'
import { headerOf } from '../../core/http/headers.ts'
import type { MaybePromise, Reply } from '../../core/ports.ts'
import { flatHeaders } from '../drivers/flat-headers.ts'
import type { Turn } from '../drivers/turn.ts'

/**
 * Sends a reply, behind what is to be written in each turn. If its body fails, the socket is destroyed, because a broken answer
 * must not look complete. Chunks are not gathered with cork(), which cost twice as much per streamed event.
 */
export function send(reply: Reply, outgoing: HttpBindings['outgoing'], turn: Turn): MaybePromise<void> {
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
  /** Returns what has to drain before more is written, if the client reads more slowly. */
  const writeNow = (chunk: Uint8Array): Writable | undefined => {
    const { socket } = outgoing
    // Behind the head, frames go to the socket itself, because gathering those of a turn costs a twentieth more per event.
    if (chunked && socket) return writeChunk(socket, chunk) ? undefined : socket
    writeHead()
    bytesLeft -= chunk.length
    // Ending the response with the last chunk saves a write.
    if (bytesLeft === 0) endWith(chunk)
    else if (!(chunked ? writeChunk(outgoing, chunk) : outgoing.write(chunk))) return outgoing
  }
  const endNow = () => {
    writeHead()
    outgoing.end(chunked ? LAST_CHUNK : undefined)
  }
  // In a later turn, because Node first flushes the last write, which may be the event that reports the error.
  const cutNow = () => void setImmediate(() => outgoing.destroy())
  const atItsEnd = (action: () => void) =>
    turn.after(() => {
      try {
        action()
      } catch {
        cutNow()
      }
    })
  const write = (chunk: Uint8Array) => {
    // Nobody waits for it, because the next write tells whether the client reads more slowly.
    if (turn.isDue()) return atItsEnd(() => writeNow(chunk))
    const full = writeNow(chunk)
    if (full) return drained(full)
  }
  const end = () => (turn.isDue() ? atItsEnd(endNow) : endNow())
  const cut = () => turn.after(cutNow)
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

/** A Wire on Node's sockets, without web streams between upstream and client. */
import type { HttpBindings } from '@hono/node-server'
import { RESPONSE_ALREADY_SENT } from '@hono/node-server/utils/response'
import { joined } from '../../core/bytes.ts'
import type { HeaderPairs, TakeBytes, Wire } from '../../core/ports.ts'
import { createStop, ProcessEnds } from '../../core/stop.ts'
import { MOST_DISCARDED, PIECE_BYTES } from '../../functions/body.ts'
import type { Turn } from '../drivers/turn.ts'
import { askForBody, expectsContinue } from './http-server.ts'
import { send } from './sending.ts'

/** In bytes. Shorter bodies are left to the garbage collector. */
const WORTH_FREEING = 8 * 1024
/**
 * In bytes. Shorter pieces are copied into rooms, because by itself each takes some hundred bytes more than it has; but of most
 * bodies there are few.
 */
const WORTH_KEEPING = 4 * 1024
const ROOM_BYTES = 64 * 1024
const FEW = 16

/** The cast holds because @hono/node-server passes Node's request and response to fetch as the second argument. */
const socketOf = (bindings: unknown) => bindings as HttpBindings

/**
 * Bodies do not pass through Request and Response, because these cost more than the gateway's own work. Answers leave behind what
 * is to be written in their turn. `cuts` tells whether connections are closed by this process rather than by their clients.
 */
export function socketWire(parts: {
  waitUntil: (work: Promise<unknown>) => void
  cuts: () => boolean
  turn: Turn
}): Wire {
  const { waitUntil, cuts, turn } = parts
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
      const sending = send(reply, socketOf(bindings).outgoing, turn)
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
        discarded += chunk.length + PIECE_BYTES
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
      discarded += chunk.length + PIECE_BYTES
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
  /** Where short pieces are copied to, one behind the other. */
  let room = new Uint8Array()
  let used = 0
  const leaveRoom = () => {
    if (used > 0) chunks.push(room.subarray(0, used))
    room = room.subarray(used)
    used = 0
  }
  return {
    add(chunk) {
      if (chunk.length >= WORTH_KEEPING || chunks.length < FEW) {
        leaveRoom()
        chunks.push(chunk)
        return
      }
      if (used + chunk.length > room.length) {
        leaveRoom()
        room = new Uint8Array(ROOM_BYTES)
      }
      room.set(chunk, used)
      used += chunk.length
    },
    clear() {
      used = 0
      for (const chunk of chunks.splice(0)) freeNow(chunk)
    },
    whole() {
      leaveRoom()
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

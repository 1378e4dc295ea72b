/**
 * Removes interim answers (1xx), of which a client must accept any number (RFC 9110 §15.2), before undici parses them: it
 * fails on 100 and mixes the headers of others into the final answer. 101 ends the exchange and is left to undici.
 */
import type { Socket } from 'node:net'

const INTERIM = /^HTTP\/1\.\d 1(?!01)\d\d/
/** Number of bytes that show whether a head is interim. */
const STATUS_LENGTH = 'HTTP/1.1 100'.length
const LONGEST_HEAD = 16 * 1024
const NOTHING: Buffer = Buffer.alloc(0)

export interface InterimFilter {
  /** Filters what is read from `socket` from now on. */
  attach(socket: Socket): void
  /** A new call begins: the next bytes are the head of its answer. */
  expectHead(): void
}

export function interimFilter(): InterimFilter {
  let atHead = true
  /** The start of a head of which too little has come to decide. */
  let held = NOTHING

  /** The bytes to pass to the parser; null while there are none. */
  function passed(chunk: Buffer): Buffer | null {
    held = held.length === 0 ? chunk : Buffer.concat([held, chunk])
    while (held.length >= STATUS_LENGTH && INTERIM.test(held.toString('latin1', 0, STATUS_LENGTH))) {
      const end = held.indexOf('\r\n\r\n')
      if (end < 0 && held.length <= LONGEST_HEAD) return null
      // Too long for a head: the parser refuses it.
      if (end < 0) break
      held = held.subarray(end + 4)
    }
    if (held.length < STATUS_LENGTH && 'HTTP/1.'.startsWith(held.toString('latin1', 0, 7))) return null
    atHead = false
    const ready = held
    held = NOTHING
    return ready
  }

  return {
    attach(socket) {
      const read = socket.read.bind(socket)
      socket.read = (size) => {
        const chunk = read(size)
        return atHead && chunk !== null ? passed(chunk) : chunk
      }
    },
    expectHead() {
      atHead = true
      held = NOTHING
    },
  }
}

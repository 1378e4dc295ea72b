/**
 * Interim answers (1xx), which a client must be able to read in any number, asked for or not (RFC 9110 §15.2). undici takes
 * 100 for a broken connection and mixes the headers of the others into the final answer, so they are dropped before it.
 * 101 ends the exchange and is left to it.
 */
import type { Socket } from 'node:net'

const INTERIM = /^HTTP\/1\.\d 1(?!01)\d\d/
/** As many bytes tell whether a head is interim. */
const STATUS_LENGTH = 'HTTP/1.1 100'.length
const LONGEST_HEAD = 16 * 1024
const NOTHING: Buffer = Buffer.alloc(0)

export interface InterimFilter {
  /** What `socket` brings from here on passes this filter. */
  attach(socket: Socket): void
  /** A new answer is waited for: its head comes next. */
  expectHead(): void
}

export function interimFilter(): InterimFilter {
  let atHead = true
  /** The beginning of a head that is not decided yet. */
  let held = NOTHING

  /** What the parser may have of the bytes so far; null while there is nothing. */
  function passed(chunk: Buffer): Buffer | null {
    held = held.length === 0 ? chunk : Buffer.concat([held, chunk])
    while (held.length >= STATUS_LENGTH && INTERIM.test(held.toString('latin1', 0, STATUS_LENGTH))) {
      const end = held.indexOf('\r\n\r\n')
      if (end < 0 && held.length <= LONGEST_HEAD) return null
      // What never ends is no head: the parser will say so.
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

/** Writes messages of protobuf into one growing buffer: https://protobuf.dev/programming-guides/encoding/ */

const VARINT = 0
const EIGHT_BYTES = 1
const LENGTH = 2
const FIRST_BYTES = 64 * 1024
/** The most that one field takes beside its text or bytes. */
const LONGEST_FIELD = 24

export class ProtobufWriter {
  #buffer = Buffer.allocUnsafe(FIRST_BYTES)
  #at = 0

  /** Forgets all that was written. */
  clear(): void {
    this.#at = 0
  }

  /** A copy of all that was written. */
  bytes(): Uint8Array {
    return Uint8Array.prototype.slice.call(this.#buffer, 0, this.#at)
  }

  integer(field: number, value: number): void {
    this.#begin(field, VARINT)
    this.#varint(value)
  }

  double(field: number, value: number): void {
    this.#begin(field, EIGHT_BYTES)
    this.#at = this.#buffer.writeDoubleLE(value, this.#at)
  }

  /** An unsigned integer of 8 bytes. */
  fixed(field: number, value: bigint): void {
    this.#begin(field, EIGHT_BYTES)
    this.#at = this.#buffer.writeBigUInt64LE(value, this.#at)
  }

  text(field: number, value: string): void {
    this.header(field, Buffer.byteLength(value))
    this.#at += this.#buffer.write(value, this.#at)
  }

  /** Bytes that are given in hexadecimal digits. */
  hex(field: number, digits: string): void {
    this.header(field, digits.length / 2)
    this.#at += this.#buffer.write(digits, this.#at, 'hex')
  }

  /** A message or bytes that were written elsewhere. */
  nested(field: number, bytes: Uint8Array): void {
    this.header(field, bytes.length)
    this.raw(bytes)
  }

  /** Fields that were written elsewhere. */
  raw(bytes: Uint8Array): void {
    this.#room(bytes.length)
    this.#buffer.set(bytes, this.#at)
    this.#at += bytes.length
  }

  /** The begin of a message, text or bytes of this length, which are written next. */
  header(field: number, bytes: number): void {
    this.#begin(field, LENGTH, bytes)
    this.#varint(bytes)
  }

  /** A message whose fields `write` writes. */
  message(field: number, write: () => void): void {
    const start = this.begin(field)
    write()
    this.end(start)
  }

  /** Begins a message whose fields are written next. Returns what `end` wants. */
  begin(field: number): number {
    this.#begin(field, LENGTH)
    // Its length is not known yet. Four bytes are legal for any, because a varint may end in zeros.
    this.#at += 4
    return this.#at
  }

  end(start: number): void {
    let rest = this.#at - start
    for (let i = start - 4; i < start; i += 1) {
      this.#buffer[i] = i < start - 1 ? (rest & 0x7f) | 0x80 : rest & 0x7f
      rest >>>= 7
    }
  }

  #begin(field: number, kind: number, bytes = 0): void {
    this.#room(LONGEST_FIELD + bytes)
    this.#varint(field * 8 + kind)
  }

  #varint(value: number): void {
    let rest = value
    // Without shifts, which know 32 bits only.
    while (rest >= 0x80) {
      this.#buffer[this.#at++] = (rest % 0x80) | 0x80
      rest = Math.floor(rest / 0x80)
    }
    this.#buffer[this.#at++] = rest
  }

  #room(bytes: number): void {
    if (this.#at + bytes <= this.#buffer.length) return
    const larger = Buffer.allocUnsafe(Math.max(this.#buffer.length * 2, this.#at + bytes))
    this.#buffer.copy(larger, 0, 0, this.#at)
    this.#buffer = larger
  }
}

/** How many bytes an integer takes. */
export function varintLength(value: number): number {
  let length = 1
  for (let rest = value; rest >= 0x80; rest = Math.floor(rest / 0x80)) length += 1
  return length
}

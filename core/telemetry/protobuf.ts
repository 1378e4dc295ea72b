/** Reads messages of protobuf: https://protobuf.dev/programming-guides/encoding/ */

const VARINT = 0
const EIGHT_BYTES = 1
const LENGTH = 2
const FOUR_BYTES = 5
/** A varint has 64 bits at most. */
const LONGEST_VARINT = 10

/** The value of one field: varints as numbers (exact up to 2^53), everything else as its bytes. */
export interface Field {
  field: number
  value: number | Uint8Array
}

/** The fields of a message, in their order. Throws an Error where the bytes are none. */
export function* fieldsOf(bytes: Uint8Array): Generator<Field> {
  let at = 0
  const varint = (): number => {
    let value = 0
    for (let i = 0; i < LONGEST_VARINT; i += 1) {
      const byte = bytes[at]
      if (byte === undefined) break
      at += 1
      value += (byte & 0x7f) * 2 ** (7 * i)
      if (byte < 0x80) return value
    }
    throw new Error('a varint does not end')
  }
  const taken = (length: number): Uint8Array => {
    if (length > bytes.length - at) throw new Error('a field is longer than its message')
    at += length
    return bytes.subarray(at - length, at)
  }
  while (at < bytes.length) {
    const tag = varint()
    const field = Math.floor(tag / 8)
    const kind = tag % 8
    if (kind === VARINT) yield { field, value: varint() }
    else if (kind === LENGTH) yield { field, value: taken(varint()) }
    else if (kind === EIGHT_BYTES) yield { field, value: taken(8) }
    else if (kind === FOUR_BYTES) yield { field, value: taken(4) }
    else throw new Error('a field is of a kind that there is not')
  }
}

/** The messages, texts or fixed numbers in all of a message's fields of this number. Throws as fieldsOf. */
export function* nestedIn(bytes: Uint8Array, wanted: number): Generator<Uint8Array> {
  for (const { field, value } of fieldsOf(bytes)) {
    if (field === wanted && typeof value !== 'number') yield value
  }
}

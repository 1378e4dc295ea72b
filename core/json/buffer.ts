const EMPTY = new Uint8Array(0)
/** `ignoreBOM` keeps a byte order mark as text, because it may stand anywhere in what is kept. */
const DECODER = new TextDecoder('utf-8', { fatal: false, ignoreBOM: true })

/** Collects bytes from chunk to chunk as long as they stay within a limit. */
export function createByteBuffer() {
  let bytes = EMPTY
  let length = 0
  let lost = false
  return {
    length: () => length,
    add(chunk: Uint8Array, from: number, to: number, most: number) {
      const total = length + to - from
      lost ||= total > most
      if (!lost) {
        if (total > bytes.length) {
          const larger = new Uint8Array(Math.max(total, 2 * bytes.length, 64))
          larger.set(bytes)
          bytes = larger
        }
        bytes.set(chunk.subarray(from, to), length)
      }
      length = total
    },
    /** What was added since the last time, what is no UTF-8 replaced; undefined if it is more than `most` bytes. */
    takeText(most: number): string | undefined {
      const text = lost || length > most ? undefined : DECODER.decode(bytes.subarray(0, length))
      length = 0
      lost = false
      return text
    },
  }
}

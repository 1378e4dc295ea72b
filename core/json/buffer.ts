const EMPTY = new Uint8Array(0)

/** Collects bytes from chunk to chunk as long as they stay within a limit. What it hands out is a copy. */
export function createKeeper() {
  let bytes = EMPTY
  let length = 0
  return {
    length: () => length,
    add(chunk: Uint8Array, from: number, to: number, most: number) {
      const total = length + to - from
      if (total <= most) {
        if (total > bytes.length) {
          const larger = new Uint8Array(Math.max(total, 2 * bytes.length, 64))
          larger.set(bytes)
          bytes = larger
        }
        bytes.set(chunk.subarray(from, to), length)
      }
      length = total
    },
    /** What was added since the last time; undefined if it is more than `most`. */
    take(most: number): Uint8Array | undefined {
      const whole = length <= most ? bytes.slice(0, length) : undefined
      length = 0
      return whole
    },
  }
}

/** Joins pieces of bytes, and reads them from text. */

/** All pieces in one array, in their order. A single piece is returned itself, not copied. */
export function joined(pieces: readonly Uint8Array[]): Uint8Array {
  const [only] = pieces
  if (only && pieces.length === 1) return only
  const whole = new Uint8Array(pieces.reduce((sum, piece) => sum + piece.byteLength, 0))
  let at = 0
  for (const piece of pieces) {
    whole.set(piece, at)
    at += piece.byteLength
  }
  return whole
}

/** The bytes of base64. Throws a DOMException for what is none. Uint8Array.from() over its characters takes twenty times as long. */
export function fromBase64(text: string): Uint8Array {
  const characters = atob(text)
  const bytes = new Uint8Array(characters.length)
  for (let i = 0; i < bytes.length; i++) bytes[i] = characters.charCodeAt(i)
  return bytes
}

/** In bytes: pieces that fit into one share an array. */
const BLOCK = 16 * 1024

/** Pieces that come one by one, to be joined later. Small ones share arrays, because each array costs some hundred bytes. */
export function createPieces() {
  let pieces: Uint8Array[] = []
  let size = 0
  /** The array of the last piece, where that is a shared one. */
  let block: Uint8Array | undefined
  return {
    /** In bytes. */
    size: () => size,
    /** The piece must not change afterwards. */
    add(piece: Uint8Array) {
      const last = pieces.at(-1)
      const length = (last?.byteLength ?? 0) + piece.byteLength
      size += piece.byteLength
      if (!last || length > BLOCK) {
        pieces.push(piece)
        block = undefined
        return
      }
      if (!block || block.byteLength < length) {
        block = new Uint8Array(Math.min(2 * length, BLOCK))
        block.set(last)
      }
      block.set(piece, last.byteLength)
      pieces[pieces.length - 1] = block.subarray(0, length)
    },
    bytes: () => joined(pieces),
    /** What was added since the last time. */
    take(): Uint8Array {
      const bytes = joined(pieces)
      pieces = []
      size = 0
      block = undefined
      return bytes
    },
  }
}

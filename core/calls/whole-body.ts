/** A body as one piece, where only the whole can be judged. */
import { createPieces } from '../bytes.ts'
import type { UpstreamReply } from '../ports.ts'

/** The whole body; undefined once it is longer than `most` bytes. Rejects when it was cut. */
export async function wholeBody(pipe: UpstreamReply['pipe'], most: number): Promise<Uint8Array | undefined> {
  const pieces = createPieces()
  const tooLong = new Error('the body is too long')
  try {
    await pipe({
      write(chunk) {
        pieces.add(chunk)
        if (pieces.size() > most) throw tooLong
      },
    })
  } catch (cause) {
    if (cause === tooLong || pieces.size() > most) return undefined
    throw cause
  }
  return pieces.take()
}

/** A body as one piece, where only the whole can be judged. */
import { joined } from '../bytes.ts'
import type { UpstreamReply } from '../ports.ts'

/** The whole body; undefined once it is longer than `most` bytes. Rejects when it was cut. */
export async function wholeBody(pipe: UpstreamReply['pipe'], most: number): Promise<Uint8Array | undefined> {
  const chunks: Uint8Array[] = []
  let size = 0
  const tooLong = new Error('the body is too long')
  try {
    await pipe({
      write(chunk) {
        size += chunk.byteLength
        if (size > most) throw tooLong
        chunks.push(chunk)
      },
    })
  } catch (cause) {
    if (cause === tooLong || size > most) return undefined
    throw cause
  }
  return joined(chunks)
}

import { joined } from '../bytes.ts'
import type { Span } from './scan.ts'

/** What takes the place of a span of bytes. */
export interface Splice extends Span {
  text: string
}

const ENCODER = new TextEncoder()

/** The same bytes with these spans replaced, which do not overlap. The very same array if there is none. */
export function spliced(bytes: Uint8Array, splices: readonly Splice[]): Uint8Array {
  if (splices.length === 0) return bytes
  const parts: Uint8Array[] = []
  let from = 0
  for (const { start, end, text } of splices.toSorted((a, b) => a.start - b.start)) {
    parts.push(bytes.subarray(from, start), ENCODER.encode(text))
    from = end
  }
  parts.push(bytes.subarray(from))
  return joined(parts)
}

/** How deep JSON may be nested where it is read: whoever walks through it level by level needs a stack for it. */
import { createScan, type Scan } from './scan.ts'

/** Brackets that may be open at once: more than any real request has, far fewer than a stack overflows at. */
export const DEEPEST = 500

const ENCODER = new TextEncoder()
const NOTHING: readonly never[] = []

/** What a JSON object in `bytes` is as a whole, without parsing it. */
function shapeOf(bytes: Uint8Array): ReturnType<Scan['state']> {
  const scan = createScan(NOTHING, () => {}, { deepest: DEEPEST })
  scan.write(bytes)
  return scan.state()
}

export const shapeOfText = (text: string) => shapeOf(ENCODER.encode(text))

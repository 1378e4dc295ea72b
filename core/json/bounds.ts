/** How deep and how wide JSON may be where it is read. */
import { createScan, type Scan } from './scan.ts'

/**
 * Brackets that may be open at once, because whoever walks through JSON level by level needs a stack for it: more than any real
 * request has, far fewer than a stack overflows at.
 */
export const DEEPEST = 500
/** Members at the top level. Some thirty have a meaning; each costs a little time in which nobody else is served. */
export const MOST_MEMBERS = 1_000
/**
 * Objects and lists below the top level of what is parsed: ten times those of the longest conversations. Each costs some
 * microseconds in which nobody else is served.
 */
export const MOST_NESTED = 50_000

const ENCODER = new TextEncoder()
const NOTHING: readonly never[] = []

/** What a JSON object in `bytes` is as a whole, without parsing it. */
function shapeOf(bytes: Uint8Array): ReturnType<Scan['state']> {
  const scan = createScan(NOTHING, () => {}, { deepest: DEEPEST })
  scan.write(bytes)
  return scan.state()
}

export const shapeOfText = (text: string) => shapeOf(ENCODER.encode(text))

/** How deep and how wide JSON may be where it is read. */
import { parsedJson } from './parse.ts'
import { createScan, type Scan, type ScanOptions } from './scan.ts'

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
/**
 * Objects, lists and commas below the top level of what is parsed: three for each of those parts, as in a message of role and
 * text. A member that no other object has costs a microsecond or two, and 32 MB of them would be seconds.
 */
export const MOST_VALUES = 3 * MOST_NESTED

const ENCODER = new TextEncoder()
const NOTHING: readonly never[] = []

/** What a JSON object is as a whole, without parsing it. */
export function shapeOf(
  text: string,
  bounds: ScanOptions,
): { state: ReturnType<Scan['state']>; values: number } {
  const scan = createScan(NOTHING, () => {}, bounds)
  scan.write(ENCODER.encode(text))
  return { state: scan.state(), values: scan.values() }
}

const OF_ANSWERS = {
  deepest: DEEPEST,
  mostMembers: MOST_VALUES,
  mostNested: MOST_NESTED,
  mostValues: MOST_VALUES,
}

/** The object that an upstream's JSON stands for; undefined for what is none, and for what is too wide or too deep to be read. */
export function boundedJson(text: string | undefined): unknown {
  // Each value has a comma or a bracket, so what is shorter has fewer.
  if (text !== undefined && text.length > MOST_NESTED) {
    if (shapeOf(text, OF_ANSWERS).state !== 'complete') return undefined
  }
  return parsedJson(text)
}

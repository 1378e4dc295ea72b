/** Event streams read the plainest way, and cut anywhere: what every reader of them is compared with. */

export interface PlainEvent {
  name: string | undefined
  data: string
  whole: boolean
}

/** `bytes` in pieces that end at `cuts`, taken modulo their length. */
export function inPieces(bytes: Uint8Array, cuts: readonly number[]): Uint8Array[] {
  const ends = [...cuts.map((cut) => cut % (bytes.length + 1)), bytes.length].sort((a, b) => a - b)
  return ends.map((end, at) => bytes.slice(ends[at - 1] ?? 0, end))
}

/** The events that have data, line by line as https://html.spec.whatwg.org/multipage/server-sent-events.html has it. */
export function plainEvents(bytes: Uint8Array): PlainEvent[] {
  const lines = new TextDecoder().decode(bytes).split(/\r\n|\r|\n/)
  const events: PlainEvent[] = []
  let name = ''
  let data: string[] = []
  const dispatch = (whole: boolean) => {
    const told = name === '' || name === 'message' ? undefined : name
    if (data.length > 0) events.push({ name: told, data: data.join('\n'), whole })
    name = ''
    data = []
  }
  for (const [at, line] of lines.entries()) {
    const colon = line.indexOf(':')
    // A field of the last line is known only by its colon: more of it might have come.
    if (at === lines.length - 1 && colon < 0) continue
    const field = colon < 0 ? line : line.slice(0, colon)
    const value = colon < 0 ? '' : line.slice(colon + 1).replace(/^ /, '')
    if (line === '') dispatch(true)
    else if (field === 'data') data.push(value)
    else if (field === 'event') name = beginningOf(value)
  }
  dispatch(false)
  return events
}

/** No name that matters is longer. */
function beginningOf(name: string): string {
  return new TextDecoder('utf-8', { fatal: false, ignoreBOM: true }).decode(
    new TextEncoder().encode(name).subarray(0, 64),
  )
}

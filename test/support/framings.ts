/** Event streams read the plainest way, and cut anywhere: what every reader of them is compared with. */
import fc from 'fast-check'

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

/** How one event is framed. */
export interface Framing {
  lineEnd: string
  colon: ':' | ': '
  /** No `event:` line: its JSON tells. */
  named: boolean
  nameLast: boolean
  /** Its JSON over several data lines. */
  spread: boolean
  /** Lines that mean nothing, before and between. */
  noise: readonly string[]
  /** In the JSON. */
  spaced: boolean
}

export const framing: fc.Arbitrary<Framing> = fc.record({
  lineEnd: fc.constantFrom('\n', '\r\n', '\r'),
  colon: fc.constantFrom(':', ': '),
  named: fc.boolean(),
  nameLast: fc.boolean(),
  spread: fc.boolean(),
  noise: fc.array(
    fc.constantFrom(': hello', ':', 'retry: 5', 'retry', 'id: 7', 'id', 'other: {"usage":1}', 'Data: x'),
    {
      maxLength: 3,
    },
  ),
  spaced: fc.boolean(),
})

/** Events as a stream, each framed as the list says, over again; without its final blank line when the last is unnamed. */
export function framed(events: readonly Record<string, unknown>[], framings: readonly Framing[]): string {
  let text = framings[0]?.spaced ? '\ufeff' : ''
  for (const [at, event] of events.entries()) {
    const framing = framings[at % framings.length]
    if (!framing) continue
    const { lineEnd, colon, named, nameLast, spread, noise, spaced } = framing
    const json = spread || spaced ? JSON.stringify(event, null, 1) : JSON.stringify(event)
    const data = (spread ? json : json.replaceAll('\n', '')).split('\n').map((line) => `data${colon}${line}`)
    const name =
      event.type !== undefined && (named || event.type === 'ping') ? [`event${colon}${event.type}`] : []
    const lines = nameLast ? [...noise, ...data, ...name] : [...name, ...noise, ...data]
    const isLast = at === events.length - 1
    text += `${lines.join(lineEnd)}${lineEnd}${isLast && !named ? '' : lineEnd}`
  }
  return text
}

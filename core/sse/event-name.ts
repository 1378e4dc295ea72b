/** What an event is called, and what a stream begins with. */
import { parsedJson } from '../json/parse.ts'
import { createScan, wantedKeys } from '../json/scan.ts'
import { createEventReader } from './reader.ts'

/** Far more bytes than an error or the start of a message has: an opening that is longer is none of these. */
export const OPENING_BYTES = 64 * 1024
const TYPE = wantedKeys({ type: 256 })
/** How nearly every event begins. */
const TYPE_FIRST = /^\{"type":"(\w{1,64})"/
const ENCODER = new TextEncoder()

/** The name an event was sent under, else the `type` of its JSON, which may be cut. */
export function eventName(name: string | undefined, data: string): string | undefined {
  if (name !== undefined) return name
  // A scan costs more than all else that is done for a small event.
  const first = TYPE_FIRST.exec(data)?.[1]
  if (first !== undefined || !data.includes('{')) return first
  let type: unknown
  const scan = createScan(TYPE, ({ text }) => {
    type = parsedJson(text)
  })
  scan.write(ENCODER.encode(data))
  return typeof type === 'string' ? type : undefined
}

export interface OpeningEvent {
  event: string | undefined
  data: string
  /** False where the bytes end within the event: name and data may be cut. */
  whole: boolean
}

/**
 * The first event of a stream that has data, pings not counted, as far as the stream's `first` bytes tell. undefined when
 * there is none yet.
 */
export function openingEvent(first: Uint8Array): OpeningEvent | undefined {
  let opening: OpeningEvent | undefined
  const reader = createEventReader({
    most: () => (opening ? 0 : OPENING_BYTES),
    onEvent({ name, data = '', whole }) {
      if (opening) return
      const event = eventName(name, data)
      if (event !== 'ping') opening = { event, data, whole }
    },
  })
  reader.write(first.subarray(0, OPENING_BYTES))
  reader.end()
  return opening
}

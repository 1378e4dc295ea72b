/** Hides the usage in a native OpenAI stream if only the gateway asked for it. */
import { joined } from '../../bytes.ts'
import { mediaTypeOf } from '../../http/headers.ts'
import { isRecord } from '../../json/is-record.ts'
import { parsedJson } from '../../json/parse.ts'
import type { Reply, Sink } from '../../ports.ts'
import { createEventReader } from '../../sse/reader.ts'

/** Larger events are passed on at once, because the usage event is small. */
const HELD_BYTES = 64 * 1024
const LF = 0x0a
const CR = 0x0d

/** The same stream without the event that has usage and no choices; anything but a stream that succeeds is unchanged. */
export function hidingUsage(reply: Reply): Reply {
  if (reply.status !== 200 || mediaTypeOf(reply.headers) !== 'text/event-stream') return reply
  return {
    ...reply,
    // There will be fewer bytes than the backend announces.
    headers: reply.headers.filter(([name]) => name !== 'content-length'),
    async pipe(sink) {
      const hider = createHider(sink)
      await reply.pipe({ ...sink, write: hider.write })
      await hider.end()
    },
  }
}

function createHider(sink: Sink) {
  const pieces = createPieces()
  /** The current event is too large to be held, and its beginning was passed on. */
  let isBegun = false
  /** The chunk before ended with an event and a carriage return, whose line feed may come now: it goes where that went. */
  let afterReturn: 'show' | 'drop' | undefined

  function endEvent(to: number, hides: boolean) {
    const what = hides && !isBegun ? 'drop' : 'show'
    if (pieces.endsInReturn(to)) afterReturn = what
    pieces[what](to)
    isBegun = false
  }
  const reader = createEventReader({
    most: () => HELD_BYTES,
    onEvent: ({ data, end }) => endEvent(end, isUsageAlone(data)),
    // Comments keep connections alive, so they are not held until the next event.
    onEmpty: (end) => endEvent(end, false),
  })
  function send() {
    const bytes = pieces.take()
    if (bytes.length > 0) return sink.write(bytes)
  }

  return {
    write(chunk: Uint8Array) {
      if (chunk.length === 0) return
      pieces.begin(chunk)
      if (afterReturn && chunk[0] === LF) pieces[afterReturn](1)
      afterReturn = undefined
      reader.write(chunk)
      if (!pieces.hold()) {
        pieces.show(chunk.length)
        isBegun = true
      }
      return send()
    },
    end() {
      pieces.begin(new Uint8Array(0))
      reader.end()
      pieces.show(0)
      return send()
    },
  }
}

/** The bytes of a stream, chunk by chunk, each of which is shown, dropped or held until that is known. */
function createPieces() {
  let held: Uint8Array[] = []
  let heldBytes = 0
  let shown: Uint8Array[] = []
  let chunk: Uint8Array = new Uint8Array(0)
  /** Offset in `chunk` up to which it is known. */
  let from = 0

  function drop(to: number) {
    from = to
    held = []
    heldBytes = 0
  }
  return {
    drop,
    /** What was held, and the chunk up to `to`. */
    show(to: number) {
      shown.push(...held, chunk.subarray(from, to))
      drop(to)
    },
    begin(next: Uint8Array) {
      chunk = next
      from = 0
    },
    /** Holds the rest of the chunk; false where that would be too much. */
    hold(): boolean {
      heldBytes += chunk.length - from
      if (heldBytes > HELD_BYTES) return false
      if (from < chunk.length) held.push(chunk.subarray(from))
      return true
    },
    endsInReturn: (to: number) => to === chunk.length && chunk[to - 1] === CR,
    /** What was shown since the last time. */
    take(): Uint8Array {
      const bytes = joined(shown)
      shown = []
      return bytes
    },
  }
}

function isUsageAlone(data: string | undefined): boolean {
  // Nearly every event has no usage; this check saves parsing them.
  if (!data || !/"usage"\s*:\s*\{/.test(data)) return false
  const value = parsedJson(data)
  if (!isRecord(value) || !isRecord(value.usage)) return false
  const { choices = null } = value
  return choices === null || (Array.isArray(choices) && choices.length === 0)
}

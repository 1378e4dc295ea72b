/** Hides the usage in a native OpenAI stream if only the gateway asked for it. */
import { joined } from '../../bytes.ts'
import { isRecord } from '../../json/is-record.ts'
import { parsedJson } from '../../json/parse.ts'
import type { Reply, Sink } from '../../ports.ts'
import { createEventReader } from '../../sse/reader.ts'

/** Larger events are passed on at once, because the usage event is small. */
const HELD_BYTES = 64 * 1024

/** The same bytes without the event that has usage and no choices. */
export function hidingUsage(reply: Reply): Reply {
  return {
    ...reply,
    async pipe(sink) {
      const hider = createHider(sink)
      await reply.pipe({ ...sink, write: hider.write })
      await hider.end()
    },
  }
}

function createHider(sink: Sink) {
  /** Bytes of the current event from earlier chunks. */
  let held: Uint8Array[] = []
  let heldBytes = 0
  let shown: Uint8Array[] = []
  let chunk: Uint8Array = new Uint8Array(0)
  /** Offset in `chunk` at which the current event begins. */
  let from = 0

  function show(to: number) {
    shown.push(...held, chunk.subarray(from, to))
    from = to
    held = []
    heldBytes = 0
  }
  const reader = createEventReader({
    most: () => HELD_BYTES,
    onEvent({ data, end }) {
      if (!isUsageAlone(data)) return show(end)
      held = []
      heldBytes = 0
      from = end
    },
  })
  function send() {
    const bytes = joined(shown)
    shown = []
    if (bytes.length > 0) return sink.write(bytes)
  }

  return {
    write(next: Uint8Array) {
      chunk = next
      from = 0
      reader.write(chunk)
      heldBytes += chunk.length - from
      if (heldBytes > HELD_BYTES) show(chunk.length)
      else if (from < chunk.length) held.push(chunk.subarray(from))
      return send()
    },
    end() {
      chunk = new Uint8Array(0)
      from = 0
      reader.end()
      show(0)
      return send()
    },
  }
}

function isUsageAlone(data: string | undefined): boolean {
  // Nearly every event has choices; this check saves parsing them.
  if (!data || !/"choices"\s*:\s*\[\s*\]/.test(data)) return false
  const value = parsedJson(data)
  if (!isRecord(value)) return false
  return Array.isArray(value.choices) && value.choices.length === 0 && isRecord(value.usage)
}

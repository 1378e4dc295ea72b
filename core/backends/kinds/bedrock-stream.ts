/** A reply of Bedrock in its event stream, as a reply in server-sent events with pings of our own. */
import type { Clock, HeaderPairs, MaybePromise, Sink, UpstreamReply } from '../../ports.ts'
import { PING } from '../../sse/ping.ts'
import { createBedrockEvents } from './bedrock-events.ts'

/** Bedrock sends no pings, and proxies close what is silent for longer than some tens of seconds. */
const PING_AFTER_MS = 15_000
const NOTHING = new Uint8Array()

/** Throws, and gives the reply up, when its first bytes are damaged already. */
export function asServerSentEvents(reply: UpstreamReply, clock: Clock): UpstreamReply {
  const events = createBedrockEvents()
  let first: Uint8Array | undefined
  try {
    first = reply.first && (events.write(reply.first) ?? NOTHING)
  } catch (cause) {
    reply.cancel()
    throw cause
  }
  return {
    ...reply,
    headers: streamHeaders(reply.headers),
    first,
    async pipe(sink) {
      const pinging = withPings(sink, clock)
      let begun = false
      try {
        await reply.pipe({
          ...sink,
          write(chunk) {
            // The first chunk comes once more, and was read already.
            const bytes = begun ? events.write(chunk) : first
            begun = true
            if (bytes && bytes.byteLength > 0) return pinging.write(bytes)
          },
        })
        events.end()
      } finally {
        pinging.end()
      }
    },
  }
}

function streamHeaders(headers: HeaderPairs): HeaderPairs {
  const kept = headers.filter(([name]) => name !== 'content-type' && name !== 'content-length')
  return [...kept, ['content-type', 'text/event-stream; charset=utf-8']]
}

interface Pinging extends Pick<Sink, 'write'> {
  end(): void
}

/** Writes a ping whenever nothing was written for a while, and never while the reader takes what came before. */
function withPings(sink: Sink, clock: Clock): Pinging {
  let lastAt = clock.elapsed()
  /** What the reader is taking. A failure of it is the next writer's, who waits for it. */
  let taking: Promise<void> | undefined
  const pass = (bytes: Uint8Array): MaybePromise<void> => {
    lastAt = clock.elapsed()
    const wait = sink.write(bytes)
    if (!wait) return
    const taken = wait.finally(() => {
      if (taking === taken) taking = undefined
    })
    taking = taken
    taken.catch(() => {})
    return taken
  }
  const watch = (ms: number): (() => void) =>
    clock.after(ms, () => {
      const silentMs = clock.elapsed() - lastAt
      if (!taking && silentMs >= PING_AFTER_MS) pass(PING)
      cancel = watch(silentMs < PING_AFTER_MS ? PING_AFTER_MS - silentMs : PING_AFTER_MS)
    })
  let cancel = watch(PING_AFTER_MS)
  return {
    // Only a ping can be under way here, because whoever writes waits for what they wrote.
    write: (bytes) => (taking ? taking.then(() => pass(bytes)) : pass(bytes)),
    end: () => cancel(),
  }
}

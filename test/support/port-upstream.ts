/** The upstream port answered in place: for decisions that a socket would only slow down. */
import type { HeaderPairs, Sink, Upstream, UpstreamReply, UpstreamRequest } from '../../core/ports.ts'
import type { StopSignal } from '../../core/stop.ts'

export interface PlainAnswer {
  status?: number
  headers?: HeaderPairs
  /** An object is sent as JSON; several chunks come one after the other. */
  body?: string | object | readonly string[]
  /** The body breaks off after its last chunk. */
  cut?: Error
}

export interface PortUpstream extends Upstream {
  asked: UpstreamRequest[]
  /** Answers that were given up. */
  cancelled: number
}

/** `answer` may throw, or wait for `signal`. */
export function portUpstream(
  answer: (request: UpstreamRequest, signal: StopSignal) => PlainAnswer | Promise<PlainAnswer>,
): PortUpstream {
  const upstream: PortUpstream = {
    asked: [],
    cancelled: 0,
    async send(request, signal) {
      upstream.asked.push(request)
      return replyOf(await answer(request, signal), () => {
        upstream.cancelled += 1
      })
    },
    close: async () => {},
  }
  return upstream
}

/** Rejects when the exchange is stopped: an upstream that never answers. */
export function silence(signal: StopSignal): Promise<never> {
  return new Promise((_, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason))
  })
}

export const JSON_TYPE: HeaderPairs = [['content-type', 'application/json']]
export const SSE_TYPE: HeaderPairs = [['content-type', 'text/event-stream']]

function replyOf({ status = 200, headers, body = '', cut }: PlainAnswer, cancel = () => {}): UpstreamReply {
  const texts = Array.isArray(body) ? body : [typeof body === 'string' ? body : JSON.stringify(body)]
  const chunks = texts.filter((text) => text !== '').map((text) => new TextEncoder().encode(text))
  return {
    status,
    headers: headers ?? JSON_TYPE,
    first: chunks[0],
    async pipe(sink: Sink) {
      for (const chunk of chunks) await sink.write(chunk)
      if (cut) throw cut
    },
    cancel,
  }
}

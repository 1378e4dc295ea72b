/** Turns Claude's answer into OpenAI's: a stream, one JSON object or an error. */
import { joined } from '../../bytes.ts'
import { Refusal } from '../../errors.ts'
import { mediaTypeOf } from '../../http/headers.ts'
import type { HeaderPairs, Reply } from '../../ports.ts'
import type { StopSignal } from '../../stop.ts'
import { claudeErrorAsOpenAi, type OpenAiError } from '../errors.ts'
import type { Collector, StreamTranslator } from '../translator.ts'
import { type ClaudeEvent, createClaudeReader } from './events.ts'
import { wholeMessageEvents } from './message.ts'

const ENCODER = new TextEncoder()
const DECODER = new TextDecoder()
const CUT: OpenAiError = {
  message: 'The upstream broke off its answer.',
  type: 'server_error',
  param: null,
  code: 'upstream_cut',
}

export interface OpenAiAnswer {
  reply: Reply
  id: string
  warnings: readonly string[]
  /** Aborts when the client leaves. */
  signal: StopSignal
}

/** Translates the stream event by event. If it breaks off, an error event says so, and no regular end follows. */
export function translated({ reply, warnings }: OpenAiAnswer, translator: StreamTranslator): Reply {
  return {
    status: 200,
    headers: headersOf(reply.headers, warnings, 'text/event-stream; charset=utf-8'),
    async pipe(sink) {
      let text = ''
      let over = false
      const reader = createClaudeReader((event) => {
        if (over) return
        over = event.type === 'message_stop' || event.type === 'error'
        text += event.type === 'error' ? translator.failed(errorOf(event)) : translator.event(event)
      })
      const send = () => {
        const bytes = ENCODER.encode(text)
        text = ''
        if (bytes.length > 0) return sink.write(bytes)
      }
      const write = (chunk: Uint8Array) => {
        reader.write(chunk)
        return send()
      }
      try {
        await reply.pipe({ ...sink, write })
      } catch (cause) {
        // Not awaited, because a client that does not read it must not keep its connection open.
        if (!over) void Promise.resolve(sink.write(ENCODER.encode(translator.failed(CUT)))).catch(() => {})
        throw cause
      }
      reader.end()
      if (!over) text += translator.failed(CUT)
      await send()
    },
  }
}

/** Reads the whole answer and returns it as one JSON object. Throws a Refusal all_backends_failed if it breaks off. */
export async function collected(answer: OpenAiAnswer, collector: Collector): Promise<Response> {
  const { reply, warnings, signal } = answer
  const chunks: Uint8Array[] = []
  const streamed = mediaTypeOf(reply.headers) === 'text/event-stream'
  let error: OpenAiError | undefined
  let status = reply.status
  let ended = false
  const onEvent = (event: ClaudeEvent) => {
    if (event.type === 'error') ({ error, status } = claudeErrorAsOpenAi(event, 502))
    else collector.event(event)
    ended ||= event.type === 'message_stop' || event.type === 'error'
  }
  const reader = createClaudeReader(onEvent)
  const write = (chunk: Uint8Array) => {
    if (streamed) reader.write(chunk)
    else chunks.push(chunk)
  }
  try {
    await reply.pipe({ write, left: signal })
  } catch (cause) {
    if (!ended) throw new Refusal('all_backends_failed', CUT.message, { cause })
  }
  reader.end()
  const body = streamed ? undefined : parsed(joined(chunks))
  if (status !== 200 && !error) ({ error, status } = claudeErrorAsOpenAi(body, status))
  // A backend that does not stream answers with the message itself.
  if (!streamed && !error) for (const event of wholeMessageEvents(body)) onEvent(event)
  if (!ended && !error) throw new Refusal('all_backends_failed', CUT.message)
  const headers = new Headers(headersOf(reply.headers, warnings, 'application/json'))
  return Response.json(error ? { error } : collector.whole(), { status, headers })
}

function errorOf(event: ClaudeEvent): OpenAiError {
  return claudeErrorAsOpenAi(event, 502).error
}

/** The answer's headers, less those that describe the original body. */
function headersOf(from: HeaderPairs, warnings: readonly string[], type: string): HeaderPairs {
  const dropped = new Set(['content-type', 'content-length', 'content-encoding', 'cache-control'])
  const to: HeaderPairs = from.filter(([name]) => !dropped.has(name))
  to.push(['content-type', type], ['cache-control', type === 'application/json' ? 'no-store' : 'no-cache'])
  if (warnings.length > 0) to.push(['x-gateway-warning', warnings.join('; ').replace(/[^\x20-\x7e]/g, '?')])
  return to
}

function parsed(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(DECODER.decode(bytes))
  } catch {
    return undefined
  }
}

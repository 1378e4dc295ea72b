/** From the bytes of an answer to what a caller of OpenAI's interface gets: streamed, whole, or an error. */
import { joined } from '../bytes.ts'
import { Refusal } from '../errors.ts'
import type { HeaderPairs, Reply, Sink } from '../ports.ts'
import type { StopSignal } from '../stop.ts'
import { claudeErrorAsOpenAi, type OpenAiError } from './errors.ts'
import { type ClaudeEvent, createEventReader } from './events.ts'
import { wholeMessageEvents } from './message.ts'
import type { Collector, StreamTranslator } from './translator.ts'

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

/** The stream as it comes, event by event. A break is told by an error event, and never looks like an end. */
export function translated({ reply, warnings }: OpenAiAnswer, translator: StreamTranslator): Reply {
  return {
    status: 200,
    headers: headersOf(reply.headers, warnings, 'text/event-stream; charset=utf-8'),
    async pipe(sink) {
      let text = ''
      let over = false
      const reader = createEventReader((event) => {
        if (over) return
        over = event.type === 'message_stop' || event.type === 'error'
        text += event.type === 'error' ? translator.failed(errorOf(event)) : translator.event(event)
      })
      const write = (chunk: Uint8Array) => {
        text = ''
        reader.write(chunk)
        if (text !== '') return sink.write(ENCODER.encode(text))
      }
      try {
        await reply.pipe(sinkLike(sink, write))
      } catch (cause) {
        // Not waited for: whoever does not read it must not hold his connection by that.
        if (!over) void Promise.resolve(sink.write(ENCODER.encode(translator.failed(CUT)))).catch(() => {})
        throw cause
      }
      if (!over) await sink.write(ENCODER.encode(translator.failed(CUT)))
    },
  }
}

/** The whole answer as one JSON object, once it is there. Throws a Refusal all_backends_failed when it broke off. */
export async function collected(answer: OpenAiAnswer, collector: Collector): Promise<Response> {
  const { reply, warnings, signal } = answer
  const chunks: Uint8Array[] = []
  const streamed = reply.headers.some(
    ([name, value]) => name === 'content-type' && value.startsWith('text/event'),
  )
  let error: OpenAiError | undefined
  let status = reply.status
  let ended = false
  const onEvent = (event: ClaudeEvent) => {
    if (event.type === 'error') ({ error, status } = claudeErrorAsOpenAi(event, 502))
    else collector.event(event)
    ended ||= event.type === 'message_stop' || event.type === 'error'
  }
  const reader = createEventReader(onEvent)
  const write = (chunk: Uint8Array) => {
    if (streamed) reader.write(chunk)
    else chunks.push(chunk)
  }
  try {
    await reply.pipe({ write, left: signal })
  } catch (cause) {
    if (!ended) throw new Refusal('all_backends_failed', CUT.message, { cause })
  }
  const body = streamed ? undefined : parsed(joined(chunks))
  if (status !== 200 && !error) ({ error, status } = claudeErrorAsOpenAi(body, status))
  // A backend that does not stream answers with the message itself.
  if (!streamed && !error) for (const event of wholeMessageEvents(body)) onEvent(event)
  if (!ended && !error) throw new Refusal('all_backends_failed', CUT.message)
  const headers = new Headers(headersOf(reply.headers, warnings, 'application/json'))
  return Response.json(error ? { error } : collector.whole(), { status, headers })
}

/** An answer in OpenAI's own form, less the chunk of usage that only the gateway had asked for. */
export function hidingUsage(reply: Reply): Reply {
  return {
    ...reply,
    async pipe(sink) {
      const decoder = new TextDecoder()
      let rest = ''
      const write = (chunk: Uint8Array) => {
        rest += decoder.decode(chunk, { stream: true })
        const end = rest.lastIndexOf('\n\n') + 2
        if (end < 2) return
        const events = rest.slice(0, end)
        rest = rest.slice(end)
        const shown = events.includes('"choices":[]')
          ? events.split('\n\n').filter(isShown).join('\n\n')
          : events
        if (shown !== '') return sink.write(ENCODER.encode(shown))
      }
      await reply.pipe(sinkLike(sink, write))
      if (rest !== '') await sink.write(ENCODER.encode(rest))
    },
  }
}

function isShown(event: string): boolean {
  return !(event.includes('"choices":[]') && event.includes('"usage":{'))
}

function sinkLike(sink: Sink, write: Sink['write']): Sink {
  return { write, ...(sink.left ? { left: sink.left } : {}) }
}

function errorOf(event: ClaudeEvent): OpenAiError {
  return claudeErrorAsOpenAi(event, 502).error
}

/** Ours and the upstream's that still hold; the body is another one now. */
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

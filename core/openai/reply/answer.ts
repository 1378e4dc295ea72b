/** Turns Claude's answer into OpenAI's: a stream, one JSON object or an error. */
import { createPieces } from '../../bytes.ts'
import { Refusal } from '../../errors.ts'
import { headerText, mediaTypeOf } from '../../http/headers.ts'
import { boundedJson } from '../../json/bounds.ts'
import type { Clock, HeaderPairs, Reply, Sink } from '../../ports.ts'
import type { StopSignal } from '../../stop.ts'
import { claudeErrorAsOpenAi, type OpenAiError } from '../errors.ts'
import type { Collector, StreamTranslator } from '../translator.ts'
import { type ClaudeEvent, createClaudeReader } from './events.ts'
import { createForcedCall } from './forced-call.ts'
import { wholeMessageEvents } from './message.ts'
import { createNormalizer } from './normalize.ts'
import { createPausedMessage, type PausedContent } from './pauses.ts'

const ENCODER = new TextEncoder()
const DECODER = new TextDecoder()
const COMMENT = ENCODER.encode(': ping\n\n')
/** Proxies and clients close what is silent for longer than some tens of seconds. */
const COMMENT_AFTER_MS = 10_000
/** How often a paused message is continued. */
const MOST_CONTINUATIONS = 5
const CUT: OpenAiError = {
  message: 'The upstream broke off its answer.',
  type: 'server_error',
  param: null,
  code: 'upstream_cut',
}

export interface OpenAiAnswer {
  reply: Reply
  warnings: readonly string[]
  /** Aborts when the client leaves. */
  signal: StopSignal
  clock: Pick<Clock, 'elapsed'>
  /** Ids of the tool calls of the conversation so far. */
  usedIds: readonly string[]
  /** The tool that the answer's text is the input of. */
  forcedTool: string | undefined
  /** Asks Claude to go on with a paused message; undefined where nothing can go on. Absent where messages do not pause. */
  goOn?: ((content: PausedContent, times: number) => Promise<Reply | undefined>) | undefined
}

type OnEvent = (event: ClaudeEvent) => void

/**
 * Translates the stream event by event. If it breaks off, an error event takes the place of its end. The connection ends well
 * all the same, because clients tell a broken one instead of the error. Rejects for a client that left or does not read.
 */
export function translated(answer: OpenAiAnswer, translator: StreamTranslator): Reply {
  return {
    status: 200,
    headers: headersOf(answer.reply.headers, answer.warnings, 'text/event-stream; charset=utf-8'),
    async pipe(sink) {
      let text = ''
      let over = false
      const onEvent = (event: ClaudeEvent) => {
        if (over) return
        over = event.type === 'message_stop' || event.type === 'error'
        text += event.type === 'error' ? translator.failed(errorOf(event)) : translator.event(event)
      }
      const silence = createSilence(answer.clock)
      let unread = false
      const send = () => {
        const told = text
        text = ''
        if (told !== '') silence.end()
        const bytes = told === '' ? silence.comment() : ENCODER.encode(told)
        const wait = bytes && sink.write(bytes)
        unread = wait !== undefined
        return wait?.then(() => {
          unread = false
        })
      }
      try {
        await playAll(answer, onEvent, { ...sink, write: send })
      } catch (cause) {
        if (unread || answer.signal.aborted || sink.left?.aborted) throw cause
      }
      if (!over) text += translator.failed(CUT)
      await send()
    },
  }
}

/** How long nothing was told: of thinking, for one, a chat says nothing, and it may last for minutes. */
function createSilence({ elapsed }: Pick<Clock, 'elapsed'>) {
  let since: number | undefined
  return {
    end() {
      since = undefined
    },
    /** To be called when Claude wrote something that is not told; what keeps the connection open, once that lasts. */
    comment(): Uint8Array | undefined {
      const now = elapsed()
      since ??= now
      if (now - since < COMMENT_AFTER_MS) return undefined
      since = now
      return COMMENT
    },
  }
}

/** Reads the whole answer; the reply is one JSON object. Throws a Refusal all_backends_failed if it breaks off. */
export async function collected(answer: OpenAiAnswer, collector: Collector): Promise<Reply> {
  const { reply, warnings, signal } = answer
  const respond = (body: object, status: number) => jsonReply(body, status, reply.headers, warnings)
  if (reply.status !== 200) {
    const { error, status } = claudeErrorAsOpenAi(await parsedAnswer(reply, signal), reply.status)
    return respond({ error }, status)
  }
  let failure: ReturnType<typeof claudeErrorAsOpenAi> | undefined
  let ended = false
  const onEvent = (event: ClaudeEvent) => {
    if (event.type === 'error') failure = claudeErrorAsOpenAi(event, 502)
    else collector.event(event)
    ended ||= event.type === 'message_stop' || event.type === 'error'
  }
  try {
    await playAll(answer, onEvent, { write() {}, left: signal })
  } catch (cause) {
    if (!ended) throw new Refusal('all_backends_failed', CUT.message, { cause })
  }
  if (failure) return respond({ error: failure.error }, failure.status)
  if (!ended) throw new Refusal('all_backends_failed', CUT.message)
  return respond(collector.whole(), 200)
}

/** The events of the answer and of all that goes on with it. `sink.write` is called after each piece, without its bytes. */
async function playAll(
  answer: OpenAiAnswer,
  onEvent: OnEvent,
  sink: Omit<Sink, 'write'> & Pick<Played, 'write'>,
) {
  const { reply, usedIds, forcedTool, goOn } = answer
  const called = forcedTool === undefined ? onEvent : createForcedCall(forcedTool, onEvent)
  const normalized = createNormalizer(called, usedIds)
  if (!goOn) return play(reply, normalized, sink)
  const message = createPausedMessage(normalized)
  let next: Reply | undefined = reply
  for (let times = 1; next; times++) {
    await play(next, message.event, sink)
    const paused = message.paused()
    if (!paused) return
    next = times <= MOST_CONTINUATIONS ? await goOn(paused, times) : undefined
    if (next) message.resume()
  }
  message.end()
}

interface Played {
  /** Called when the events of a piece have been told. */
  write(): void | Promise<void>
}

async function play(reply: Reply, onEvent: OnEvent, sink: Omit<Sink, 'write'> & Played) {
  const reader = readerOf(reply, onEvent)
  const write = (chunk: Uint8Array) => {
    reader.write(chunk)
    return sink.write()
  }
  await reply.pipe({ ...sink, write })
  reader.end()
}

/** A backend that does not stream answers with the message itself. */
function readerOf(reply: Reply, onEvent: OnEvent) {
  if (mediaTypeOf(reply.headers) === 'text/event-stream') return createClaudeReader(onEvent)
  const pieces = createPieces()
  return {
    write: pieces.add,
    end() {
      for (const event of wholeMessageEvents(DECODER.decode(pieces.take()))) onEvent(event)
    },
  }
}

/** The parsed body of an answer that is not streamed. Throws a Refusal all_backends_failed if it breaks off. */
export async function parsedAnswer(reply: Reply, left: StopSignal): Promise<unknown> {
  const pieces = createPieces()
  try {
    await reply.pipe({ write: pieces.add, left })
  } catch (cause) {
    throw new Refusal('all_backends_failed', CUT.message, { cause })
  }
  return boundedJson(DECODER.decode(pieces.take()))
}

function errorOf(event: ClaudeEvent): OpenAiError {
  return claudeErrorAsOpenAi(event, 502).error
}

/** A reply that is one JSON object, with the headers of Claude's answer and what was given up for it. */
export function jsonReply(
  body: object,
  status: number,
  from: HeaderPairs,
  warnings: readonly string[],
): Reply {
  const bytes = ENCODER.encode(JSON.stringify(body))
  const headers = headersOf(from, warnings, 'application/json')
  headers.push(['content-length', String(bytes.length)])
  return { status, headers, pipe: (sink) => sink.write(bytes) }
}

/** The answer's headers, less those that describe the original body. */
function headersOf(from: HeaderPairs, warnings: readonly string[], type: string): HeaderPairs {
  const dropped = new Set(['content-type', 'content-length', 'content-encoding', 'cache-control'])
  const to: HeaderPairs = from.filter(([name]) => !dropped.has(name))
  to.push(['content-type', type], ['cache-control', type === 'application/json' ? 'no-store' : 'no-cache'])
  if (warnings.length > 0) to.push(['x-gateway-warning', headerOf(warnings)])
  return to
}

/** In characters: clients take headers of a few KB. */
const LONGEST_WARNING = 3_000

function headerOf(warnings: readonly string[]): string {
  const text = headerText(warnings.join('; '))
  return text.length > LONGEST_WARNING ? `${text.slice(0, LONGEST_WARNING)} ...` : text
}

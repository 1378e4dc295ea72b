/** A Claude that does what a test tells it, on a real port, and remembers what it really was asked. */
import { once } from 'node:events'
import { createServer, type IncomingHttpHeaders, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'

export interface AskedRequest {
  method: string
  url: string
  headers: IncomingHttpHeaders
  /** Names and values as they were sent, in turn. */
  rawHeaders: string[]
  body: Buffer
  /** When its headers came, in ms since 1970. */
  at: number
  /** The client closed before the answer ended. */
  aborted: boolean
}

export interface Script {
  status?: number
  headers?: Record<string, string | string[]>
  /** Pieces of the body, each written by itself; a number is a pause in ms, a promise one until it is kept. */
  chunks?: readonly (string | Uint8Array | number | Promise<unknown>)[]
  /** How the body ends; default clean. */
  end?: 'clean' | 'reset' | 'hang'
  /** Instead of any answer: close the connection, or never say anything. */
  before?: 'refuse' | 'hang'
}
type Answering = Script | ((request: AskedRequest) => Script)

export interface FakeUpstream {
  url: string
  requests: AskedRequest[]
  /** What POST /v1/messages does from now on. */
  answer(script: Answering): void
  /** What the next ones do, one script each, before `answer` holds again. */
  answerNext(...scripts: Answering[]): void
  /** What POST /v1/messages/count_tokens does from now on. */
  counts(script: Answering): void
  /** What GET /v1/models does from now on: a script, or a list of these models. */
  models(script: Script | readonly string[]): void
  /** Forgets scripts and requests. */
  reset(): void
  /** Connections that are open. */
  sockets(): number
  stop(): Promise<void>
}

interface Event {
  type: string
  [field: string]: unknown
}

/** Events as Claude frames them. */
export function sse(...events: readonly Event[]): string {
  return events.map((event) => `event: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`).join('')
}

const USAGE = {
  input_tokens: 10,
  cache_creation_input_tokens: 0,
  cache_read_input_tokens: 0,
  cache_creation: { ephemeral_5m_input_tokens: 0, ephemeral_1h_input_tokens: 0 },
  output_tokens: 1,
  service_tier: 'standard',
}

export interface MessageParts {
  text?: readonly string[] | string
  /** Of message_start, or of the whole when not streamed; over the usual one. */
  usage?: object
  /** Of message_delta. */
  finalUsage?: object
  model?: string
  stopReason?: string
}

/** The frames of an ordinary answer, one a piece. */
export function messageStream(parts: MessageParts = {}): string[] {
  const {
    text = ['Hello', ' there'],
    usage,
    finalUsage,
    model = 'claude-opus-5-5',
    stopReason = 'end_turn',
  } = parts
  const message = {
    id: 'msg_test',
    type: 'message',
    role: 'assistant',
    model,
    content: [],
    stop_reason: null,
    stop_sequence: null,
    usage: { ...USAGE, ...usage },
  }
  return [
    sse({ type: 'message_start', message }),
    sse({ type: 'content_block_start', index: 0, content_block: { type: 'text', text: '' } }),
    sse({ type: 'ping' }),
    ...[text].flat().map((piece) => {
      return sse({ type: 'content_block_delta', index: 0, delta: { type: 'text_delta', text: piece } })
    }),
    sse({ type: 'content_block_stop', index: 0 }),
    sse({
      type: 'message_delta',
      delta: { stop_reason: stopReason, stop_sequence: null },
      usage: { output_tokens: 20, ...finalUsage },
    }),
    sse({ type: 'message_stop' }),
  ]
}

/** An ordinary answer in one piece. */
export function messageJson(parts: MessageParts = {}): string {
  const { text = 'Hello there', usage, model = 'claude-opus-5-5', stopReason = 'end_turn' } = parts
  return JSON.stringify({
    id: 'msg_test',
    type: 'message',
    role: 'assistant',
    model,
    content: [{ type: 'text', text: [text].flat().join('') }],
    stop_reason: stopReason,
    stop_sequence: null,
    usage: { ...USAGE, output_tokens: 20, ...usage },
  })
}

export function errorJson(type: string, message = 'as the test wants it'): string {
  return JSON.stringify({ type: 'error', error: { type, message }, request_id: 'req_upstream' })
}

const MODELS = [
  'claude-opus-5-5',
  'claude-sonnet-5-5',
  'claude-haiku-5-5',
  'claude-fable-5-2',
  'claude-opus-4-6',
  'claude-haiku-4-5',
]
const JSON_TYPE = { 'content-type': 'application/json', 'request-id': 'req_upstream' }
const STREAM_TYPE = { 'content-type': 'text/event-stream; charset=utf-8', 'request-id': 'req_upstream' }

const modelList = (ids: readonly string[]): Script => ({
  headers: JSON_TYPE,
  chunks: [
    JSON.stringify({
      data: ids.map((id) => ({ type: 'model', id, display_name: id, created_at: '2026-09-22T00:00:00Z' })),
      has_more: false,
      first_id: ids[0] ?? null,
      last_id: ids.at(-1) ?? null,
    }),
  ],
})

const COUNTED: Script = { headers: JSON_TYPE, chunks: ['{"input_tokens":7}'] }

function ordinary({ body }: AskedRequest): Script {
  return body.includes('"stream":true')
    ? { chunks: messageStream() }
    : { headers: JSON_TYPE, chunks: [messageJson()] }
}

export async function startUpstream(): Promise<FakeUpstream> {
  const requests: AskedRequest[] = []
  const open = new Set<Socket>()
  let answering: Answering = ordinary
  let models: Script = modelList(MODELS)
  let counts: Answering = COUNTED
  const next: Answering[] = []

  const scriptFor = (asked: AskedRequest): Script => {
    if (asked.url.startsWith('/v1/models')) return models
    const counting = asked.url.startsWith('/v1/messages/count_tokens')
    const chosen = counting ? counts : (next.shift() ?? answering)
    return typeof chosen === 'function' ? chosen(asked) : chosen
  }
  const server = createServer(async (request, response) => {
    const asked: AskedRequest = {
      method: request.method ?? '',
      url: request.url ?? '',
      headers: request.headers,
      rawHeaders: request.rawHeaders,
      at: Date.now(),
      body: await bodyOf(request),
      aborted: !request.complete,
    }
    requests.push(asked)
    const script = scriptFor(asked)
    let cutByUs = false
    response.on('close', () => {
      asked.aborted ||= !response.writableFinished && !cutByUs
    })
    await play(script, response, () => {
      cutByUs = true
    })
  })
  server.on('connection', (socket) => {
    open.add(socket)
    socket.on('close', () => open.delete(socket))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    // Listening on a port, so the address is no pipe's name.
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests,
    answer: (script) => {
      answering = script
    },
    answerNext: (...scripts) => void next.push(...scripts),
    counts: (script) => {
      counts = script
    },
    models: (given) => {
      models = isList(given) ? modelList(given) : given
    },
    reset() {
      answering = ordinary
      counts = COUNTED
      models = modelList(MODELS)
      next.length = 0
      requests.length = 0
    },
    sockets: () => open.size,
    async stop() {
      const closed = [once(server, 'close'), ...[...open].map((socket) => once(socket, 'close'))]
      server.close()
      server.closeAllConnections()
      await Promise.all(closed)
    },
  }
}

const isList = (given: Script | readonly string[]): given is readonly string[] => Array.isArray(given)

async function play(script: Script, response: ServerResponse, beforeCut: () => void) {
  const cut = () => {
    beforeCut()
    response.socket?.resetAndDestroy()
  }
  if (script.before === 'refuse') return cut()
  if (script.before === 'hang') return
  response.writeHead(script.status ?? 200, script.headers ?? STREAM_TYPE)
  if (script.end === 'hang') response.flushHeaders()
  for (const chunk of script.chunks ?? []) {
    if (response.destroyed) return
    if (typeof chunk === 'number') await new Promise((resolve) => setTimeout(resolve, chunk))
    else if (chunk instanceof Promise) await chunk
    else await new Promise<void>((resolve) => response.write(chunk, () => setImmediate(resolve)))
  }
  if (script.end === 'reset') cut()
  else if (script.end !== 'hang') response.end()
}

async function bodyOf(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = []
  try {
    for await (const chunk of request) chunks.push(chunk)
  } catch {
    // The client left while it sent: what came is what there is.
  }
  return Buffer.concat(chunks)
}

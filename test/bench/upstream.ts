/** The bench's upstream, a process of its own: answers at once, or streams events to each call in a phase of its own. */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

/** Longer bodies never ask for a stream here, and reading them would cost. */
const SHORT_BYTES = 64_000
const JSON_ANSWER = JSON.stringify({
  id: 'msg_bench',
  type: 'message',
  role: 'assistant',
  model: 'claude-opus-5-5',
  content: [{ type: 'text', text: 'A small answer, as it comes a million times a day.' }],
  stop_reason: 'end_turn',
  stop_sequence: null,
  usage: {
    input_tokens: 1200,
    cache_read_input_tokens: 800,
    cache_creation_input_tokens: 0,
    output_tokens: 14,
  },
})
const frame = (event: { type: string; [field: string]: unknown }) =>
  `event: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`
const usage = {
  input_tokens: 1200,
  cache_creation_input_tokens: 0,
  cache_read_input_tokens: 800,
  output_tokens: 1,
}
const message = { id: 'msg_bench', type: 'message', role: 'assistant', model: 'claude-opus-5-5', content: [] }
const START =
  frame({ type: 'message_start', message: { ...message, stop_reason: null, stop_sequence: null, usage } }) +
  frame({ type: 'content_block_start', index: 0, content_block: { type: 'text', text: '' } })
const delta = { type: 'text_delta', text: ' a few words, as they come' }
const DELTA = frame({ type: 'content_block_delta', index: 0, delta })
const END =
  frame({ type: 'content_block_stop', index: 0 }) +
  frame({
    type: 'message_delta',
    delta: { stop_reason: 'end_turn', stop_sequence: null },
    usage: { output_tokens: 300 },
  }) +
  frame({ type: 'message_stop' })

/** `tracestate: events=100 gap=10`; both are passed on by every proxy. `events=-1`: the stream stays open after its first event. */
function pace({ headers }: IncomingMessage): { events: number; gapMs: number } {
  const [, events = '3', gap = '1'] = /events=(-?\d+) gap=(\d+)/.exec(String(headers.tracestate)) ?? []
  return { events: Number(events), gapMs: Number(gap) }
}

function stream(response: ServerResponse, { events, gapMs }: ReturnType<typeof pace>): void {
  response.writeHead(200, { 'content-type': 'text/event-stream' })
  response.write(START)
  if (events < 0) return
  let left = events
  const next = () => {
    if (response.destroyed) return
    if (left === 0) return void response.end(END)
    left -= 1
    response.write(DELTA)
    setTimeout(next, gapMs)
  }
  setTimeout(next, Math.random() * gapMs)
}

const server = createServer((request, response) => {
  const pieces: Buffer[] = []
  let bytes = 0
  request.on('data', (piece: Buffer) => {
    bytes += piece.length
    if (bytes <= SHORT_BYTES) pieces.push(piece)
  })
  request.on('end', () => {
    if (bytes <= SHORT_BYTES && Buffer.concat(pieces).includes('"stream":true'))
      return stream(response, pace(request))
    response.writeHead(200, { 'content-type': 'application/json', 'content-length': JSON_ANSWER.length })
    response.end(JSON_ANSWER)
  })
})
server.keepAliveTimeout = 60_000
server.listen(0, '127.0.0.1', () => process.send?.((server.address() as AddressInfo).port))
process.on('disconnect', () => process.exit(0))

/** The bench's upstream, a process of its own: answers at once, or streams one event per tick to every open stream. */
import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

const TICK_MS = 5
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
const frame = (event: { type: string }) => `event: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`
const usage = {
  input_tokens: 1200,
  cache_creation_input_tokens: 0,
  cache_read_input_tokens: 800,
  output_tokens: 1,
}
const START = frame({ type: 'message_start', message: { id: 'msg_bench', content: [], usage } } as {
  type: string
})
const DELTA = frame({
  type: 'content_block_delta',
  index: 0,
  delta: { type: 'text_delta', text: ' a few words, as they come' },
} as { type: string })
const END =
  frame({ type: 'message_delta', delta: { stop_reason: 'end_turn' }, usage: { output_tokens: 300 } } as {
    type: string
  }) + frame({ type: 'message_stop' })

/** What is left to send on each open stream; Infinity stays open. */
const open = new Map<ServerResponse, number>()
setInterval(() => {
  for (const [response, left] of open) {
    if (left === Number.POSITIVE_INFINITY) continue
    if (left > 0) response.write(DELTA)
    else {
      response.end(END)
      open.delete(response)
      continue
    }
    open.set(response, left - 1)
  }
}, TICK_MS)

const server = createServer((request, response) => {
  request.resume()
  request.on('end', () => {
    const events = Number(/events=(-?\d+)/.exec(String(request.headers.tracestate))?.[1] ?? 0)
    if (request.method === 'GET' || events === 0) {
      response.writeHead(200, { 'content-type': 'application/json', 'content-length': JSON_ANSWER.length })
      return void response.end(JSON_ANSWER)
    }
    response.writeHead(200, { 'content-type': 'text/event-stream' })
    response.write(START)
    open.set(response, events < 0 ? Number.POSITIVE_INFINITY : events)
    response.on('close', () => open.delete(response))
  })
})
server.keepAliveTimeout = 60_000
server.listen(0, '127.0.0.1', () => process.send?.((server.address() as AddressInfo).port))

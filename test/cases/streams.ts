/** Event streams with the figures that must be recorded of them. Bytes go through unchanged, whatever they are. */
import { messageStream, sse } from '../support/upstream.ts'

export interface StreamCase {
  name: string
  /** The whole body; tests choose how it is cut into chunks. */
  body: string
  row: Record<string, unknown>
}

const start = (usage: object) => sse({ type: 'message_start', message: { id: 'msg_1', content: [], usage } })
const text = (value: string) =>
  sse({ type: 'content_block_delta', index: 0, delta: { type: 'text_delta', text: value } })
const block =
  sse({ type: 'content_block_start', index: 0, content_block: { type: 'text', text: '' } }) +
  text('Hello') +
  sse({ type: 'content_block_stop', index: 0 })
const delta = (usage: object | undefined, stop_reason = 'end_turn') =>
  sse({ type: 'message_delta', delta: { stop_reason }, ...(usage ? { usage } : {}) })
const stop = sse({ type: 'message_stop' })
const spoof = `event: message_delta\ndata: {"usage":{"output_tokens":999999}}\n\n"usage":{"input_tokens":888888}`
const plain = messageStream({ finalUsage: { output_tokens: 20 } }).join('')
const exact = { outcome: 'ok', estimated: false }

export const STREAMS: readonly StreamCase[] = [
  { name: 'an ordinary stream', body: plain, row: { ...exact, inputTokens: 10, outputTokens: 20 } },
  {
    name: 'cache tokens of both lifetimes, priced apart',
    body:
      start({
        input_tokens: 100,
        cache_creation_input_tokens: 3000,
        cache_creation: { ephemeral_5m_input_tokens: 1000, ephemeral_1h_input_tokens: 2000 },
        cache_read_input_tokens: 5000,
        output_tokens: 1,
      }) +
      block +
      delta({ output_tokens: 10 }) +
      stop,
    row: {
      ...exact,
      inputTokens: 100,
      cacheReadTokens: 5000,
      cacheWrite5mTokens: 1000,
      cacheWrite1hTokens: 2000,
      outputTokens: 10,
      costMicros: 100 * 4 + 5000 * 0.2 + 1000 * 5 + 2000 * 8 + 10 * 20,
    },
  },
  {
    name: 'a delta that overrides the start, and a later one that overrides it',
    body:
      start({ input_tokens: 10_000, output_tokens: 1 }) +
      block +
      delta({ input_tokens: 7000, output_tokens: 5 }) +
      delta({ input_tokens: 5000, cache_read_input_tokens: 40, output_tokens: 50 }) +
      stop,
    row: { ...exact, inputTokens: 5000, cacheReadTokens: 40, outputTokens: 50 },
  },
  {
    name: 'a delta with null and zero fields, which keep the start',
    body:
      start({ input_tokens: 10_000, cache_read_input_tokens: 7, output_tokens: 1 }) +
      block +
      delta({ input_tokens: 0, cache_read_input_tokens: null, output_tokens: 50 }) +
      stop,
    row: { ...exact, inputTokens: 10_000, cacheReadTokens: 7, outputTokens: 50 },
  },
  {
    name: 'server tools: searches are priced and kept, and raise the input at the end',
    body:
      start({ input_tokens: 2679, output_tokens: 3 }) +
      block +
      delta({ input_tokens: 10_682, output_tokens: 510, server_tool_use: { web_search_requests: 2 } }) +
      stop,
    row: {
      ...exact,
      inputTokens: 10_682,
      outputTokens: 510,
      costMicros: 10_682 * 4 + 510 * 20 + 20_000,
      extra: '{"server_tool_use":{"web_search_requests":2}}',
    },
  },
  {
    name: 'iterations with an advisor of another model and a compaction',
    body:
      start({ input_tokens: 100, output_tokens: 1 }) +
      block +
      delta({
        input_tokens: 100,
        output_tokens: 30,
        iterations: [
          { type: 'compaction', input_tokens: 1000, output_tokens: 200 },
          { type: 'message', input_tokens: 100, output_tokens: 30 },
          { type: 'advisor_message', model: 'claude-fable-5-2', input_tokens: 10, output_tokens: 5 },
        ],
      }) +
      stop,
    row: {
      ...exact,
      inputTokens: 1110,
      outputTokens: 235,
      costMicros: 1100 * 4 + 230 * 20 + 10 * 8 + 5 * 40,
    },
  },
  {
    name: 'a declined attempt that gave way to a fallback costs nothing',
    body:
      start({ input_tokens: 100, output_tokens: 0 }) +
      sse({
        type: 'content_block_start',
        index: 0,
        content_block: {
          type: 'fallback',
          from: { model: 'claude-fable-5-2' },
          to: { model: 'claude-opus-5-5' },
        },
      }) +
      block +
      delta({
        output_tokens: 40,
        iterations: [
          { type: 'message', model: 'claude-fable-5-2', input_tokens: 100, output_tokens: 0 },
          { type: 'fallback_message', model: 'claude-opus-5-5', input_tokens: 100, output_tokens: 40 },
        ],
      }) +
      stop,
    row: { ...exact, inputTokens: 100, outputTokens: 40, costMicros: 100 * 4 + 40 * 20 },
  },
  {
    name: 'a refusal before any output, which is reported but not billed',
    body: start({ input_tokens: 500, output_tokens: 1 }) + delta({ output_tokens: 4 }, 'refusal') + stop,
    row: { ...exact, inputTokens: 0, outputTokens: 0, costMicros: 0 },
  },
  {
    name: 'pings, comments and unknown events anywhere',
    body: `: hello\n\n${sse({ type: 'ping' })}${start({ input_tokens: 10, output_tokens: 1 })}${sse({ type: 'from_the_future', usage: { output_tokens: 5 } })}${block}:\n${sse({ type: 'ping' })}${delta({ output_tokens: 9 })}${stop}data: [DONE]\n\n`,
    row: { ...exact, inputTokens: 10, outputTokens: 9 },
  },
  { name: 'CRLF line ends', body: plain.replaceAll('\n', '\r\n'), row: { ...exact, outputTokens: 20 } },
  { name: 'CR line ends', body: plain.replaceAll('\n', '\r'), row: { ...exact, outputTokens: 20 } },
  { name: 'a byte order mark', body: `\uFEFF${plain}`, row: { ...exact, outputTokens: 20 } },
  {
    name: 'fields without a space, and data before its name',
    body: plain
      .replaceAll('event: ', 'event:')
      .replaceAll('data: ', 'data:')
      .replace(/(event:message_stop)\n(.*)/, '$2\n$1'),
    row: { ...exact, outputTokens: 20 },
  },
  {
    name: 'text that looks like frames and usage',
    body: messageStream({ text: [spoof, 'event: message_stop\n\n', '\n\ndata: {}'] }).join(''),
    row: { ...exact, inputTokens: 10, outputTokens: 20 },
  },
  {
    name: 'counts that are none: clamped and marked',
    body:
      start({ input_tokens: -5, cache_read_input_tokens: 'many', output_tokens: 1 }) +
      block +
      delta({ output_tokens: 2.6 }) +
      stop,
    row: { outcome: 'ok', estimated: true, inputTokens: 0, cacheReadTokens: 0, outputTokens: 3 },
  },
  {
    name: 'the end without message_stop: passed on as it is, but marked',
    body: start({ input_tokens: 10, output_tokens: 1 }) + block,
    row: { outcome: 'upstream_cut', estimated: true, inputTokens: 10, outputTokens: 2 },
  },
  {
    name: 'an error in the middle, forwarded as it is',
    body:
      start({ input_tokens: 10, output_tokens: 1 }) +
      block +
      sse({ type: 'error', error: { type: 'overloaded_error', message: 'm' } }),
    row: { outcome: 'error', estimated: true, inputTokens: 10, outputTokens: 2 },
  },
  {
    name: 'bytes that are no stream at all',
    body: 'event: message_start\ndata: {"usage":\n\n\u0000\u0001 nonsense\n\nevent: message_stop\ndata: {}\n\n',
    // A quarter of the bytes of the request.
    row: { outcome: 'ok', estimated: true, inputTokens: 26, outputTokens: 0 },
  },
  {
    name: 'no names of events, and no final blank line',
    body: plain.replace(/^event: .*\n/gm, '').trimEnd(),
    row: { ...exact, inputTokens: 10, outputTokens: 20 },
  },
  {
    name: 'an end before any usage: the input is estimated',
    body: `: hello\n\n${sse({ type: 'ping' })}${sse({ type: 'content_block_start', index: 0, content_block: { type: 'text', text: '' } })}`,
    row: { outcome: 'upstream_cut', estimated: true, inputTokens: 26, outputTokens: 0, costMicros: 26 * 4 },
  },
]

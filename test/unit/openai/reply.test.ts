/** Text, thinking and inputs of tools survive the way back, however the bytes are cut. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { createChatCollector, createChatStream } from '../../../core/openai/reply/chat-reply.ts'
import { type ClaudeEvent, createClaudeReader } from '../../../core/openai/reply/events.ts'
import {
  createResponsesCollector,
  createResponsesStream,
} from '../../../core/openai/reply/responses-reply.ts'
import type { StreamTranslator } from '../../../core/openai/translator.ts'
import { RESPONSES } from '../../support/translation.ts'

const CHAT = { model: 'm', created: 1, includeUsage: true, legacyFunctions: false }

type Block = { kind: 'text' | 'thinking' | 'tool'; pieces: string[] }

const frame = (event: { type: string } & Record<string, unknown>, end = '\n') =>
  `event: ${event.type}${end}data: ${JSON.stringify(event)}${end}${end}`

function framesOf(blocks: readonly Block[], end: string): string {
  const started = { text: { type: 'text', text: '' }, thinking: { type: 'thinking', thinking: '' } }
  const deltas = { text: 'text', thinking: 'thinking', tool: 'partial_json' }
  const types = { text: 'text_delta', thinking: 'thinking_delta', tool: 'input_json_delta' }
  const body = blocks.flatMap(({ kind, pieces }, index) => [
    frame(
      {
        type: 'content_block_start',
        index,
        content_block:
          kind === 'tool'
            ? { type: 'tool_use', id: `t${index}`, name: `n${index}`, input: {} }
            : started[kind],
      },
      end,
    ),
    ...pieces.map((piece) =>
      frame({ type: 'content_block_delta', index, delta: { type: types[kind], [deltas[kind]]: piece } }, end),
    ),
    frame({ type: 'ping' }, end),
    frame({ type: 'unknown_event', odd: 'data: x' }, end),
    frame({ type: 'content_block_stop', index }, end),
  ])
  return [
    frame(
      { type: 'message_start', message: { id: 'msg_1', usage: { input_tokens: 3, output_tokens: 1 } } },
      end,
    ),
    ...body,
    frame({ type: 'message_delta', delta: { stop_reason: 'end_turn' }, usage: { output_tokens: 9 } }, end),
    frame({ type: 'message_stop' }, end),
  ].join('')
}

function cut(bytes: Uint8Array, sizes: readonly number[]): Uint8Array[] {
  const chunks: Uint8Array[] = []
  let from = 0
  for (let i = 0; from < bytes.length; i++) {
    const size = sizes[i % sizes.length] ?? 1
    chunks.push(bytes.subarray(from, from + size))
    from += size
  }
  return chunks
}

/** The data of every event that is sent for these bytes. */
function sent(translator: StreamTranslator, chunks: readonly Uint8Array[]) {
  let text = ''
  const reader = createClaudeReader((event) => {
    text += translator.event(event)
  })
  for (const chunk of chunks) reader.write(chunk)
  return text
    .split('\n')
    .filter((line) => line.startsWith('data: {'))
    .map((line) => JSON.parse(line.slice(6)))
}

const piece = fc.string({ unit: 'grapheme', maxLength: 12 })
const blocks = fc.array(
  fc.record({
    kind: fc.constantFrom('text' as const, 'thinking' as const, 'tool' as const),
    pieces: fc.array(piece, { maxLength: 6 }),
  }),
  { maxLength: 5 },
)
const sizes = fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 10 })
const end = fc.constantFrom('\n', '\r\n')
const joined = (all: readonly Block[], kind: Block['kind']) =>
  all.filter((block) => block.kind === kind).map(({ pieces }) => pieces.join(''))

describe('the way back', () => {
  test('of a chat, streamed', () => {
    fc.assert(
      fc.property(blocks, sizes, end, (given, cuts, ends) => {
        const bytes = new TextEncoder().encode(framesOf(given, ends))
        const chunks = sent(createChatStream(CHAT), cut(bytes, cuts))
        const deltas = chunks.flatMap(({ choices }) => choices.map(({ delta }: { delta: object }) => delta))
        expect(deltas.map((delta) => delta.content ?? '').join('')).toBe(joined(given, 'text').join(''))
        const inputs: string[] = []
        for (const call of deltas.flatMap((delta) => delta.tool_calls ?? [])) {
          inputs[call.index] = (inputs[call.index] ?? '') + call.function.arguments
        }
        expect(inputs).toEqual(joined(given, 'tool').map((input) => input || '{}'))
        expect(chunks.at(-1).usage).toMatchObject({ prompt_tokens: 3, completion_tokens: 9 })
      }),
      { numRuns: 300 },
    )
  })

  test('of a response, streamed, which ends as its items say', () => {
    fc.assert(
      fc.property(blocks, sizes, end, (given, cuts, ends) => {
        const bytes = new TextEncoder().encode(framesOf(given, ends))
        const events = sent(createResponsesStream(RESPONSES), cut(bytes, cuts))
        const grown = (type: string) =>
          events
            .filter((event) => event.type === type)
            .map(({ delta }) => delta)
            .join('')
        expect(grown('response.output_text.delta')).toBe(joined(given, 'text').join(''))
        expect(grown('response.function_call_arguments.delta')).toBe(
          joined(given, 'tool')
            .map((input) => input || '{}')
            .join(''),
        )
        expect(grown('response.reasoning_summary_text.delta')).toBe(joined(given, 'thinking').join(''))
        const last = events.at(-1)
        expect(last.type).toBe('response.completed')
        const done = events.filter(({ type }) => type === 'response.output_item.done')
        expect(last.response.output).toEqual(
          done.toSorted((a, b) => a.output_index - b.output_index).map(({ item }) => item),
        )
        expect(events.map(({ sequence_number }) => sequence_number)).toEqual(events.map((_, i) => i))
      }),
      { numRuns: 300 },
    )
  })

  test('of both, whole', () => {
    fc.assert(
      fc.property(blocks, (given) => {
        const events: ClaudeEvent[] = []
        createClaudeReader((event) => events.push(event)).write(
          new TextEncoder().encode(framesOf(given, '\n')),
        )
        const [chat, response] = [createChatCollector(CHAT), createResponsesCollector(RESPONSES)]
        for (const event of events) {
          chat.event(event)
          response.event(event)
        }
        const completion = JSON.parse(JSON.stringify(chat.whole()))
        const [{ message }] = completion.choices
        expect(message.content ?? '').toBe(joined(given, 'text').join(''))
        const inputs = (message.tool_calls ?? []).map(
          (call: { function: { arguments: string } }) => call.function.arguments,
        )
        expect(inputs).toEqual(joined(given, 'tool').map((input) => input || '{}'))
        const { output } = JSON.parse(JSON.stringify(response.whole()))
        const texts = output.flatMap(({ content = [] }: { content?: { text: string }[] }) =>
          content.map(({ text }) => text),
        )
        expect(texts.join('')).toBe(joined(given, 'text').join(''))
      }),
      { numRuns: 300 },
    )
  })
})

describe('how an answer ends', () => {
  const ending = (stop_reason: string, explanation?: string) => {
    const events = [
      { type: 'message_start', message: { id: 'm' } },
      { type: 'message_delta', delta: { stop_reason, stop_details: explanation ? { explanation } : null } },
      { type: 'message_stop' },
    ] as const
    const [chat, response] = [createChatCollector(CHAT), createResponsesCollector(RESPONSES)]
    for (const event of events) {
      chat.event(event)
      response.event(event)
    }
    const completion = JSON.parse(JSON.stringify(chat.whole()))
    const whole = JSON.parse(JSON.stringify(response.whole()))
    return [
      completion.choices[0].finish_reason,
      completion.choices[0].message.refusal,
      whole.status,
      whole.incomplete_details?.reason,
    ]
  }
  test.each([
    ['end_turn', undefined, ['stop', null, 'completed', undefined]],
    ['stop_sequence', undefined, ['stop', null, 'completed', undefined]],
    ['max_tokens', undefined, ['length', null, 'incomplete', 'max_output_tokens']],
    ['model_context_window_exceeded', undefined, ['length', null, 'incomplete', 'max_output_tokens']],
    ['tool_use', undefined, ['tool_calls', null, 'completed', undefined]],
    ['refusal', 'I cannot', ['content_filter', 'I cannot', 'completed', undefined]],
    ['pause_turn', undefined, ['length', null, 'incomplete', 'max_output_tokens']],
  ] as const)('%s', (reason, explanation, expected) => {
    expect(ending(reason, explanation)).toEqual(expected)
  })

  test.each([
    ['max_tokens', 'incomplete'],
    ['tool_use', 'completed'],
  ])('what %s ended is %s; what came before it is whole', (stop_reason, status) => {
    const tools = new Map([['patch', { kind: 'custom', name: 'patch' } as const]])
    const written = (index: number, block: object, delta: object) => [
      { type: 'content_block_start', index, content_block: block },
      { type: 'content_block_delta', index, delta },
      { type: 'content_block_stop', index },
    ]
    const call = (id: string, name: string) => ({ type: 'tool_use', id, name })
    const events = [
      { type: 'message_start', message: { id: 'm' } },
      ...written(0, { type: 'text', text: '' }, { type: 'text_delta', text: 'Now:' }),
      ...written(1, call('a', 'run'), { type: 'input_json_delta', partial_json: '{"a":1}' }),
      ...written(2, call('b', 'patch'), { type: 'input_json_delta', partial_json: '{"input":"one\\ntw' }),
      { type: 'message_delta', delta: { stop_reason } },
      { type: 'message_stop' },
    ]
    const stream = createResponsesStream({ ...RESPONSES, tools })
    const text = events.map((event) => stream.event(event as ClaudeEvent)).join('')
    const done = text
      .split('\n\n')
      .filter((event) => event.startsWith('event: response.output_item.done'))
      .map((event) => JSON.parse(event.split('data: ')[1] ?? '').item)
    expect(done).toMatchObject([
      { type: 'message', status: 'completed' },
      { type: 'function_call', status: 'completed', arguments: '{"a":1}' },
      { type: 'custom_tool_call', status, input: 'one\ntw' },
    ])
  })

  test('a response that broke off has what came, as incomplete; of a reasoning without its signature nothing', () => {
    const events = [
      { type: 'message_start', message: { id: 'm' } },
      { type: 'content_block_start', index: 0, content_block: { type: 'thinking', thinking: '' } },
      { type: 'content_block_delta', index: 0, delta: { type: 'thinking_delta', thinking: 'hm' } },
      { type: 'content_block_start', index: 1, content_block: { type: 'text', text: '' } },
      { type: 'content_block_delta', index: 1, delta: { type: 'text_delta', text: 'Now' } },
    ]
    const stream = createResponsesStream(RESPONSES)
    for (const event of events) stream.event(event as ClaudeEvent)
    const failed = stream.failed({ message: 'cut', type: 'server_error', param: null, code: null })
    expect(JSON.parse(failed.split('data: ')[1] ?? '').response).toMatchObject({
      status: 'failed',
      output: [
        { type: 'reasoning', summary: [] },
        { type: 'message', status: 'incomplete', content: [{ type: 'output_text', text: 'Now' }] },
      ],
    })
  })
})

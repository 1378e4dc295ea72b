/** Claude's events on their way to OpenAI's: one form for all upstreams, messages that pause, calls that could not be forced. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { JsonText } from '../../../core/openai/messages-api.ts'
import type { ClaudeEvent, Delta, StartedBlock } from '../../../core/openai/reply/events.ts'
import { createForcedCall } from '../../../core/openai/reply/forced-call.ts'
import { createNormalizer } from '../../../core/openai/reply/normalize.ts'
import { createPausedMessage } from '../../../core/openai/reply/pauses.ts'
import { createStringReader } from '../../../core/openai/reply/string-reader.ts'

const start = (index: number, content_block: StartedBlock): ClaudeEvent => ({
  type: 'content_block_start',
  index,
  content_block,
})
const delta = (index: number, delta: Delta): ClaudeEvent => ({ type: 'content_block_delta', index, delta })
const stop = (index: number): ClaudeEvent => ({ type: 'content_block_stop', index })
const text = (index: number, text: string) => delta(index, { type: 'text_delta', text })
const json = (index: number, partial_json: string) => delta(index, { type: 'input_json_delta', partial_json })
const opening = (usage: Record<string, unknown>, id = 'msg_1'): ClaudeEvent => ({
  type: 'message_start',
  message: { id, usage },
})
const ending = (stop_reason: string, usage: Record<string, unknown>): ClaudeEvent[] => [
  { type: 'message_delta', delta: { stop_reason }, usage },
  { type: 'message_stop' },
]

describe('the one form of events', () => {
  const normalized = (events: readonly ClaudeEvent[], usedIds: string[] = []) => {
    const seen: ClaudeEvent[] = []
    const normalizer = createNormalizer((event) => void seen.push(event), usedIds)
    for (const event of events) normalizer(event)
    return seen
  }

  test('has what a block begins with as deltas', () => {
    const citation = { url: 'https://a.example', title: 'A' }
    const begun = [
      start(0, { type: 'thinking', thinking: 'hm', signature: 'sig' }),
      stop(0),
      start(1, { type: 'text', text: 'Hi', citations: [citation] }),
      stop(1),
      start(2, { type: 'tool_use', id: 't', name: 'n', input: { a: 1 } }),
      stop(2),
    ]
    expect(normalized(begun)).toEqual([
      start(0, { type: 'thinking' }),
      delta(0, { type: 'thinking_delta', thinking: 'hm' }),
      delta(0, { type: 'signature_delta', signature: 'sig' }),
      stop(0),
      start(1, { type: 'text' }),
      text(1, 'Hi'),
      delta(1, { type: 'citations_delta', citation }),
      stop(1),
      start(2, { type: 'tool_use', id: 't', name: 'n' }),
      json(2, '{"a":1}'),
      stop(2),
    ])
  })

  test("takes a tool's input from its deltas where there are any", () => {
    const events = [
      start(0, { type: 'tool_use', id: 't', name: 'n', input: { a: 1 } }),
      json(0, '{"b":2}'),
      stop(0),
    ]
    expect(normalized(events)).toEqual([
      start(0, { type: 'tool_use', id: 't', name: 'n' }),
      json(0, '{"b":2}'),
      stop(0),
    ])
  })

  test('ends each block', () => {
    const events = [
      start(0, { type: 'tool_use', id: 't', name: 'n', input: { a: 1 } }),
      ...ending('tool_use', {}),
    ]
    expect(normalized(events).slice(1)).toEqual([json(0, '{"a":1}'), stop(0), ...ending('tool_use', {})])
  })

  test.each([
    ['end_turn', { type: 'text' }],
    ['tool_use', { type: 'tool_use', id: 't', name: 'n' }],
  ] as const)('ends for the reason %s where the upstream gives none', (stop_reason, block) => {
    const silent: ClaudeEvent[] = [
      start(0, block),
      { type: 'message_delta', delta: { stop_reason: null } },
      { type: 'message_stop' },
    ]
    const told: ClaudeEvent = { type: 'message_delta', delta: { stop_reason } }
    expect(normalized(silent)).toEqual([
      start(0, block),
      stop(0),
      ...silent.slice(1, 2),
      told,
      ...silent.slice(2),
    ])
    expect(normalized([start(0, block), ...silent.slice(2)])).toEqual([
      start(0, block),
      stop(0),
      told,
      ...silent.slice(2),
    ])
  })

  test('has each id of a call once, also among those of earlier answers', () => {
    const called = ['call_0', 'call_0', 'call_1', ''].map((id, i) =>
      start(i, { type: 'tool_use', id, name: 'n' }),
    )
    const ids = normalized(called, ['call_0', 'call_0_2']).map((event) =>
      event.type === 'content_block_start' && event.content_block.type === 'tool_use'
        ? event.content_block.id
        : '',
    )
    expect(ids).toEqual(['call_0_3', 'call_0_4', 'call_1', 'call'])
  })
})

describe('a paused message', () => {
  const searching = [
    start(0, { type: 'text', text: '' }),
    text(0, 'Let me look.'),
    stop(0),
    start(1, { type: 'server_tool_use', id: 's1', name: 'web_search', input: {} }),
    json(1, '{"query":'),
    json(1, '"sky"}'),
    stop(1),
  ]
  const paused = () => {
    const seen: ClaudeEvent[] = []
    const message = createPausedMessage((event) => void seen.push(event))
    const play = (events: readonly ClaudeEvent[]) => {
      for (const event of events) message.event(event)
    }
    play([
      opening({ input_tokens: 10, cache_read_input_tokens: 5, output_tokens: 1 }),
      ...searching,
      ...ending('pause_turn', { output_tokens: 20, output_tokens_details: { thinking_tokens: 3 } }),
    ])
    return { seen, message, play }
  }

  test('tells what has to be sent back, whole', () => {
    expect(paused().message.paused()).toEqual({
      blocks: [
        { type: 'text', text: 'Let me look.' },
        { type: 'server_tool_use', id: 's1', name: 'web_search', input: new JsonText('{"query":"sky"}') },
      ],
      outputTokens: 20,
    })
  })

  test('is one message with what goes on, and has the usage of both', () => {
    const { seen, message, play } = paused()
    message.resume()
    play([
      opening({ input_tokens: 40, output_tokens: 2 }, 'msg_2'),
      start(0, { type: 'text' }),
      text(0, 'Blue.'),
      stop(0),
      ...ending('end_turn', { output_tokens: 7 }),
    ])
    expect(message.paused()).toBeUndefined()
    expect(seen.filter(({ type }) => type === 'message_start')).toHaveLength(1)
    expect(seen.slice(-5)).toEqual([
      start(2, { type: 'text' }),
      text(2, 'Blue.'),
      stop(2),
      {
        type: 'message_delta',
        delta: { stop_reason: 'end_turn' },
        usage: {
          input_tokens: 50,
          output_tokens: 27,
          cache_read_input_tokens: 5,
          cache_creation_input_tokens: 0,
          output_tokens_details: { thinking_tokens: 3 },
        },
      },
      { type: 'message_stop' },
    ])
  })

  test('ends as paused where nothing goes on', () => {
    const { seen, message } = paused()
    message.end()
    expect(seen.slice(-2)).toMatchObject([
      { type: 'message_delta', delta: { stop_reason: 'pause_turn' }, usage: { output_tokens: 20 } },
      { type: 'message_stop' },
    ])
  })
})

describe('a tool that could not be forced', () => {
  const called = (events: readonly ClaudeEvent[]) => {
    const seen: ClaudeEvent[] = []
    const read = createForcedCall('weather', (event) => void seen.push(event))
    for (const event of events) read(event)
    return seen
  }
  test('is called with the text of the answer', () => {
    const thinking = [start(0, { type: 'thinking' }), stop(0)]
    const answer = [start(1, { type: 'text' }), text(1, '{"city":'), text(1, '"Rome"}'), stop(1)]
    expect(called([opening({}), ...thinking, ...answer, ...ending('end_turn', {})])).toEqual([
      opening({}),
      ...thinking,
      start(1, { type: 'tool_use', id: 'toolu_msg_1', name: 'weather' }),
      json(1, '{"city":'),
      json(1, '"Rome"}'),
      stop(1),
      ...ending('tool_use', {}),
    ])
  })
  test('is not finished where the answer is not', () => {
    const events = called([
      opening({}),
      start(0, { type: 'text' }),
      text(0, '{"ci'),
      stop(0),
      ...ending('max_tokens', {}),
    ])
    expect(events.slice(-2)).toEqual(ending('max_tokens', {}))
  })
  test('is not called by a refusal', () => {
    expect(called([opening({}), ...ending('refusal', {})])).toEqual([opening({}), ...ending('refusal', {})])
  })
})

describe('the one string of an object', () => {
  /** Whole characters, as texts in UTF-8 are cut. */
  const cut = (whole: string, sizes: readonly number[]) => {
    const characters = [...whole]
    const pieces: string[] = []
    for (let from = 0, i = 0; from < characters.length; i++) {
      const size = sizes[i % sizes.length] ?? 1
      pieces.push(characters.slice(from, from + size).join(''))
      from += size
    }
    return pieces
  }
  const escaped = (text: string) =>
    [...JSON.stringify(text).slice(1, -1)]
      .map((c) =>
        c > '~'
          ? [...c.split('')].map((u) => `\\u${u.charCodeAt(0).toString(16).padStart(4, '0')}`).join('')
          : c,
      )
      .join('')

  test('is read as it is written, wherever it is cut', () => {
    const anyText = fc.string({ unit: fc.constantFrom('a', '"', '\\', '\n', 'é', '思', '🤔', 'u', ' ') })
    fc.assert(
      fc.property(
        anyText,
        fc.boolean(),
        fc.array(fc.integer({ min: 1, max: 7 }), { minLength: 1 }),
        (value, ascii, sizes) => {
          const whole = `{ "input" : "${ascii ? escaped(value) : JSON.stringify(value).slice(1, -1)}" }`
          const reader = createStringReader('input')
          const read = cut(whole, sizes).map(reader.add)
          expect(read.join('')).toBe(value)
          expect(reader.whole()).toBe(value)
          for (const piece of read) expect(piece.isWellFormed()).toBe(true)
        },
      ),
      { numRuns: 500 },
    )
  })
  test.each([
    ['{"other":"x"}', '{"other":"x"}'],
    ['{"input":5}', '{"input":5}'],
    ['no JSON', 'no JSON'],
    ['{"input":"c\\nut', 'c\nut'],
  ])('is all that came of it, or in its place: %s', (whole, expected) => {
    const reader = createStringReader('input')
    reader.add(whole)
    expect(reader.whole()).toBe(expected)
  })
})

import { describe, expect, test } from 'vitest'
import { createWholeMeter } from '../../../core/metering/whole-answer.ts'
import {
  block,
  end,
  json,
  METERED,
  one,
  STARTED,
  start,
  stop,
  stream,
  told,
} from '../../support/usage-streams.ts'

const encoder = new TextEncoder()

describe('iterations', () => {
  const of = (usage: object) => stream(start(STARTED) + end({ output_tokens: 7, ...usage }) + stop)

  test('of the answer alone change nothing when they do not add up to it', () => {
    expect(of({ iterations: [{ type: 'message', input_tokens: 99, output_tokens: 99 }] }).parts).toEqual(
      METERED.parts,
    )
  })

  test.each([[{ model: null }], [{}]])(
    'of the answer alone, with %j, are parts of it when they add up',
    (named) => {
      const first = { type: 'message', input_tokens: 4, output_tokens: 5, ...named }
      const second = {
        type: 'message',
        input_tokens: 6,
        cache_read_input_tokens: 5,
        output_tokens: 2,
        ...named,
      }
      expect(of({ iterations: [first, second] }).parts).toEqual([
        ...one({ input: 4, output: 5 }),
        ...one({ input: 6, output: 2, cacheRead: 5 }),
      ])
      const writes = { cache_creation_input_tokens: 30, cache_creation: { ephemeral_1h_input_tokens: 12 } }
      const written = { ...first, cache_creation_input_tokens: 10 }
      const { parts } = of({
        ...writes,
        iterations: [written, { ...second, cache_creation_input_tokens: 20 }],
      })
      expect(parts.map(({ tokens }) => [tokens.cacheWrite5m, tokens.cacheWrite1h])).toEqual([
        [0, 10],
        [18, 2],
      ])
    },
  )

  test('of compaction and advisor are billed beside the message, each at its model', () => {
    const iterations = [
      { type: 'compaction', input_tokens: 100, output_tokens: 0 },
      { type: 'message', input_tokens: 10, output_tokens: 7, cache_read_input_tokens: 5 },
      { type: 'advisor_message', model: 'claude-opus-5-5', input_tokens: 3, output_tokens: 4 },
    ]
    const { parts, extra } = of({ iterations })
    expect(parts).toEqual([
      ...one({ input: 100 }),
      ...one({ input: 10, output: 7, cacheRead: 5 }),
      ...one({ input: 3, output: 4 }, 'claude-opus-5-5'),
    ])
    expect(JSON.parse(extra ?? '')).toEqual({ iterations })
  })

  test('of the message are billed each at the model that it names', () => {
    const iterations = [
      { type: 'message', input_tokens: 10, output_tokens: 3, cache_creation_input_tokens: 20 },
      {
        type: 'message',
        model: 'claude-fable-5-2',
        input_tokens: 30,
        output_tokens: 4,
        cache_read_input_tokens: 5,
        cache_creation_input_tokens: 8,
        cache_creation: { ephemeral_5m_input_tokens: 8, ephemeral_1h_input_tokens: 0 },
      },
    ]
    const total = { input_tokens: 40, cache_read_input_tokens: 5, cache_creation_input_tokens: 28 }
    const cache_creation = { ephemeral_5m_input_tokens: 16, ephemeral_1h_input_tokens: 12 }
    const { parts } = of({ ...total, cache_creation, iterations })
    expect(parts).toEqual([
      ...one({ input: 10, output: 3, cacheWrite5m: 8, cacheWrite1h: 12 }),
      ...one({ input: 30, output: 4, cacheRead: 5, cacheWrite5m: 8 }, 'claude-fable-5-2'),
    ])
  })

  test('that were declined before a fallback are not billed, unless they had output', () => {
    const served = { type: 'fallback_message', model: 'b', input_tokens: 2, output_tokens: 7 }
    const parts = one({ input: 2, output: 7 }, 'b')
    expect(
      of({ iterations: [{ type: 'message', input_tokens: 9, output_tokens: 0 }, served] }).parts,
    ).toEqual(parts)
    expect(
      of({ iterations: [{ type: 'message', input_tokens: 9, output_tokens: 1 }, served] }).parts,
    ).toEqual([...one({ input: 9, output: 1 }), ...parts])
  })

  test('share the one-hour writes of the whole, where they have no split of their own', () => {
    const writes = { type: 'message', cache_creation_input_tokens: 20, output_tokens: 1 }
    const own = { ...writes, cache_creation: { ephemeral_1h_input_tokens: 5 } }
    const cache_creation = { ephemeral_1h_input_tokens: 25 }
    const { parts } = of({ cache_creation, iterations: [writes, writes, { ...own, type: 'compaction' }] })
    const split = parts.map(({ tokens }) => [tokens.cacheWrite5m, tokens.cacheWrite1h])
    expect(split).toEqual([
      [0, 20],
      [15, 5],
      [15, 5],
    ])
  })

  test('absent, a fallback block names the model', () => {
    const fallback = block({ type: 'fallback', from: { model: 'a' }, to: { model: 'b' } })
    const large = block({ type: 'web_search_tool_result', content: 'x'.repeat(5000), to: { model: 'c' } })
    expect(stream(start(STARTED) + fallback + large + end({ output_tokens: 7 }) + stop)).toMatchObject({
      parts: one({ input: 10, cacheRead: 5, output: 7 }, 'b'),
      estimated: false,
    })
  })
})

test('a refusal before any output is kept, but not billed', () => {
  const refused = end({ output_tokens: 3 }, 'refusal')
  const result = stream(start({ ...STARTED, server_tool_use: null }) + refused + stop)
  expect(result).toMatchObject({ parts: [], estimated: false, state: 'complete' })
  expect(JSON.parse(result.extra ?? '')).toEqual({ ...STARTED, output_tokens: 3 })
  expect(stream(start(STARTED) + block({ type: 'text' }) + refused + stop).parts).toHaveLength(1)
  const body = { type: 'message', content: [], stop_reason: 'refusal', usage: STARTED }
  expect(json(body).parts).toEqual([])
  expect(json({ ...body, content: [{}] }).parts).toHaveLength(1)
})

describe('a message in one piece', () => {
  const usage = { input_tokens: 3, output_tokens: 4, cache_creation_input_tokens: 5, speed: 'standard' }
  const fake = { type: 'tool_use', input: { usage: { output_tokens: 999 }, type: 'error' } }
  const message = { type: 'message', content: [fake], stop_reason: 'tool_use', usage }

  test('is told by its own usage, wherever it is cut', () => {
    const bytes = encoder.encode(JSON.stringify(message))
    const whole = told(createWholeMeter(), bytes)
    const parts = one({ input: 3, output: 4, cacheWrite5m: 5 })
    expect(whole).toMatchObject({ state: 'complete', error: undefined, estimated: false, parts })
    expect(whole.extra).toBe('{"speed":"standard"}')
    for (let cut = 0; cut < bytes.length; cut++) expect(told(createWholeMeter(), bytes, [cut])).toEqual(whole)
  })

  test('is estimated by what the model wrote when it was cut, wherever that was', () => {
    const content = [
      { type: 'thinking', thinking: 'h\u00e9 "\n', signature: 'x'.repeat(400) },
      { type: 'text', text: '12345678', citations: [{ cited_text: 'x'.repeat(400) }] },
      { type: 'tool_use', id: 'toolu_1', name: 'f', input: { a: ['b', 1], text: '\u20ac' } },
      { type: 'text', text: 'abcd' },
    ]
    const whole = JSON.stringify({ type: 'message', content, usage }, null, 1)
    const bytes = encoder.encode(whole.slice(0, whole.indexOf('"usage"')))
    const input = JSON.stringify(content[2]?.input).length
    const output = Math.ceil((5 + 8 + input + 4) / 4)
    const expected = { state: 'open', estimated: true, inputUnknown: true, parts: one({ output }) }
    for (let cut = 0; cut < bytes.length; cut++)
      expect(told(createWholeMeter(), bytes, [cut])).toMatchObject(expected)
    const inText = encoder.encode(whole.slice(0, whole.indexOf('5678')))
    expect(told(createWholeMeter(), inText).parts).toEqual(one({ output: Math.ceil((5 + 4) / 4) }))
  })

  test('may be an error', () => {
    const failed = json({ type: 'error', error: { type: 'api_error', message: 'x' } })
    expect(failed).toMatchObject({
      state: 'complete',
      error: 'api_error',
      inputUnknown: false,
      parts: one({}),
    })
    expect(json({ type: 'error' }).error).toBe('api_error')
  })
})

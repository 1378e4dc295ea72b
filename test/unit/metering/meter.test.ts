import { describe, expect, test } from 'vitest'
import { createStreamMeter } from '../../../core/metering/anthropic-stream.ts'
import {
  billed,
  block,
  delta,
  end,
  frame,
  METERED,
  NONE,
  one,
  STARTED,
  STREAM,
  start,
  stop,
  stream,
  text,
  told,
} from '../../support/usage-streams.ts'

const encoder = new TextEncoder()

describe('a stream', () => {
  test('is told from its start and its last message_delta', () => {
    expect(stream(STREAM)).toEqual({
      ...billed({}, METERED),
      state: 'complete',
      error: undefined,
    })
  })

  test('is in state open, then usage, then complete', () => {
    const meter = createStreamMeter()
    const states = [start(STARTED), text('x'), end({ output_tokens: 2 }), stop].map((part) => {
      meter.write(encoder.encode(part))
      return meter.state()
    })
    expect(states).toEqual(['open', 'open', 'usage', 'complete'])
  })

  const data = JSON.stringify({ type: 'message_delta', usage: { output_tokens: 7 } })
  const begun = start(STARTED)
  test.each([
    ['LF', STREAM],
    ['CRLF', STREAM.replaceAll('\n', '\r\n')],
    ['CR', STREAM.replaceAll('\n', '\r')],
    ['mixed line ends', STREAM.replace(/\n/g, (_, at: number) => ['\n', '\r\n', '\r'][at % 3] ?? '')],
    ['a byte order mark', `\ufeff${STREAM}`],
    ['comments', `: hello\n${STREAM.replaceAll('\ndata', '\n: {"usage":1}\n:\ndata')}`],
    ['no space after the colon', STREAM.replaceAll(': {', ':{').replaceAll('event: ', 'event:')],
    ['other fields', STREAM.replaceAll('event:', 'id: 7\nretry\nretry: 5\nevent:')],
    ['unknown events', STREAM.replaceAll('event: ping', 'event: message_delta_of_another_kind')],
    ['an event without a name', `data: {"usage":{"output_tokens":9}}\n\n${STREAM}`],
    ['[DONE] at the end', `${STREAM}data: [DONE]\n\n`],
    [
      'data of many lines',
      `${begun}event: message_delta\ndata: {"usage":\ndata: {"output_tokens"\ndata: :7}}\n\n${stop}`,
    ],
    ['data before its name', `${begun}data: ${data}\nevent: message_delta\n\n${stop}`],
  ])('is the same with %s, wherever it is cut', (_, text) => {
    const bytes = encoder.encode(text)
    const whole = told(createStreamMeter(), bytes)
    expect(whole).toMatchObject({ ...METERED, state: 'complete' })
    for (let cut = 0; cut < bytes.length; cut++)
      expect(told(createStreamMeter(), bytes, [cut])).toEqual(whole)
    expect(told(createStreamMeter(), bytes, [...bytes.keys()])).toEqual(whole)
  })

  test('is not misled by what a model writes', () => {
    const spoof = 'event: message_delta\ndata: {"usage":{"output_tokens":999}}\n\nevent: message_stop\n\n'
    const deltas = [
      { type: 'text_delta', text: spoof },
      { type: 'thinking_delta', thinking: spoof },
      { type: 'input_json_delta', partial_json: JSON.stringify({ usage: { output_tokens: 999 }, spoof }) },
      { type: 'citations_delta', citation: { cited_text: spoof, usage: { output_tokens: 999 } } },
    ].map(delta)
    const begun = `${start(STARTED)}${block({ type: 'text', text: spoof })}${deltas.join('')}`
    expect(stream(begun).state).toBe('open')
    expect(stream(`${begun}${end({ output_tokens: 7 })}${stop}`)).toMatchObject(METERED)
  })

  test.each([
    ['null keeps', { input_tokens: null, output_tokens: 7 }, { input: 10, cacheRead: 5, output: 7 }],
    [
      '0 keeps a positive input',
      { input_tokens: 0, output_tokens: 7 },
      { input: 10, cacheRead: 5, output: 7 },
    ],
    [
      'another count overrides',
      { input_tokens: 4, cache_read_input_tokens: 0, output_tokens: 7 },
      { input: 4, output: 7 },
    ],
    ['0 output overrides', { output_tokens: 0 }, { input: 10, cacheRead: 5 }],
  ])('takes its last counts: %s', (_, usage, tokens) => {
    expect(stream(start(STARTED) + end({ output_tokens: 3 }) + end(usage) + stop)).toMatchObject({
      parts: one(tokens),
      estimated: false,
    })
  })

  test('splits cache writes; what the split does not cover is written for five minutes', () => {
    const cache_creation = { ephemeral_5m_input_tokens: 10, ephemeral_1h_input_tokens: 30 }
    const begun = start({
      input_tokens: 1,
      cache_creation_input_tokens: 40,
      cache_creation,
      output_tokens: 1,
    })
    expect(stream(begun + end({ output_tokens: 2, cache_creation_input_tokens: 90 }) + stop).parts).toEqual(
      one({ input: 1, output: 2, cacheWrite5m: 60, cacheWrite1h: 30 }),
    )
    expect(stream(begun + end({ output_tokens: 2, cache_creation_input_tokens: 20 }) + stop).parts).toEqual(
      one({ input: 1, output: 2, cacheWrite1h: 20 }),
    )
  })

  test('takes a split of cache writes without their sum', () => {
    const cache_creation = { ephemeral_5m_input_tokens: 10, ephemeral_1h_input_tokens: 30 }
    for (const sum of [{}, { cache_creation_input_tokens: null }]) {
      const usage = { input_tokens: 1, cache_creation, output_tokens: 1, ...sum }
      expect(stream(start(usage) + end({ output_tokens: 2 }) + stop)).toMatchObject({
        parts: one({ input: 1, output: 2, cacheWrite5m: 10, cacheWrite1h: 30 }),
        estimated: false,
      })
    }
  })

  test('tells of lost thinking as its last word has it, whatever else is told', () => {
    const mismatch = {
      type: 'thinking_mismatch_allowed',
      path: 'messages.0.content.0',
      reason: 'prefix_binding_mismatch',
    }
    const told = { diagnostics: 7, input_transformations: [{ type: 'thinking_dropped', reason: 'odd' }] }
    const begun = frame('message_start', { message: { usage: STARTED, ...told } })
    const ended = (more: object) =>
      frame('message_delta', { delta: {}, usage: { output_tokens: 7 }, ...more })
    expect(stream(begun + ended({}) + stop)).toMatchObject({
      ...METERED,
      promptLosses: [{ kind: 'thinking_dropped', reason: 'other', blocks: 1, tokens: 0 }],
    })
    expect(stream(begun + ended({ input_transformations: [mismatch] }) + stop).promptLosses).toEqual([
      { kind: 'thinking_mismatch_allowed', reason: 'prefix_binding_mismatch', blocks: 1, tokens: 0 },
    ])
  })

  test('is estimated when a fallback credit was redeemed: the usage does not tell what that cost', () => {
    const credited = (type: string) =>
      stream(start(STARTED) + end({ output_tokens: 7, fallback_credit: { status: { type } } }) + stop)
    expect(credited('redeemed')).toMatchObject({ parts: METERED.parts, estimated: true })
    expect(credited('not_applied')).toMatchObject({ parts: METERED.parts, estimated: false })
  })

  test('tells modifiers and keeps what else was used', () => {
    const usage = {
      ...STARTED,
      service_tier: 'standard',
      speed: 'fast',
      inference_geo: 'us',
      server_tool_use: null,
      later: 1,
    }
    const tools = { web_search_requests: 3, web_fetch_requests: 1 }
    const result = stream(start(usage) + end({ output_tokens: 7, server_tool_use: tools }) + stop)
    expect(result).toMatchObject({ webSearches: 3, fast: true, geoUs: true, batch: false })
    expect(JSON.parse(result.extra ?? '')).toEqual({
      speed: 'fast',
      inference_geo: 'us',
      server_tool_use: tools,
      later: 1,
    })
  })

  test.each<[unknown]>([
    [-1],
    [1.5],
    ['7'],
    [2 ** 53 + 2],
    [1e300],
    [true],
    [[]],
    [{}],
    [{ valueOf: 1, toString: 1 }],
  ])('does not bill %j as it stands, and says so', (count) => {
    for (const usage of [{ output_tokens: count }, { output_tokens: 7, input_tokens: count }]) {
      const { parts, estimated } = stream(start(STARTED) + end(usage) + stop)
      expect(estimated).toBe(true)
      for (const { tokens } of parts) {
        for (const value of Object.values(tokens))
          expect(Number.isSafeInteger(value) && value >= 0).toBe(true)
      }
    }
  })

  test('never throws over usage nested deeply or of endless names', () => {
    const nested = `${'['.repeat(20_000)}${']'.repeat(20_000)}`
    const deep = `event: message_delta\ndata: {"usage":{"output_tokens":7,"x":${nested}}}\n\n`
    expect(stream(start(STARTED) + deep + stop)).toMatchObject({ state: 'complete', extra: null })
    const long = stream(start(STARTED) + end({ output_tokens: 7, ['k'.repeat(9000)]: 1 }) + stop)
    expect(long).toMatchObject(METERED)
  })
})

describe('a stream without its final usage', () => {
  test.each([
    ['nothing at all', '', NONE],
    ['only its start', start(STARTED), { input: 10, cacheRead: 5, output: 1 }],
    [
      'text, thinking and tool input, counted in characters',
      start(STARTED) +
        text('12345678é€😀') +
        delta({ type: 'thinking_delta', thinking: '"\\\n\t' }) +
        delta({ type: 'input_json_delta', partial_json: '{"text":"x"}' }),
      { input: 10, cacheRead: 5, output: Math.ceil((11 + 4 + 12) / 4) },
    ],
    [
      'nothing else counted',
      start(STARTED) +
        delta({ type: 'signature_delta', signature: 'x'.repeat(99) }) +
        delta({ type: 'citations_delta', citation: { cited_text: 'x'.repeat(99) } }),
      { input: 10, cacheRead: 5, output: 1 },
    ],
    [
      'escapes as one character each',
      'event: content_block_delta\ndata: { "delta" : {"text" : "\\u00e9\\ud83d\\ude00\\n1" , "type":"text"}}\n\n',
      { output: 2 },
    ],
    [
      'its last frame cut',
      `${text('12345678')}event: content_block_delta\ndata: {"delta":{"text":"123`,
      { output: 3 },
    ],
    [
      'a cumulative count that is larger',
      start({ ...STARTED, output_tokens: 500 }) + text('1234'),
      { input: 10, cacheRead: 5, output: 500 },
    ],
    [
      'data before its name',
      'data: {"delta":{"text":"12345"}}\nevent: content_block_delta\n\n',
      { output: 2 },
    ],
  ])('is estimated from %s, wherever it is cut', (_, sent, tokens) => {
    const bytes = encoder.encode(sent)
    const whole = told(createStreamMeter(), bytes)
    expect(whole).toMatchObject({ parts: one(tokens), estimated: true, state: 'open' })
    for (let cut = 0; cut < bytes.length; cut++)
      expect(told(createStreamMeter(), bytes, [cut])).toEqual(whole)
  })

  test('is complete but estimated after message_stop', () => {
    expect(stream(start(STARTED) + stop)).toMatchObject({ state: 'complete', estimated: true })
    expect(stream(start(STARTED) + end() + stop)).toMatchObject({ state: 'complete', estimated: true })
  })

  test.each([
    ['an error', { error: { type: 'overloaded_error', message: 'x' } }, 'overloaded_error'],
    ['an error without a type', { error: 'oh' }, 'api_error'],
    ['an endless error', { error: { type: 'x', message: 'x'.repeat(70_000) } }, 'api_error'],
  ])('is complete after %s', (_, data, error) => {
    expect(stream(start(STARTED) + frame('error', data))).toMatchObject({
      state: 'complete',
      estimated: true,
      error,
    })
  })

  test('is flagged when a frame that matters is too long or broken', () => {
    const long = end({ output_tokens: 7, x: 'x'.repeat(70_000) })
    expect(stream(start(STARTED) + long + stop)).toMatchObject({ state: 'complete', estimated: true })
    const broken = 'event: message_start\ndata: {"message":\n\n'
    expect(stream(broken + end({ output_tokens: 7 }) + stop)).toMatchObject({
      estimated: true,
      parts: one({ output: 7 }),
    })
  })

  test.each(['content_block_delta', 'content_block_start', 'message_delta', 'unknown'])(
    'is read through a %s that is longer than what is kept',
    (name) => {
      const meter = createStreamMeter()
      meter.write(encoder.encode(`${start(STARTED)}event: ${name}\ndata: {"delta":{"text":"`))
      const piece = encoder.encode('x'.repeat(65_536))
      for (let i = 0; i < 3; i++) meter.write(piece)
      meter.write(encoder.encode(`"}}\n\n${end({ output_tokens: 7 })}${stop}`))
      expect(meter.state()).toBe('complete')
      expect(meter.usage()).toMatchObject({ parts: METERED.parts, estimated: name === 'message_delta' })
    },
  )
})

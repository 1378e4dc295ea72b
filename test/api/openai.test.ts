/** OpenAI's interface through the whole gateway: translation, errors, metering, aborts. */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { type App, startApp } from '../support/app.ts'
import { type FakeUpstream, messageStream, sse, startUpstream } from '../support/upstream.ts'

const OPUS = 'claude-opus-5-5'
const HI = [{ role: 'user', content: 'hi' }]

interface Chunk {
  choices: { delta: Record<string, unknown>; finish_reason: string | null }[]
  usage?: Record<string, unknown> | null
}
const chunksOf = (text: string): Chunk[] =>
  text
    .split('\n\n')
    .filter((event) => event.startsWith('data: {'))
    .map((event) => JSON.parse(event.slice(6)))

describe("OpenAI's interface", () => {
  let upstream: FakeUpstream
  let app: App
  let key: string
  beforeAll(async () => {
    upstream = await startUpstream()
    upstream.models([OPUS])
    app = await startApp({
      models: { rules: [{ match: 'claude-fable-*', access: 'approval' }] },
      model_replacements: { 'gpt-5': OPUS },
      // Answers that break off on purpose must not eject the only backend.
      health: { startup_check: 'off', failure_threshold: 1000 },
      backends: [{ name: 'claude', url: upstream.url, api_key: 'k-of-claude', models: ['claude-*'] }],
    })
    const ann = await app.signIn('ann')
    key = (await ann.post('/api/keys', { name: 'x' })).body.key.key
  })
  afterAll(async () => {
    await app.close()
    await upstream.stop()
  })
  beforeEach(() => upstream.reset())
  const post = (path: string, body: object | string, headers: Record<string, string> = {}) =>
    app.request(path, {
      method: 'POST',
      headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json', ...headers },
      body: typeof body === 'string' ? body : JSON.stringify(body),
    })
  const chat = (body: object) => post('/v1/chat/completions', { model: OPUS, messages: HI, ...body })
  const respond = (body: object) => post('/v1/responses', { model: OPUS, input: 'hi', ...body })
  const sent = () => JSON.parse(upstream.requests.at(-1)?.body.toString() ?? '{}')

  test('a whole completion is collected from a stream, with all figures', async () => {
    upstream.answer({
      chunks: messageStream({
        text: ['Hel', 'lo'],
        usage: { input_tokens: 3, cache_read_input_tokens: 5, cache_creation_input_tokens: 7 },
        finalUsage: { output_tokens: 11, output_tokens_details: { thinking_tokens: 4 } },
      }),
    })
    const answer = await chat({ max_completion_tokens: 50 })
    expect(answer.status).toBe(200)
    expect(answer.headers.get('x-request-id')).toMatch(/^req_/)
    expect(answer.headers.get('content-type')).toBe('application/json')
    expect(answer.body).toEqual({
      id: expect.stringMatching(/^chatcmpl-msg_/),
      object: 'chat.completion',
      created: Math.floor(app.clock.now() / 1000),
      model: OPUS,
      choices: [
        {
          index: 0,
          message: { role: 'assistant', content: 'Hello', refusal: null, annotations: [] },
          finish_reason: 'stop',
          logprobs: null,
        },
      ],
      usage: {
        prompt_tokens: 15,
        completion_tokens: 11,
        total_tokens: 26,
        prompt_tokens_details: { cached_tokens: 5, cache_write_tokens: 7 },
        completion_tokens_details: { reasoning_tokens: 4 },
      },
      service_tier: 'default',
    })
    expect(sent()).toEqual({
      model: OPUS,
      max_tokens: 50,
      messages: [{ role: 'user', content: [{ type: 'text', text: 'hi' }] }],
      stream: true,
    })
    const { headers } = upstream.requests.at(-1) ?? {}
    expect(headers).toMatchObject({ 'x-api-key': 'k-of-claude', 'anthropic-version': '2023-06-01' })
    expect(headers?.authorization).toBeUndefined()
  })

  test("is metered by Claude's own figures, priced and recorded like every call", async () => {
    upstream.answer({
      chunks: messageStream({ usage: { input_tokens: 100 }, finalUsage: { output_tokens: 20 } }),
    })
    const answer = await chat({ model: 'gpt-5' })
    expect(answer.body.model).toBe('gpt-5')
    const row = (await app.rows()).find(({ requestId }) => requestId === answer.headers.get('x-request-id'))
    expect(row).toMatchObject({
      requestedModel: 'gpt-5',
      model: OPUS,
      backend: 'claude',
      inputTokens: 100,
      outputTokens: 20,
      costMicros: 100 * 4 + 20 * 20,
      outcome: 'ok',
      stream: false,
      estimated: false,
    })
  })

  test('streams chunk by chunk, with pings as comments, and figures only when asked', async () => {
    upstream.answer({
      chunks: [
        ...messageStream({ text: ['a', 'b'] }).slice(0, 2),
        sse({ type: 'ping' }),
        ...messageStream({ text: ['a', 'b'] }).slice(2),
      ],
    })
    const plain = await chat({ stream: true })
    expect(plain.headers.get('content-type')).toBe('text/event-stream; charset=utf-8')
    expect(plain.text).toContain('\n\n: ping\n\n')
    expect(plain.text).not.toContain('event:')
    expect(plain.text.endsWith('data: [DONE]\n\n')).toBe(true)
    expect(chunksOf(plain.text).map(({ choices }) => [choices[0]?.delta, choices[0]?.finish_reason])).toEqual(
      [
        [{ role: 'assistant', content: '' }, null],
        [{ content: 'a' }, null],
        [{ content: 'b' }, null],
        [{}, 'stop'],
      ],
    )
    expect(plain.text).not.toContain('usage')
    const counted = chunksOf((await chat({ stream: true, stream_options: { include_usage: true } })).text)
    expect(counted.slice(0, -1).every(({ usage }) => usage === null)).toBe(true)
    expect(counted.at(-1)).toMatchObject({ choices: [], usage: { prompt_tokens: expect.any(Number) } })
  })

  test('tools go there and back, streamed and whole, in the new way and the old', async () => {
    const input = { city: 'Paris "am" Meer' }
    const json = JSON.stringify(input)
    const [start, , , , ...end] = messageStream({ text: 'x', stopReason: 'tool_use' })
    const call = [
      sse({
        type: 'content_block_start',
        index: 0,
        content_block: { type: 'thinking', thinking: '', signature: '' },
      }),
      sse({ type: 'content_block_delta', index: 0, delta: { type: 'thinking_delta', thinking: 'hm' } }),
      sse({ type: 'content_block_stop', index: 0 }),
      sse({
        type: 'content_block_start',
        index: 1,
        content_block: { type: 'tool_use', id: 'toolu_1', name: 'weather', input: {} },
      }),
      ...[...json].map((letter) =>
        sse({
          type: 'content_block_delta',
          index: 1,
          delta: { type: 'input_json_delta', partial_json: letter },
        }),
      ),
      sse({ type: 'content_block_stop', index: 1 }),
      sse({
        type: 'content_block_start',
        index: 2,
        content_block: { type: 'tool_use', id: 'toolu_2', name: 'now', input: {} },
      }),
      sse({ type: 'content_block_stop', index: 2 }),
    ]
    upstream.answer({ chunks: [start ?? '', ...call, ...end.slice(-2)] })
    const tools = [
      {
        type: 'function',
        function: {
          name: 'weather',
          description: 'W',
          parameters: { type: 'object', properties: { city: { type: 'string' } } },
        },
      },
      { type: 'function', function: { name: 'now' } },
    ]
    const whole = await chat({ tools, tool_choice: 'auto', parallel_tool_calls: false })
    expect(sent()).toMatchObject({
      tools: [
        {
          name: 'weather',
          description: 'W',
          input_schema: { type: 'object', properties: { city: { type: 'string' } } },
        },
        { name: 'now', input_schema: { type: 'object', properties: {} } },
      ],
      tool_choice: { type: 'auto', disable_parallel_tool_use: true },
    })
    const [choice] = whole.body.choices
    expect(choice.finish_reason).toBe('tool_calls')
    expect(choice.message).toMatchObject({
      content: null,
      tool_calls: [
        { id: 'toolu_1', type: 'function', function: { name: 'weather', arguments: json } },
        { id: 'toolu_2', type: 'function', function: { name: 'now', arguments: '{}' } },
      ],
    })
    const streamed = chunksOf((await chat({ tools, stream: true })).text)
    const calls = new Map<number, { name: string; text: string }>()
    for (const { choices } of streamed) {
      for (const one of (choices[0]?.delta.tool_calls ?? []) as {
        index: number
        function: { name?: string; arguments: string }
      }[]) {
        const known = calls.get(one.index) ?? { name: '', text: '' }
        calls.set(one.index, {
          name: known.name + (one.function.name ?? ''),
          text: known.text + one.function.arguments,
        })
      }
    }
    expect([...calls.values()]).toEqual([
      { name: 'weather', text: json },
      { name: 'now', text: '{}' },
    ])
    const old = await chat({ functions: [{ name: 'weather' }], function_call: { name: 'weather' } })
    expect(old.body.choices[0]).toMatchObject({
      message: { function_call: { name: 'weather', arguments: json } },
      finish_reason: 'function_call',
    })
    expect(old.headers.get('x-gateway-warning')).toBe('tool_choice downgraded to auto')
  })

  test('a response has its items, whole and streamed, numbered without a gap', async () => {
    upstream.answer({ chunks: messageStream({ text: ['Hel', 'lo'], finalUsage: { output_tokens: 2 } }) })
    const whole = await respond({ instructions: 'be brief' })
    expect(whole.body).toMatchObject({
      id: expect.stringMatching(/^resp_msg_/),
      object: 'response',
      status: 'completed',
      instructions: 'be brief',
      output: [{ type: 'message', role: 'assistant', content: [{ type: 'output_text', text: 'Hello' }] }],
      usage: { output_tokens: 2 },
      store: false,
    })
    expect(sent().system).toEqual([{ type: 'text', text: 'be brief' }])
    const { text } = await respond({ stream: true })
    const events = text
      .split('\n\n')
      .filter((event) => event.startsWith('event:'))
      .map((event) => {
        const [, name, data] = /^event: (.*)\ndata: (.*)$/.exec(event) ?? []
        return { name, ...JSON.parse(data ?? '{}') }
      })
    expect(events.map(({ name }) => name)).toEqual([
      'response.created',
      'response.in_progress',
      'response.output_item.added',
      'response.content_part.added',
      'response.output_text.delta',
      'response.output_text.delta',
      'response.output_text.done',
      'response.content_part.done',
      'response.output_item.done',
      'response.completed',
    ])
    expect(events.map(({ sequence_number }) => sequence_number)).toEqual(events.map((_, i) => i))
    expect(events.every(({ name, type }) => name === type)).toBe(true)
    expect(events.at(-1).response.output).toEqual([events.at(-2).item])
  })

  test('sealed thinking of a response comes back as the block it was', async () => {
    const [start, ...rest] = messageStream({ text: 'ok' })
    upstream.answer({
      chunks: [
        start ?? '',
        sse({
          type: 'content_block_start',
          index: 0,
          content_block: { type: 'thinking', thinking: '', signature: '' },
        }),
        sse({ type: 'content_block_delta', index: 0, delta: { type: 'thinking_delta', thinking: '想' } }),
        sse({ type: 'content_block_delta', index: 0, delta: { type: 'signature_delta', signature: 'c2ln' } }),
        sse({ type: 'content_block_stop', index: 0 }),
        ...rest.map((frame) => frame.replaceAll('"index":0', '"index":1')),
      ],
    })
    const { body } = await respond({ include: ['reasoning.encrypted_content'] })
    const [reasoning, message] = body.output
    expect(reasoning).toMatchObject({ type: 'reasoning', summary: [{ type: 'summary_text', text: '想' }] })
    await respond({
      input: [{ role: 'user', content: 'hi' }, reasoning, message, { role: 'user', content: 'more' }],
    })
    expect(sent().messages).toEqual([
      { role: 'user', content: [{ type: 'text', text: 'hi' }] },
      {
        role: 'assistant',
        content: [
          { type: 'thinking', thinking: '想', signature: 'c2ln' },
          { type: 'text', text: 'ok' },
        ],
      },
      { role: 'user', content: [{ type: 'text', text: 'more' }] },
    ])
  })

  describe('an error', () => {
    test.each([
      ['no key', 401, 'invalid_api_key', { headers: { authorization: '' } }],
      ['a model that needs approval', 403, 'model_not_allowed', { body: { model: 'claude-fable-5-2' } }],
      ['a model nobody has', 404, 'model_not_found', { body: { model: 'nobody-has-it' } }],
      ['two answers', 400, 'unsupported_value', { body: { n: 2 } }],
      ['no messages', 400, null, { body: { messages: [] } }],
      ['no JSON', 400, null, { text: '{' }],
    ] as const)("of ours is in OpenAI's form: %s", async (_what, status, code, given) => {
      const body =
        'text' in given ? given.text : { model: OPUS, messages: HI, ...('body' in given ? given.body : {}) }
      const headers = 'headers' in given ? given.headers : {}
      for (const path of ['/v1/chat/completions'] as const) {
        const answer = await post(path, body, headers)
        expect([answer.status, answer.body.error.code]).toEqual([status, code])
        expect(answer.body).toEqual({
          error: {
            message: expect.any(String),
            type: expect.any(String),
            param: answer.body.error.param,
            code,
          },
        })
        expect(answer.headers.get('x-request-id')).toMatch(/^req_/)
      }
    })

    test.each([
      [400, 'invalid_request_error', 'prompt is too long: 1 > 0', 400, 'context_length_exceeded'],
      [400, 'invalid_request_error', 'Input is too long for it', 400, 'context_length_exceeded'],
      [400, 'invalid_request_error', '`max_tokens` exceed context limit', 400, 'context_length_exceeded'],
      [400, 'invalid_request_error', 'messages: roles', 400, null],
      [413, 'request_too_large', 'big', 413, 'request_too_large'],
      [429, 'rate_limit_error', 'slow down', 429, 'rate_limit_exceeded'],
      [500, 'api_error', 'oops', 502, null],
      [529, 'overloaded_error', 'busy', 503, 'overloaded'],
    ] as const)('of Claude, %i %s, is translated', async (status, type, message, expected, code) => {
      const chunks = [JSON.stringify({ type: 'error', error: { type, message } })]
      upstream.answer({ status, headers: { 'content-type': 'application/json' }, chunks })
      for (const stream of [false, true]) {
        const answer = await chat({ stream })
        expect([answer.status, answer.body.error.code, answer.body.error.message]).toEqual([
          expected,
          code,
          message,
        ])
        // A backend that was asked for too much rests.
        app.clock.advance(60_000)
      }
      // What it served since lets its failures be forgotten.
      upstream.reset()
      expect((await chat({})).status).toBe(200)
    })

    test('in mid-stream is the last event, without [DONE]; whole answers become that error', async () => {
      const error = sse({ type: 'error', error: { type: 'overloaded_error', message: 'busy' } })
      upstream.answer({ chunks: [...messageStream({ text: 'a' }).slice(0, 3), error] })
      const { text } = await chat({ stream: true })
      expect(text.trim().split('\n\n').at(-1)).toBe(
        'data: {"error":{"message":"busy","type":"server_error","param":null,"code":"overloaded"}}',
      )
      expect(text).not.toContain('[DONE]')
      const whole = await chat({})
      expect([whole.status, whole.body.error.code]).toEqual([503, 'overloaded'])
      const response = (await respond({ stream: true })).text.trim().split('\n\n').at(-1)
      expect(response).toMatch(/^event: response.failed\ndata: /)
      expect(JSON.parse(response?.split('\ndata: ')[1] ?? '')).toMatchObject({
        type: 'response.failed',
        response: {
          status: 'failed',
          error: { code: 'server_error', message: 'busy' },
          output: [{ type: 'message' }],
        },
      })
    })

    test('is what an answer becomes that breaks off', async () => {
      upstream.answer({ chunks: messageStream({ text: 'abc' }).slice(0, 3) })
      expect((await chat({ stream: true })).text.trim().split('\n\n').at(-1)).toContain(
        '"code":"upstream_cut"',
      )
      expect((await chat({})).status).toBe(502)
      const rows = (await app.rows()).slice(-2)
      expect(rows).toMatchObject([{ outcome: 'upstream_cut' }, { outcome: 'upstream_cut' }])
    })

    test.each([
      ['a stream', {}, messageStream().slice(0, 3)],
      ['JSON', { 'content-type': 'application/json', 'content-length': '500' }, ['{"type":"message"']],
    ])('is what a whole answer becomes whose connection is reset: %s', async (_what, headers, frames) => {
      const type = { 'content-type': 'text/event-stream' }
      upstream.answer({ headers: { ...type, ...headers }, chunks: [...frames, 20], end: 'reset' })
      for (const answer of [await chat({}), await respond({})]) {
        expect([answer.status, answer.body.error.message]).toEqual([
          502,
          'The upstream broke off its answer.',
        ])
      }
      expect(app.logs.lines.map(({ event }) => event)).not.toContain('request.failed')
    })

    test('is not what a whole answer becomes whose connection is reset after its end', async () => {
      upstream.answer({ chunks: [...messageStream({ text: 'all' }), 20], end: 'reset' })
      const answer = await chat({})
      expect([answer.status, answer.body.choices[0].message.content]).toEqual([200, 'all'])
    })
  })
})

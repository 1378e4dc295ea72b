/** OpenAI's interface in front of a backend that speaks it itself. */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { type App, startApp } from '../support/app.ts'
import { type FakeUpstream, startUpstream } from '../support/upstream.ts'

const HI = [{ role: 'user', content: 'hi' }]

describe('a backend that speaks it', () => {
  let native: FakeUpstream
  let app: App
  let key: string
  beforeAll(async () => {
    native = await startUpstream()
    const backend = { name: 'native', url: native.url, api_key: 'k-of-native', openai: 'passthrough' }
    // Answers that break off on purpose must not eject the only backend.
    const health = { startup_check: 'off', failure_threshold: 1000 }
    const model_replacements = { 'house-model': 'claude-opus-5-5' }
    const messages = { server_tools: ['web_search*', 'mcp'], mcp_servers: ['https://mcp.test/*'] }
    app = await startApp({ health, backends: [backend], model_replacements, messages })
    const ann = await app.signIn('ann')
    key = (await ann.post('/api/keys', { name: 'x' })).body.key.key
  })
  afterAll(async () => {
    await app.close()
    await native.stop()
  })
  beforeEach(() => native.reset())
  const post = (path: string, body: object | string, headers: Record<string, string> = {}) =>
    app.request(path, {
      method: 'POST',
      headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json', ...headers },
      body: typeof body === 'string' ? body : JSON.stringify(body),
    })
  const sent = () => native.requests.at(-1)?.body.toString()
  const chat = (body: object) => post('/v1/chat/completions', { messages: HI, ...body })
  const respond = (body: object) => post('/v1/responses', { input: 'hi', ...body })
  const bytes = (usage: string) =>
    `data: {"id":"c","choices":[{"index":0,"delta":{"content":"hé"}}]}\n\n${usage}data: [DONE]\n\n`
  const figures =
    'data: {"id":"c","choices":[],"usage":{"prompt_tokens":10,"completion_tokens":5,"prompt_tokens_details":{"cached_tokens":4}}}\n\n'

  test('gets the call as it came, and its bytes go on; what only we asked for is hidden', async () => {
    const headers = { 'content-type': 'text/event-stream' }
    native.answer({ headers, chunks: [...Buffer.from(bytes(figures))].map((byte) => Uint8Array.of(byte)) })
    const own = await chat({ model: 'other-1', stream: true, odd: [1] })
    expect(own.text).toBe(bytes(''))
    const [asked] = native.requests
    expect(asked?.url).toBe('/v1/chat/completions')
    expect(asked?.headers).toMatchObject({ authorization: 'Bearer k-of-native' })
    expect(asked?.headers['x-api-key']).toBeUndefined()
    expect(JSON.parse(asked?.body.toString() ?? '')).toEqual({
      model: 'other-1',
      messages: HI,
      stream: true,
      odd: [1],
      stream_options: { include_usage: true },
    })
    const counted = await chat({ model: 'other-1', stream: true, stream_options: { include_usage: true } })
    expect(counted.text).toBe(bytes(figures))
    for (const answer of [own, counted]) {
      const row = (await app.rows()).find(({ requestId }) => requestId === answer.headers.get('x-request-id'))
      expect(row).toMatchObject({
        inputTokens: 6,
        cacheReadTokens: 4,
        outputTokens: 5,
        outcome: 'ok',
        estimated: false,
      })
    }
  })

  test('answers whole ones and responses, which are metered by their own figures', async () => {
    const json = { 'content-type': 'application/json' }
    const completion = '{"choices":[],"usage":{"prompt_tokens":7,"completion_tokens":3}}'
    native.answer({ headers: json, chunks: [completion.slice(0, 20), completion.slice(20)] })
    const whole = await chat({ model: 'other-1' })
    expect(whole.text).toBe(completion)
    const stream =
      'event: response.completed\ndata: {"type":"response.completed","response":{"usage":{"input_tokens":9,"output_tokens":2,"input_tokens_details":{"cached_tokens":1}}}}\n\n'
    native.answer({ headers: { 'content-type': 'text/event-stream' }, chunks: [stream] })
    const response = await respond({ model: 'other-1', stream: true })
    expect(response.text).toBe(stream)
    expect((await app.rows()).slice(-2)).toMatchObject([
      { inputTokens: 7, outputTokens: 3, outcome: 'ok' },
      { inputTokens: 8, cacheReadTokens: 1, outputTokens: 2, outcome: 'ok' },
    ])
  })

  test('is estimated when its answer is cut: by the request, and by what the model wrote', async () => {
    const json = { 'content-type': 'application/json' }
    const message = {
      content: 'x'.repeat(80),
      tool_calls: [{ function: { name: 'f', arguments: 'y'.repeat(20) } }],
    }
    const whole = JSON.stringify({ id: 'c'.repeat(400), choices: [{ message, finish_reason: 'stop' }] })
    native.answer({ headers: json, chunks: [whole.slice(0, -20)] })
    // What is cut is no JSON.
    await expect(chat({ model: 'other-1' })).rejects.toThrow(SyntaxError)
    const deltas = [
      { content: 'x'.repeat(60) },
      { tool_calls: [{ function: { arguments: 'y'.repeat(40) } }] },
    ]
    const chunks = deltas.map(
      (delta) => `data: ${JSON.stringify({ id: 'c'.repeat(400), choices: [{ delta }] })}\n\n`,
    )
    native.answer({ headers: { 'content-type': 'text/event-stream' }, chunks })
    await chat({ model: 'other-1', stream: true })
    for (const row of (await app.rows()).slice(-2)) {
      expect(row).toMatchObject({ outcome: 'upstream_cut', estimated: true, outputTokens: 25 })
      expect(row.inputTokens).toBeGreaterThan(10)
    }
  })

  test.each([
    [
      'chat completions',
      '/v1/chat/completions?a=%2F',
      '"messages":[{"role":"user","content":[{"type":"input_audio"}]}]',
    ],
    ['responses', '/v1/responses', '"input":"hi","store":true,"previous_response_id":"resp_1"'],
  ])('gets %s byte for byte, with all that Claude has nothing like', async (_, path, members) => {
    native.answer({ headers: { 'content-type': 'application/json' }, chunks: ['{"usage":{}}'] })
    const body = `{ "n":2, "seed" : 12345678901234567890,"model":"anthropic/other-1", "tools":[{"type":"custom"}],${members}, "x":1.0 }`
    const answer = await post(path, body, {
      'openai-beta': 'b=1',
      'openai-organization': 'org',
      'x-stainless-lang': 'js',
    })
    expect(answer.status).toBe(200)
    expect(sent()).toBe(body)
    expect(native.requests.at(-1)?.url).toBe(path)
    expect(native.requests.at(-1)?.headers).toMatchObject({
      'openai-beta': 'b=1',
      'x-stainless-lang': 'js',
      'content-type': 'application/json',
    })
    expect(native.requests.at(-1)?.headers).not.toHaveProperty('openai-organization')
  })

  test('gets another model only where a replacement says so, and nothing else is changed', async () => {
    native.answer({ headers: { 'content-type': 'application/json' }, chunks: ['{"usage":{}}'] })
    await post('/v1/chat/completions', '{"model": "house-model" ,"seed":12345678901234567890}')
    expect(sent()).toBe('{"model": "claude-opus-5-5" ,"seed":12345678901234567890}')
    expect((await app.rows()).at(-1)).toMatchObject({
      requestedModel: 'house-model',
      model: 'claude-opus-5-5',
    })
  })

  test('gets no tool and no server that is not allowed here', async () => {
    native.answer({ headers: { 'content-type': 'application/json' }, chunks: ['{"usage":{}}'] })
    const tools = async (tool: object) => {
      const { status, body } = await respond({ model: 'other-1', tools: [tool] })
      return [status, body.error?.message]
    }
    expect(await tools({ type: 'web_search' })).toEqual([200, undefined])
    expect(await tools({ type: 'code_interpreter' })).toEqual([
      400,
      'tools.0.type: the tool code_interpreter is not allowed here.',
    ])
    expect(await tools({ type: 'mcp', server_url: 'https://mcp.test/a' })).toEqual([200, undefined])
    expect(await tools({ type: 'mcp', server_url: 'https://evil.test/a' })).toEqual([
      400,
      'tools.0.server_url: this MCP server is not allowed here.',
    ])
  })

  test('tells its errors in its own words', async () => {
    const error =
      '{"error":{"message":"n is too large","type":"invalid_request_error","param":"n","code":"odd"}}'
    const headers = { 'content-type': 'application/json' }
    native.answer({ status: 400, headers, chunks: [error] })
    expect((await chat({ model: 'other-1', n: 900 })).text).toBe(error)
    const overloaded = '{"error":{"message":"busy","type":"server_error","param":null,"code":"busy"}}'
    native.answer({ status: 503, headers, chunks: [overloaded] })
    expect(await chat({ model: 'other-1' })).toMatchObject({ status: 503, text: overloaded })
  })
})

describe('beside a backend that speaks only Claude’s interface', () => {
  let native: FakeUpstream
  let claude: FakeUpstream
  let app: App
  let key: string
  beforeAll(async () => {
    native = await startUpstream()
    claude = await startUpstream()
    app = await startApp({
      health: { startup_check: 'off', failure_threshold: 1000 },
      backends: [
        { name: 'native', url: native.url, api_key: 'k', openai: 'passthrough', models: ['both', 'native'] },
        { name: 'claude', url: claude.url, api_key: 'k', weight: 1000, models: ['both', 'claude'] },
      ],
    })
    const ann = await app.signIn('ann')
    key = (await ann.post('/api/keys', { name: 'x' })).body.key.key
  })
  afterAll(async () => {
    await app.close()
    await native.stop()
    await claude.stop()
  })
  beforeEach(() => {
    for (const upstream of [native, claude]) upstream.reset()
    native.answer({ headers: { 'content-type': 'application/json' }, chunks: ['{"usage":{}}'] })
  })
  const ask = async (body: object) => {
    const { status } = await app.request('/v1/chat/completions', {
      method: 'POST',
      headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
      body: JSON.stringify({ messages: HI, ...body }),
    })
    return [status, native.requests.length, claude.requests.length]
  }

  test('what can be translated goes to either', async () => {
    expect(await ask({ model: 'both' })).toEqual([200, 0, 1])
  })
  test('what cannot be translated goes to the one that takes it', async () => {
    expect(await ask({ model: 'both', n: 2 })).toEqual([200, 1, 0])
  })
  test('what cannot be translated is refused where only the other has the model', async () => {
    expect(await ask({ model: 'claude', n: 2 })).toEqual([400, 0, 0])
  })
})

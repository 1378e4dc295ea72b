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
    app = await startApp({ health, backends: [backend] })
    const ann = await app.signIn('ann')
    key = (await ann.post('/api/keys', { name: 'x' })).body.key.key
  })
  afterAll(async () => {
    await app.close()
    await native.stop()
  })
  beforeEach(() => native.reset())
  const post = (path: string, body: object) =>
    app.request(path, {
      method: 'POST',
      headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
      body: JSON.stringify(body),
    })
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
})

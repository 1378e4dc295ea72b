/** Short answers on OpenAI's interface, which Claude is asked for as a whole. */
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { type App, startApp } from '../support/app.ts'
import { type FakeUpstream, messageJson, messageStream, startUpstream } from '../support/upstream.ts'

const MODEL = 'claude-haiku-4-5'
const JSON_TYPE = { 'content-type': 'application/json' }
const ANSWER = {
  text: 'Hello',
  model: MODEL,
  usage: { input_tokens: 3, cache_read_input_tokens: 5, cache_creation_input_tokens: 7, output_tokens: 11 },
  finalUsage: { output_tokens: 11 },
}

let upstream: FakeUpstream
let app: App
let signedIn: Awaited<ReturnType<App['signIn']>>
let key: string
beforeAll(async () => {
  upstream = await startUpstream()
  app = await startApp({
    backends: [{ name: 'claude', url: upstream.url, api_key: 'k-of-claude', models: ['claude-*'] }],
  })
  signedIn = await app.signIn('ann')
  key = (await signedIn.post('/api/keys', { name: 'x' })).body.key.key
})
afterAll(async () => {
  await app.close()
  await upstream.stop()
})
beforeEach(() => upstream.reset())

const post = (path: string, body: object) =>
  app.request(path, {
    method: 'POST',
    headers: { authorization: `Bearer ${key}`, ...JSON_TYPE },
    body: JSON.stringify({ model: MODEL, ...body }),
  })
const HI = [{ role: 'user', content: 'hi' }]
const wholeAnswer = { headers: JSON_TYPE, chunks: [messageJson(ANSWER)] }
const streamedAnswer = { chunks: messageStream(ANSWER) }

test.each([
  ['/v1/chat/completions', { messages: HI, max_tokens: 50 }, { messages: HI, max_tokens: 5000 }],
  ['/v1/responses', { input: 'hi', max_output_tokens: 50 }, { input: 'hi', max_output_tokens: 5000 }],
])('%s: the answer and what is booked are those of a stream', async (path, short, long) => {
  upstream.answerNext(wholeAnswer, streamedAnswer)
  const [one, other] = [await post(path, short), await post(path, long)]
  const asked = upstream.requests.map(({ body }) => JSON.parse(body.toString()).stream)
  expect(asked).toEqual([false, true])
  expect(one.status).toBe(200)
  const { max_output_tokens: _, output, ...rest } = one.body
  expect(other.body).toMatchObject(rest)
  expect(JSON.stringify(other.body)).toContain('"Hello"')
  if (output) expect(output).toMatchObject([{ type: 'message', content: [{ text: 'Hello' }] }])
  const rows = (await app.rows()).slice(-2)
  const figures = rows.map(
    ({ inputTokens, outputTokens, cacheReadTokens, costMicros, outcome, estimated }) => {
      return { inputTokens, outputTokens, cacheReadTokens, costMicros, outcome, estimated }
    },
  )
  expect(figures[0]).toMatchObject({ inputTokens: 3, outputTokens: 11, cacheReadTokens: 5, outcome: 'ok' })
  expect(figures[1]).toEqual(figures[0])
})

test('an answer that breaks off is an error, and a refusal of Claude is passed on', async () => {
  upstream.answerNext({ headers: JSON_TYPE, chunks: [messageJson(ANSWER).slice(0, 60)] })
  expect((await post('/v1/chat/completions', { messages: HI, max_tokens: 50 })).status).toBe(502)
  upstream.answerNext({
    status: 400,
    headers: JSON_TYPE,
    chunks: [JSON.stringify({ type: 'error', error: { type: 'invalid_request_error', message: 'no' } })],
  })
  const refused = await post('/v1/chat/completions', { messages: HI, max_tokens: 50 })
  expect([refused.status, refused.body.error.message]).toEqual([400, 'no'])
})

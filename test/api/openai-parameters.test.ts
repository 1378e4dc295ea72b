/** Parameters of OpenAI's that are read where the backend is chosen and where the answer is written. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type App, startApp } from '../support/app.ts'
import { type FakeUpstream, messageStream, startUpstream } from '../support/upstream.ts'

const OPUS = 'claude-opus-5-5'
let upstreams: FakeUpstream[]
let app: App
let key: string
beforeAll(async () => {
  upstreams = await Promise.all([startUpstream(), startUpstream(), startUpstream()])
  app = await startApp({
    health: { startup_check: 'off' },
    backends: upstreams.map(({ url }, i) => ({ name: `b${i}`, url, api_key: 'k' })),
  })
  const ann = await app.signIn('ann')
  key = (await ann.post('/api/keys', { name: 'x' })).body.key.key
})
afterAll(async () => {
  await app.close()
  await Promise.all(upstreams.map((upstream) => upstream.stop()))
})

const post = (path: string, body: object) =>
  app.request(path, {
    method: 'POST',
    headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
    body: JSON.stringify({ model: OPUS, ...body }),
  })
const chat = (body: object) =>
  post('/v1/chat/completions', { messages: [{ role: 'user', content: 'hi' }], ...body })
const respond = (body: object) => post('/v1/responses', { input: 'hi', ...body })

test('model is the one that is sent and answered', async () => {
  const answer = await chat({ model: 'claude-opus-4-8' })
  expect(answer.body.model).toBe('claude-opus-4-8')
  const sent = upstreams
    .flatMap(({ requests }) => requests)
    .map(({ body }) => JSON.parse(body.toString()).model)
  expect(sent).toEqual(['claude-opus-4-8'])
})

test('include_usage adds the figures to a stream', async () => {
  const usageOf = async (stream_options: object) => (await chat({ stream: true, stream_options })).text
  expect(await usageOf({ include_usage: true })).toContain('"usage":{')
  expect(await usageOf({ include_usage: false })).not.toContain('"usage":{')
})

test('metadata is repeated in the answer', async () => {
  expect((await respond({ metadata: { a: 'b' } })).body.metadata).toEqual({ a: 'b' })
})

test('include asks for the thinking as reasoning.encrypted_content', async () => {
  const thought = { type: 'thinking', thinking: 'hm', signature: 'sig' }
  const stream = messageStream({})
  const [start = '', ...rest] = stream
  const frames = [
    { type: 'content_block_start', index: 7, content_block: { ...thought, thinking: '', signature: '' } },
    { type: 'content_block_delta', index: 7, delta: { type: 'thinking_delta', thinking: 'hm' } },
    { type: 'content_block_delta', index: 7, delta: { type: 'signature_delta', signature: 'sig' } },
    { type: 'content_block_stop', index: 7 },
  ].map((event) => `event: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`)
  for (const upstream of upstreams) upstream.answer({ chunks: [start, ...frames, ...rest] })
  const include = ['reasoning.encrypted_content']
  const packedIn = async (body: object) => JSON.stringify((await respond(body)).body.output)
  expect(await packedIn({ include })).toMatch(/"encrypted_content":"/)
  expect(await packedIn({})).not.toMatch(/"encrypted_content":"/)
  for (const upstream of upstreams) upstream.reset()
})

test('calls with one prompt_cache_key stay on one backend, whatever they say', async () => {
  for (const upstream of upstreams) upstream.reset()
  for (let i = 0; i < 6; i += 1)
    await chat({ messages: [{ role: 'user', content: `${i}` }], prompt_cache_key: 'one' })
  expect(upstreams.map(({ requests }) => requests.length).toSorted()).toEqual([0, 0, 6])
})

test.each(['fast', 'priority'])(
  'service_tier %s is speed: fast with its beta, where the model has it',
  async (service_tier) => {
    for (const upstream of upstreams) upstream.reset()
    for (const upstream of upstreams) upstream.answer({ chunks: messageStream({ usage: { speed: 'fast' } }) })
    const fast = await chat({ service_tier })
    const [request] = upstreams.flatMap(({ requests }) => requests)
    expect(JSON.parse(request?.body.toString() ?? '{}')).toMatchObject({ speed: 'fast' })
    expect(request?.headers['anthropic-beta']).toBe('fast-mode-2026-02-01')
    expect(fast.headers.get('x-gateway-warning')).toBeNull()
    expect(fast.body.service_tier).toBe('priority')
    for (const upstream of upstreams) upstream.reset()
    const slow = await chat({ service_tier, model: 'claude-sonnet-5-5' })
    expect(slow.headers.get('x-gateway-warning')).toBe('service_tier: this model has no fast mode')
    expect(slow.body.service_tier).toBe('default')
  },
)

test('what is lost is told by its path, each kind once', async () => {
  const messages = Array.from({ length: 3 }, () => ({ role: 'user', name: 'ann', content: 'hi' }))
  const answer = await chat({ messages, verbosity: 'low', unheard_of: 1 })
  expect(answer.headers.get('x-gateway-warning')).toBe(
    'ignored: messages[0].name (3 times), verbosity, unheard_of',
  )
})

test('the reference has a row for each of them', async () => {
  const page = (await app.request('/openapi')).text
  for (const row of ['messages[].name', 'input[function_call].arguments', 'max_tool_calls'])
    expect(page).toContain(`<code>${row}</code>`)
})

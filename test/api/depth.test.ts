import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type App, startApp } from '../support/app.ts'
import { type FakeUpstream, startUpstream } from '../support/upstream.ts'

const nested = (depth: number, open = '[', close = ']') => open.repeat(depth) + close.repeat(depth)
const schema = (depth: number) =>
  `${'{"type":"object","properties":{"a":'.repeat(depth)}{"type":"string"}${'}}'.repeat(depth)}`
const chat = (members: string) => `{"model":"m","messages":[{"role":"user","content":"x"}],${members}}`
const call = (args: string, times = 1) => {
  const tool_calls = Array.from({ length: times }, (_, i) => ({
    id: `c${i || ''}`,
    type: 'function',
    function: { name: 'f', arguments: args },
  }))
  const messages = [
    { role: 'user', content: 'x' },
    { role: 'assistant', tool_calls },
    { role: 'tool', tool_call_id: 'c', content: 'y' },
  ]
  return JSON.stringify({ model: 'm', messages })
}
const tool = (parameters: string, strict: boolean) =>
  `"tools":[{"type":"function","function":{"name":"f","strict":${strict},"parameters":${parameters}}}]`
const format = (inner: string) =>
  `"response_format":{"type":"json_schema","json_schema":{"name":"f","schema":${inner}}}`

/** `{}` as often, in a list. */
const objects = (count: number) => `[${'{},'.repeat(count - 1)}{}]`
/** An object in which each member has a name of its own. */
const members = (count: number) => `{${Array.from({ length: count }, (_, i) => `"a${i}":1`).join(',')}}`
const items = (count: number) => `[${'{"type":"x"},'.repeat(count)}{"role":"user","content":"x"}]`
const response = (input: string) => `{"model":"m","store":false,"input":${input}}`

describe('a body that is nested very deep, or of very many parts', () => {
  let upstream: FakeUpstream
  let app: App
  let key: string
  beforeAll(async () => {
    upstream = await startUpstream()
    app = await startApp({
      health: { startup_check: 'off' },
      backends: [{ name: 'a', url: upstream.url, api_key: 'k' }],
    })
    key = (await (await app.signIn('ann')).post('/api/keys', { name: 'x' })).body.key.key
  })
  afterAll(async () => {
    await app.close()
    await upstream.stop()
  })

  test.each([
    ['/v1/messages', `{"model":"m","messages":${nested(200_000)}}`],
    ['/v1/messages', `{"model":"m","metadata":${nested(50_000, '{"a":', '}').replace('}', '1}')}}`],
    ['/v1/messages/count_tokens', `{"model":"m","tools":${nested(200_000)}}`],
    ['/v1/chat/completions', `{"model":"m","messages":${nested(200_000)}}`],
    ['/v1/chat/completions', nested(200_000)],
    ['/v1/chat/completions', chat(tool(schema(2_000), true))],
    ['/v1/chat/completions', chat(tool(schema(20_000), false))],
    ['/v1/chat/completions', chat(format(schema(100)))],
    ['/v1/chat/completions', chat(`"metadata":${nested(20_000)}`)],
    ['/v1/chat/completions', call(`{"a":${nested(100_000)}}`)],
    ['/v1/chat/completions', chat(`"metadata":{"a":${objects(50_000)}}`)],
    ['/v1/chat/completions', chat(`"${Array.from({ length: 1_000 }, (_, i) => i).join('":1,"')}":1`)],
    ['/v1/chat/completions', chat(`"metadata":${members(150_000)}`)],
    ['/v1/chat/completions', chat(`"tools":[[${'1.0,'.repeat(150_000)}1]]`)],
    ['/v1/chat/completions', call(members(150_001))],
    ['/v1/chat/completions', call(`{"a":${members(150_000)}}`)],
    ['/v1/chat/completions', call(members(15_001), 10)],
    ['/v1/responses', response(items(50_000))],
    ['/v1/responses/compact', response(items(50_000))],
    ['/v1/responses/input_tokens', response(items(50_000))],
    ['/v1/responses', `{"model":"m","store":false,"input":"x","tools":${nested(5_000)}}`],
    ['/v1/responses', `{"model":"m","store":false,"input":"x","metadata":{"a":${nested(5_000)}}}`],
  ])('is refused on %s, whatever it is (case %#)', async (path, body) => {
    const answer = await app.request(path, {
      method: 'POST',
      headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
      body,
    })
    expect([answer.status, answer.text.includes('invalid_request_error')]).toEqual([400, true])
    expect(upstream.requests.filter(({ method }) => method === 'POST')).toEqual([])
  })

  test('of as many parts as no conversation has is taken', async () => {
    const answer = await app.request('/v1/responses', {
      method: 'POST',
      headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
      body: response(items(49_998)),
    })
    expect(answer.status).toBe(200)
  })

  test.each([
    ['a list', objects(100_000)],
    ['no JSON', 'x'.repeat(200_000)],
  ])('of an earlier call goes on as a text where it is %s, without being parsed', async (_, args) => {
    const answer = await app.request('/v1/chat/completions', {
      method: 'POST',
      headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
      body: call(args),
    })
    expect(answer.status).toBe(200)
    expect(String(upstream.requests.at(-1)?.body)).toContain('INVALID_JSON')
  })
})

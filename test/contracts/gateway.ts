/** What the gateway does, whatever runtime it is on. */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { GUARDS, headersOf, RELAYED_GUARDS } from '../support/headers.ts'
import type { Gateway, Runtime } from '../support/runtime.ts'
import { type FakeUpstream, messageJson, messageStream, sse, startUpstream } from '../support/upstream.ts'

const HELLO = { model: 'claude-opus-5-5', max_tokens: 100, messages: [{ role: 'user', content: 'hello' }] }
export function gatewayContract({ name, start, abilities }: Runtime) {
  describe(`gateway on ${name}`, () => {
    let failing: FakeUpstream
    let upstream: FakeUpstream
    let gateway: Gateway
    beforeAll(async () => {
      failing = await startUpstream()
      failing.answer({ status: 500, chunks: ['{"type":"error"}'] })
      upstream = await startUpstream()
      gateway = await start({
        backends: [
          { name: 'failing', url: failing.url, api_key: 'key-of-failing', weight: 1000 },
          { name: 'good', url: upstream.url, api_key: 'key-of-good', weight: 1 },
        ],
      })
    })
    afterAll(async () => {
      await gateway?.stop()
      await upstream?.stop()
      await failing?.stop()
    })
    beforeEach(() => upstream.reset())

    const get = (path: string, headers: Record<string, string> = {}, method = 'GET') =>
      fetch(`${gateway.url}${path}`, { method, headers })

    test('lives, and becomes ready', async () => {
      const alive = await get('/healthz')
      expect([alive.status, await alive.text()]).toEqual([200, 'ok'])
      await expect.poll(async () => (await get('/readyz')).status).toBe(200)
      expect((await get('/api/hello', {}, 'HEAD')).status).toBe(200)
    })

    test('takes a key in either header, and either being valid is enough', async () => {
      for (const headers of [
        { 'x-api-key': gateway.key },
        { authorization: `Bearer ${gateway.key}` },
        { authorization: 'Bearer sk-unknown', 'x-api-key': gateway.key },
        { authorization: `bearer ${gateway.key}`, 'x-api-key': 'sk-unknown' },
      ]) {
        expect((await get('/v1/models', headers)).status).toBe(200)
      }
    })

    test.each([
      ['no key', {}],
      ['an unknown key', { 'x-api-key': 'sk-unknown' }],
      ['a key in the wrong scheme', { authorization: 'Basic abc' }],
    ])('refuses %s in Anthropic form, not to be retried', async (_what, headers) => {
      const answer = await get('/v1/models', headers)
      expect([answer.status, answer.headers.get('x-should-retry')]).toEqual([401, 'false'])
      const body = await answer.json()
      expect(body).toMatchObject({ type: 'error', error: { type: 'authentication_error' } })
      expect(body).toHaveProperty('request_id', answer.headers.get('request-id'))
    })

    test('fails over, sends the very bytes, and hands the stream on event by event', async () => {
      const frames = messageStream({ text: ['one', 'two', 'three'] })
      // The upstream says the next event only when the client has the one before.
      const arrived = frames.map(() => Promise.withResolvers<void>())
      upstream.answer({ chunks: frames.flatMap((frame, i) => [frame, arrived[i]?.promise ?? 0]) })
      const body = `{ "model":"claude-opus-5-5",\n"stream" : true, "max_tokens":9, "messages":[{"role":"user","content":"hé\\u00e9"}], "unknown":{"a":[1,2 ]}}`
      const answer = await gateway.send(body, {
        path: '/v1/messages?beta=true',
        headers: { 'anthropic-beta': 'x-1,y-2' },
      })
      expect(answer.status).toBe(200)
      let text = ''
      const decoder = new TextDecoder()
      for await (const chunk of answer.body ?? []) {
        text += decoder.decode(chunk, { stream: true })
        for (const i of frames.keys()) {
          if (text === frames.slice(0, i + 1).join('')) arrived[i]?.resolve()
        }
      }
      expect(text).toBe(frames.join(''))
      const asked = upstream.requests.at(-1)
      expect(asked?.body.toString()).toBe(body)
      expect(asked?.url).toBe('/v1/messages?beta=true')
      expect(asked?.headers).toMatchObject({
        'x-api-key': 'key-of-good',
        'anthropic-version': '2023-06-01',
        'anthropic-beta': 'x-1,y-2',
      })
      expect(JSON.stringify(asked?.headers)).not.toContain(gateway.key)
      expect(failing.requests.length).toBeGreaterThan(0)
    })

    test('records each call with its figures and price', async () => {
      upstream.answer({
        chunks: messageStream({
          text: ['hi'],
          usage: { input_tokens: 1000 },
          finalUsage: { output_tokens: 50 },
        }),
      })
      const streamed = await gateway.send({ ...HELLO, stream: true })
      await streamed.text()
      expect(await gateway.rowOf(streamed)).toMatchObject({
        model: 'claude-opus-5-5',
        backend: 'good',
        inputTokens: 1000,
        outputTokens: 50,
        costMicros: 5000,
        outcome: 'ok',
        stream: true,
      })
      const usage = { input_tokens: 7, output_tokens: 3, cache_read_input_tokens: 100 }
      upstream.answer({
        headers: { 'content-type': 'application/json' },
        chunks: [messageJson({ text: 'hi', usage })],
      })
      const whole = await gateway.send(HELLO)
      await whole.text()
      const costMicros = 7 * 4 + 3 * 20 + 100 * 0.2
      expect(await gateway.rowOf(whole)).toMatchObject({
        inputTokens: 7,
        outputTokens: 3,
        cacheReadTokens: 100,
        costMicros,
      })
    })

    test('passes an upstream 400 on as it is, and keeps the organisation out of the headers', async () => {
      const body = '{"type":"error","error":{"type":"invalid_request_error","message":"prompt is too long"}}'
      upstream.answer({
        status: 400,
        headers: {
          'content-type': 'application/json',
          'anthropic-ratelimit-tokens-limit': '9',
          'set-cookie': 'a=b',
        },
        chunks: [body],
      })
      const answer = await gateway.send(HELLO)
      expect([answer.status, await answer.text()]).toEqual([400, body])
      expect(answer.headers.get('anthropic-ratelimit-tokens-limit')).toBeNull()
      expect(answer.headers.get('set-cookie')).toBeNull()
      expect(answer.headers.get('request-id')).toMatch(/^req_/)
    })

    test('answers with these headers and no others', async () => {
      const own = { 'request-id': expect.stringMatching(/^req_/) }
      const passedOn = {
        ...own,
        ...RELAYED_GUARDS,
        'x-request-id': own['request-id'],
        'x-upstream-request-id': 'req_upstream',
      }
      const streamed = await gateway.send({ ...HELLO, stream: true })
      await streamed.text()
      expect(headersOf(streamed)).toEqual({
        ...passedOn,
        'cache-control': 'no-cache',
        'content-type': 'text/event-stream; charset=utf-8',
        'x-accel-buffering': 'no',
      })
      const whole = await gateway.send(HELLO)
      await whole.text()
      expect(headersOf(whole)).toEqual({ ...passedOn, 'content-type': 'application/json' })
      const guarded = { ...own, 'content-type': 'application/json', 'cache-control': 'no-store', ...GUARDS }
      expect(headersOf(await get('/api/keys'))).toEqual(guarded)
      const refused = { ...guarded, 'x-should-retry': 'false', 'x-gateway-error': 'key_missing' }
      expect(headersOf(await get('/v1/models'))).toEqual(refused)
    })

    test('counts tokens without a record', async () => {
      const counted = await gateway.send(HELLO, { path: '/v1/messages/count_tokens?beta=true' })
      expect(await counted.json()).toEqual({ input_tokens: 7 })
      const answered = await gateway.send(HELLO)
      await answered.text()
      await gateway.rowOf(answered)
      const ids = (await gateway.rows(0)).map(({ requestId }) => requestId)
      expect(ids).not.toContain(counted.headers.get('request-id'))
    })

    test('lists models in a shape for both SDKs', async () => {
      const headers = { 'x-api-key': gateway.key }
      const list = await (await get('/v1/models?limit=2', headers)).json()
      expect(list).toMatchObject({ object: 'list', has_more: true })
      expect(list).toHaveProperty('data.1.object', 'model')
      const one = await get('/v1/models/claude-opus-5-5', headers)
      expect(await one.json()).toMatchObject({ id: 'claude-opus-5-5', type: 'model', owned_by: 'anthropic' })
      expect((await get('/v1/models/nothing', headers)).status).toBe(404)
      for (const at of ['after_id', 'before_id']) {
        const { error } = Object(await (await get(`/v1/models?${at}=nothing`, headers)).json())
        expect(error).toEqual({ type: 'invalid_request_error', message: expect.stringContaining(at) })
      }
    })

    test.skipIf(abilities.hearsLeaving === 'never')(
      'aborts the upstream when the client leaves, and records the call',
      async () => {
        // Pings as Claude sends them: workerd learns only by writing that its client left.
        const start = sse({ type: 'message_start', message: { usage: { input_tokens: 5 } } })
        const pings = Array.from({ length: 100 }, () => [50, sse({ type: 'ping' })]).flat()
        upstream.answer({ chunks: [start, ...pings] })
        const stop = new AbortController()
        const answer = await gateway.send({ ...HELLO, stream: true }, { signal: stop.signal })
        await answer.body?.getReader().read()
        stop.abort()
        await expect.poll(() => upstream.requests.at(-1)?.aborted, { timeout: 3_000 }).toBe(true)
        expect(await gateway.rowOf(answer)).toMatchObject({ outcome: 'client_aborted', inputTokens: 5 })
      },
    )

    test.runIf(abilities.hearsLeaving === 'never')(
      'where nobody tells that the client left, its answer is generated to the end, and recorded',
      async () => {
        const [first = '', ...rest] = messageStream({ finalUsage: { output_tokens: 77 } })
        const gone = Promise.withResolvers<void>()
        upstream.answer({ chunks: [first, gone.promise, ...rest] })
        const stop = new AbortController()
        const answer = await gateway.send({ ...HELLO, stream: true }, { signal: stop.signal })
        await answer.body?.getReader().read()
        stop.abort()
        gone.resolve()
        expect(await gateway.rowOf(answer)).toMatchObject({ outcome: 'ok', outputTokens: 77 })
      },
    )

    test.each([
      ['GET', '/v1/nothing', 404, { type: 'error', error: { type: 'not_found_error' } }],
      ['GET', '/v1/messages', 405, { type: 'error' }],
      ['GET', '/api/nothing', 404, { error: { code: 'not_found' } }],
      ['DELETE', '/healthz', 405, { error: { code: 'method_not_allowed' } }],
    ])('%s %s is %i in its own form', async (method, path, status, body) => {
      const answer = await get(path, { 'x-api-key': gateway.key }, method)
      expect(answer.status).toBe(status)
      expect(await answer.json()).toMatchObject(body)
      expect(answer.headers.has('allow')).toBe(status === 405)
    })

    test.each([
      ['not JSON', 'hello', 'JSON'],
      ['no object', '[1]', 'JSON object'],
      ['no model', '{"messages":[]}', 'model'],
      ['a model that is no text', '{"model":5}', 'model'],
    ])('refuses a body that is %s', async (_what, body, said) => {
      const answer = await gateway.send(body)
      expect(answer.status).toBe(400)
      const { error } = (await answer.json()) as { error: { type: string; message: string } }
      expect(error.type).toBe('invalid_request_error')
      expect(error.message).toContain(said)
    })
  })
}

/** What an upstream may do to a client, and a client to the gateway, at the edges of HTTP, whatever the runtime. */
import { once } from 'node:events'
import { request } from 'node:http'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { GUARDS, RELAYED_GUARDS } from '../support/headers.ts'
import type { Gateway, Runtime } from '../support/runtime.ts'
import { errorJson, type FakeUpstream, messageJson, startUpstream } from '../support/upstream.ts'

const hello = (model: string) => ({ model, max_tokens: 100, messages: [{ role: 'user', content: 'hello' }] })
const HELLO = hello('claude-opus-5-5')
const STATUSES = [400, 402, 404, 413, 429, 500, 529]
/** Each has a backend of its own: what one status does to it no other test meets. */
const answered = (status: number) => `claude-answered-${status}`
const CREDENTIAL = 'sk-ant-credential-of-the-company'
const SCRIPT = '<script>alert(1)</script>'

export function edgesContract({ name, start }: Runtime) {
  describe(`edges on ${name}`, () => {
    let upstream: FakeUpstream
    let gateway: Gateway
    beforeAll(async () => {
      upstream = await startUpstream()
      gateway = await start({
        backends: [HELLO.model, ...STATUSES.map(answered)].map((model) => {
          return { name: model, url: upstream.url, api_key: CREDENTIAL, models: [model] }
        }),
        health: { failure_threshold: 1000 },
      })
    })
    afterAll(async () => {
      await gateway?.stop()
      await upstream?.stop()
    })
    beforeEach(() => upstream.reset())

    test.each([
      ['text/html', 400],
      ['Text/HTML; charset=utf-8', 422],
      ['image/svg+xml', 200],
      ['image/svg+xml', 413],
      ['application/xhtml+xml', 200],
      ['text/xml', 400],
    ])('an answer of the type %s, status %i, is never run by a browser', async (type, status) => {
      upstream.answer({ status, headers: { 'content-type': type }, chunks: [SCRIPT] })
      const answer = await gateway.send(HELLO)
      const text = await answer.text()
      if (text === SCRIPT) expect(answer.headers.get('content-disposition')).toBe('attachment')
      else expect(answer.headers.get('content-type')).toBe('application/json')
      expect(answer.headers.get('content-security-policy')).toContain("default-src 'none'")
      expect(answer.headers.get('x-content-type-options')).toBe('nosniff')
    })

    test('a GET with a body is answered as one without', async () => {
      const asked = request(`${gateway.url}/v1/models`, {
        method: 'GET',
        headers: { 'x-api-key': gateway.key, 'content-type': 'application/json', 'content-length': 2 },
      })
      asked.end('{}')
      const [answer] = await once(asked, 'response')
      answer.resume()
      expect(answer.statusCode).toBe(200)
    })

    test('answers of an upstream carry the same guards as all others, and JSON is no download', async () => {
      const streamed = await gateway.send({ ...HELLO, stream: true })
      const whole = await gateway.send(HELLO)
      const counted = await gateway.send(HELLO, { path: '/v1/messages/count_tokens' })
      const chat = await gateway.send(HELLO, { path: '/v1/chat/completions' })
      for (const answer of [streamed, whole, counted, chat]) {
        await answer.text()
        expect([answer.status, answer.headers.has('content-disposition')]).toEqual([200, false])
        expect(Object.fromEntries(answer.headers)).toMatchObject(RELAYED_GUARDS)
      }
      const listed = await fetch(`${gateway.url}/v1/models`, { headers: { 'x-api-key': gateway.key } })
      expect(Object.fromEntries(listed.headers)).toMatchObject(GUARDS)
    })

    test.each(STATUSES)('our credential, quoted in a %i, is shown to nobody', async (status) => {
      const quotes = [CREDENTIAL, `Basic ${btoa(`gateway:${CREDENTIAL}`)}`]
      const body = errorJson('invalid_request_error', `${quotes.join(' and ')} may not do this`)
      upstream.answer({
        status,
        headers: {
          'content-type': 'application/json',
          'anthropic-key': CREDENTIAL,
          'request-id': `req_${CREDENTIAL}`,
          'retry-after': '1',
        },
        chunks: [body.slice(0, 90), 5, body.slice(90)],
      })
      for (const path of ['/v1/messages', '/v1/messages/count_tokens', '/v1/chat/completions']) {
        upstream.counts({ status, headers: { 'anthropic-key': CREDENTIAL }, chunks: [body] })
        const answer = await gateway.send(hello(answered(status)), { path })
        const seen = JSON.stringify([...answer.headers]) + (await answer.text())
        expect(answer.status).toBeGreaterThanOrEqual(400)
        for (const quote of quotes) expect(seen).not.toContain(quote)
        expect(seen).not.toContain(btoa(CREDENTIAL).slice(4, -4))
      }
      expect(gateway.output()).not.toContain(CREDENTIAL)
    })

    test('a success that quotes it passes byte for byte, but not in a header', async () => {
      const body = messageJson({ text: `you said ${CREDENTIAL}` })
      const headers = { 'content-type': 'application/json', 'anthropic-key': CREDENTIAL }
      upstream.answer({ headers, chunks: [body] })
      const answer = await gateway.send(HELLO)
      expect(await answer.text()).toBe(body)
      expect(answer.headers.has('anthropic-key')).toBe(false)
    })
  })
}

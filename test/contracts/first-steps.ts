/** What somebody meets who sets a client up: base URLs that are nearly right, repeated headers, pages in a browser. */
import { request } from 'node:http'
import { text } from 'node:stream/consumers'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type { Gateway, Runtime } from '../support/runtime.ts'
import { type FakeUpstream, startUpstream } from '../support/upstream.ts'

const HELLO = { model: 'claude-opus-5-5', max_tokens: 100, messages: [{ role: 'user', content: 'hello' }] }
const PAGE = 'https://app.example.com'

export function firstStepsContract({ name, start }: Runtime) {
  describe(`first steps on ${name}`, () => {
    let upstream: FakeUpstream
    let gateway: Gateway
    beforeAll(async () => {
      upstream = await startUpstream()
      gateway = await start({
        backends: [{ name: 'claude', url: upstream.url }],
        server: { cors_origins: [PAGE] },
      })
    })
    afterAll(async () => {
      await gateway?.stop()
      await upstream?.stop()
    })
    beforeEach(() => upstream.reset())

    const post = (path: string, headers: Record<string, string> = {}) =>
      gateway.send(HELLO, { path, headers })

    test.each([
      ['/v1/v1/messages', 'anthropic', '/v1/messages', ' (ANTHROPIC_BASE_URL)'],
      ['/v1/messages/', 'anthropic', '/v1/messages', ' (ANTHROPIC_BASE_URL)'],
      ['//v1/messages?beta=true', 'anthropic', '/v1/messages', ' (ANTHROPIC_BASE_URL)'],
      ['/chat/completions', 'openai', '/v1/chat/completions', '/v1 (OPENAI_BASE_URL)'],
      ['/v1//responses/', 'openai', '/v1/responses', '/v1 (OPENAI_BASE_URL)'],
    ])(
      '%s is a 404 in the form of %s that says what the base URL is',
      async (path, dialect, address, set) => {
        const answer = await post(path)
        const body = JSON.parse(await answer.text())
        expect(answer.status).toBe(404)
        // As the runtime knows it: a Function URL has a name of its own.
        const [, origin] = / is at (https?:\/\/[^/]+)\//.exec(body.error.message) ?? []
        expect(body.error.message).toContain(` is at ${origin}${address}.`)
        expect(body.error.message).toContain(`base URL to ${origin}${set}, without a slash`)
        expect(body.type).toBe(dialect === 'anthropic' ? 'error' : undefined)
        expect(upstream.requests).toEqual([])
      },
    )

    test('what only OpenAI has is a 404 in its form', async () => {
      const answer = await post('/v1/embeddings')
      expect([answer.status, await answer.json()]).toEqual([
        404,
        {
          error: {
            message:
              "There is nothing at this address. Of OpenAI's interfaces, chat completions, responses and models are here.",
            type: 'invalid_request_error',
            param: null,
            code: null,
          },
        },
      ])
    })

    test('headers that come twice count once, and stream: null streams nothing', async () => {
      const body = JSON.stringify({ ...HELLO, stream: null })
      const headers = {
        'content-type': 'application/json',
        'content-length': body.length,
        'anthropic-version': ['2023-06-01', '2023-06-01'],
        'x-api-key': [gateway.key, gateway.key],
      }
      const sending = Promise.withResolvers<[number | undefined, string]>()
      const asking = request(`${gateway.url}/v1/messages`, { method: 'POST', headers }, (answer) => {
        text(answer).then((whole) => sending.resolve([answer.statusCode, whole]), sending.reject)
      })
      asking.on('error', sending.reject)
      asking.end(body)
      const [status] = await sending.promise
      expect(status).toBe(200)
      expect(upstream.requests[0]?.headers['anthropic-version']).toBe('2023-06-01')
      expect(upstream.requests[0]?.body.toString()).toBe(body)
    })

    const preflight = (path: string, origin: string) =>
      fetch(gateway.url + path, {
        method: 'OPTIONS',
        headers: {
          origin,
          'access-control-request-method': 'POST',
          'access-control-request-headers': 'authorization,content-type,x-stainless-lang',
        },
      })

    test.each(['/v1/messages', '/v1/models', '/v1/v1/messages'])(
      'a page that is listed may call %s, and read what it says',
      async (path) => {
        const allowed = await preflight(path, PAGE)
        await allowed.text()
        expect(allowed.status).toBe(204)
        expect(Object.fromEntries(allowed.headers)).toMatchObject({
          'access-control-allow-origin': PAGE,
          'access-control-allow-methods': 'GET, POST',
          'access-control-allow-headers': 'authorization,content-type,x-stainless-lang',
          vary: 'origin',
        })
        expect(allowed.headers.has('access-control-allow-credentials')).toBe(false)
        const answer = await post(path, { origin: PAGE })
        await answer.text()
        expect(Object.fromEntries(answer.headers)).toMatchObject({
          'access-control-allow-origin': PAGE,
          'access-control-expose-headers': '*',
          vary: 'origin',
        })
      },
    )

    test('it may read refusals too', async () => {
      const answer = await gateway.send(HELLO, { key: 'sk-unknown', headers: { origin: PAGE } })
      expect([answer.status, answer.headers.get('access-control-allow-origin')]).toEqual([401, PAGE])
    })

    test('a page that is not listed may not, and none may call what takes a cookie', async () => {
      const foreign = await preflight('/v1/messages', 'https://evil.test')
      const ours = await preflight('/api/keys', PAGE)
      const answer = await post('/v1/messages', { origin: 'https://evil.test' })
      const listed = await fetch(`${gateway.url}/api/auth/config`, { headers: { origin: PAGE } })
      expect([foreign.status, ours.status, answer.status, listed.status]).toEqual([405, 405, 200, 200])
      for (const { headers } of [foreign, ours, answer, listed]) {
        expect(headers.has('access-control-allow-origin')).toBe(false)
      }
      expect(answer.headers.get('vary')).toBe('origin')
    })
  })
}

import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { startGateway, type TestGateway } from '../support/gateway.ts'
import {
  errorJson,
  type FakeUpstream,
  messageJson,
  messageStream,
  type Script,
  sse,
  startUpstream,
} from '../support/upstream.ts'

const ASK = { model: 'claude-opus-5-5', max_tokens: 50, messages: [{ role: 'user', content: 'hi' }] }
const JSON_TYPE = { 'content-type': 'application/json' }
const failing = (status: number, type: string, headers: Record<string, string> = {}): Script => ({
  status,
  headers: { ...JSON_TYPE, ...headers },
  chunks: [errorJson(type)],
})

describe('upstream faults', () => {
  let bad: FakeUpstream
  let good: FakeUpstream
  let gateway: TestGateway
  const setUp = async (settings: object = {}, { alone = false } = {}) => {
    const backends = [
      { name: 'bad', url: bad.url, weight: 1_000_000 },
      ...(alone ? [] : [{ name: 'good', url: good.url, weight: 0.000_001 }]),
    ]
    const retry = { first_byte_timeout: '300ms', idle_timeout: '400ms' }
    gateway = await startGateway({ backends, retry, ...settings })
  }
  beforeEach(async () => {
    bad = await startUpstream()
    good = await startUpstream()
  })
  afterEach(async () => {
    await gateway?.stop()
    await bad.stop()
    await good.stop()
  })
  const rowOf = async (answer: Response) => {
    const id = answer.headers.get('request-id')
    const find = async () => (await gateway.rows(0)).find(({ requestId }) => requestId === id)
    await expect.poll(find, { timeout: 5_000 }).toBeDefined()
    return find()
  }

  const FAULTS: readonly [string, Script][] = [
    ['refuses', { before: 'refuse' }],
    ['never answers', { before: 'hang' }],
    ['resets after its head', { chunks: [], end: 'reset' }],
    ['answers 500', failing(500, 'api_error')],
    [
      'answers 502 with a web page',
      { status: 502, headers: { 'content-type': 'text/html' }, chunks: ['<html>'] },
    ],
    ['answers 529', failing(529, 'overloaded_error')],
    ['answers 429', failing(429, 'rate_limit_error', { 'retry-after': '30' })],
    ['answers 401', failing(401, 'authentication_error')],
    ['answers 402', failing(402, 'billing_error')],
    ['answers 403', failing(403, 'permission_error')],
    ['answers 404', failing(404, 'not_found_error')],
    ['redirects', { status: 302, headers: { location: 'http://169.254.169.254/' } }],
    [
      'answers 200 with a web page',
      { headers: { 'content-type': 'text/html' }, chunks: ['<html>login</html>'] },
    ],
    [
      'opens its stream with an error',
      { chunks: [sse({ type: 'error', error: { type: 'overloaded_error', message: 'm' } })] },
    ],
    [
      'has reached its spend cap',
      {
        status: 400,
        headers: JSON_TYPE,
        chunks: [errorJson('invalid_request_error', 'You have reached your specified API usage limits.')],
      },
    ],
  ]

  test('no client sees a failure that another backend could have served', async () => {
    await setUp({ health: { startup_check: 'off', failure_threshold: 1000 } })
    for (const [i, [what, script]] of FAULTS.entries()) {
      // A model of its own for each: what rests or is refused for one must not hide the next.
      const restart = ['answers 401', 'answers 402', 'answers 403', 'has reached its spend cap'].includes(
        what,
      )
      bad.answer(script)
      const answer = await gateway.send({ ...ASK, model: `claude-test-${i}` })
      expect([what, answer.status]).toEqual([what, 200])
      await answer.text()
      expect([what, await rowOf(answer)]).toMatchObject([
        what,
        { backend: 'good', attempts: 2, outcome: 'ok' },
      ])
      if (restart) await gateway.restart()
    }
    expect(bad.requests).toHaveLength(FAULTS.length)
  })

  test.each([
    ['refused', { before: 'refuse' }, 502, 'api_error'],
    ['silent', { before: 'hang' }, 504, 'timeout_error'],
    ['401', failing(401, 'authentication_error'), 502, 'api_error'],
    ['403', failing(403, 'permission_error'), 502, 'api_error'],
    ['a web page', { headers: { 'content-type': 'text/html' }, chunks: ['<html>'] }, 502, 'api_error'],
    ['a redirect', { status: 307, headers: { location: '/elsewhere' } }, 502, 'api_error'],
    ['500', failing(500, 'api_error'), 500, 'api_error'],
    ['529', failing(529, 'overloaded_error'), 529, 'overloaded_error'],
    ['429', failing(429, 'rate_limit_error', { 'retry-after': '7' }), 429, 'rate_limit_error'],
    ['404', failing(404, 'not_found_error'), 404, 'not_found_error'],
    ['413', failing(413, 'request_too_large'), 413, 'request_too_large'],
    [
      'an opening error',
      { chunks: [sse({ type: 'error', error: { type: 'overloaded_error', message: 'm' } })] },
      529,
      'overloaded_error',
    ],
  ] as const)(
    'when the only backend answers %s, the client gets the right error',
    async (_what, script, status, type) => {
      await setUp({}, { alone: true })
      bad.answer(script as Script)
      const answer = await gateway.send(ASK)
      expect(answer.status).toBe(status)
      expect(await answer.json()).toMatchObject({ type: 'error', error: { type } })
      expect(await rowOf(answer)).toMatchObject({ outcome: 'error', statusCode: status, costMicros: 0 })
      if (status === 429) expect(answer.headers.get('retry-after')).toBe('7')
      expect(JSON.stringify([...answer.headers])).not.toContain('upstream-key')
    },
  )

  test('five failures eject a backend, and a passed check brings it back', async () => {
    await setUp()
    bad.answer(failing(500, 'api_error'))
    for (let i = 0; i < 8; i++) await (await gateway.send(ASK)).text()
    const calls = () => bad.requests.filter(({ url }) => url === '/v1/messages').length
    expect(calls()).toBe(5)
    bad.reset()
    await expect
      .poll(
        async () => {
          await (await gateway.send(ASK)).text()
          return calls()
        },
        { timeout: 5_000, interval: 100 },
      )
      .toBeGreaterThan(0)
  })

  test('after 429 a backend rests for that model', async () => {
    await setUp()
    bad.answer(failing(429, 'rate_limit_error', { 'retry-after': '60' }))
    for (let i = 0; i < 3; i++) expect((await gateway.send(ASK)).status).toBe(200)
    expect(bad.requests).toHaveLength(1)
    bad.reset()
    expect((await gateway.send({ ...ASK, model: 'claude-haiku-5-5' })).status).toBe(200)
    expect(bad.requests).toHaveLength(1)
  })

  test('with every backend resting the client hears at once when to come back', async () => {
    await setUp({}, { alone: true })
    bad.answer(failing(429, 'rate_limit_error', { 'retry-after': '30' }))
    await (await gateway.send(ASK)).text()
    const answer = await gateway.send(ASK)
    expect(answer.status).toBe(529)
    const seconds = Number(answer.headers.get('retry-after'))
    expect(seconds).toBeGreaterThan(25)
    expect(seconds).toBeLessThanOrEqual(30)
    expect(bad.requests).toHaveLength(1)
  })

  test('silence in the middle of a stream is a cut', async () => {
    await setUp({}, { alone: true })
    bad.answer({ chunks: messageStream().slice(0, 3), end: 'hang' })
    const answer = await gateway.send({ ...ASK, stream: true })
    await expect(answer.text()).rejects.toThrow()
    expect(await rowOf(answer)).toMatchObject({ outcome: 'upstream_cut', estimated: true })
    await expect.poll(() => bad.requests[0]?.aborted).toBe(true)
  })

  test('pings hold a quiet stream open for longer than the idle limit', async () => {
    await setUp({}, { alone: true })
    const [start = '', ...rest] = messageStream()
    bad.answer({
      chunks: [start, ...Array.from({ length: 6 }, () => [150, sse({ type: 'ping' })]).flat(), ...rest],
    })
    const answer = await gateway.send({ ...ASK, stream: true })
    expect(await answer.text()).toContain('message_stop')
    expect(await rowOf(answer)).toMatchObject({ outcome: 'ok', estimated: false })
  })

  test('a JSON answer that is cut short is not a clean answer', async () => {
    await setUp({}, { alone: true })
    bad.answer({
      headers: { ...JSON_TYPE, 'content-length': '500' },
      chunks: ['{"type":"message"', 50],
      end: 'reset',
    })
    await expect((async () => (await gateway.send(ASK)).text())()).rejects.toThrow()
    expect((await gateway.rows(1))[0]).toMatchObject({ outcome: 'upstream_cut', estimated: true })
  })

  test('a client that leaves before the answer aborts the call upstream, and hurts no backend', async () => {
    await setUp({ retry: { first_byte_timeout: '20s' } }, { alone: true })
    for (let i = 0; i < 10; i++) {
      bad.answer({ before: 'hang' })
      const stop = new AbortController()
      const call = gateway.send(ASK, { signal: stop.signal }).catch(() => 'gone')
      await expect.poll(() => bad.requests.length).toBe(i + 1)
      stop.abort()
      expect(await call).toBe('gone')
      await expect.poll(() => bad.requests[i]?.aborted).toBe(true)
    }
    bad.reset()
    expect((await gateway.send(ASK)).status).toBe(200)
    const rows = await gateway.rows(11)
    expect(
      rows.slice(0, 10).every(({ outcome, estimated }) => outcome === 'client_aborted' && estimated),
    ).toBe(true)
    expect(rows).toHaveLength(11)
  })

  test('a kept-alive connection that the upstream just closed is replaced silently, on the same backend', async () => {
    const used = new WeakSet<object>()
    let refused = 0
    const closing = createServer((request, response) => {
      request.resume()
      request.on('end', () => {
        if (used.has(request.socket)) {
          refused += 1
          return void request.socket.destroy()
        }
        used.add(request.socket)
        response.writeHead(200, JSON_TYPE).end(messageJson())
      })
    })
    closing.listen(0, '127.0.0.1')
    await once(closing, 'listening')
    const { port } = closing.address() as AddressInfo // listening on a port
    gateway = await startGateway({ backends: [{ name: 'a', url: `http://127.0.0.1:${port}` }] })
    for (let i = 0; i < 4; i++) {
      const answer = await gateway.send(ASK)
      expect(answer.status).toBe(200)
      await answer.text()
      expect(await rowOf(answer)).toMatchObject({ attempts: 1, outcome: 'ok' })
    }
    expect(refused).toBeGreaterThan(0)
    closing.close()
    closing.closeAllConnections()
  })

  test('the start-up check disables a backend that refuses its credential or lists nothing', async () => {
    bad.models(failing(401, 'authentication_error'))
    await setUp({ health: { startup_check: 'normal' } })
    await expect.poll(async () => (await fetch(`${gateway.url}/readyz`)).status).toBe(200)
    expect((await gateway.send(ASK)).status).toBe(200)
    expect(bad.requests.filter(({ method }) => method === 'POST')).toEqual([])
    await expect.poll(() => gateway.output()).toContain('refused the credential (401)')
  })

  test('is not ready while no backend can be used', async () => {
    bad.models({ headers: JSON_TYPE, chunks: ['{"data":[]}'] })
    await setUp({ health: { startup_check: 'normal' } }, { alone: true })
    await expect.poll(() => gateway.output()).toContain('lists no models')
    expect((await fetch(`${gateway.url}/readyz`)).status).toBe(503)
  })
})

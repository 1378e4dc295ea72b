/** What Prometheus and the dashboard see of calls, over the gateway's own interface. */
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { type App, ORIGIN, startApp } from '../support/app.ts'
import type { Browser } from '../support/browser.ts'
import { errorJson, type FakeUpstream, messageStream, startUpstream } from '../support/upstream.ts'

const TOKEN = 'a-scraper-of-the-test'
const ASK = {
  model: 'claude-opus-5-5',
  max_tokens: 50,
  stream: true,
  messages: [{ role: 'user', content: 'SECRET words' }],
}

let upstream: FakeUpstream
beforeAll(async () => {
  upstream = await startUpstream()
})
afterAll(() => upstream.stop())

describe('GET /metrics', () => {
  let app: App
  let key: string
  let userId: number
  beforeEach(async () => {
    upstream.reset()
    app = await startApp({
      backends: [{ name: 'main', url: upstream.url, api_key: 'k-of-main' }],
      metrics: { token: TOKEN },
      limits: { requests_per_minute: 3 },
    })
    const ann = await app.signIn('person-of-the-test')
    userId = ann.id
    key = (await ann.post('/api/keys', { name: 'x' })).body.key.key
  })
  afterEach(() => app.close())

  const send = (path: string, body: object) =>
    app.request(path, {
      method: 'POST',
      headers: { 'x-api-key': key, 'content-type': 'application/json' },
      body: JSON.stringify(body),
    })
  const scrape = (headers: Record<string, string> = {}) =>
    app.request('/metrics', { headers: { authorization: `Bearer ${TOKEN}`, ...headers } })
  const figures = async () => {
    await app.settled()
    const { text } = await scrape()
    return Object.fromEntries(
      text.split('\n').flatMap((line) => {
        const at = line.lastIndexOf(' ')
        return line.startsWith('#') || at < 0 ? [] : [[line.slice(0, at), Number(line.slice(at + 1))]]
      }),
    )
  }

  test('tells of a call what its row tells', async () => {
    expect((await send('/v1/messages', ASK)).status).toBe(200)
    const [row] = await app.rows()
    const found = await figures()
    const of = 'model="claude-opus-5-5",backend="main"'
    expect(found[`claude_gateway_calls_total{route="/v1/messages",${of},outcome="ok"}`]).toBe(1)
    expect(found[`claude_gateway_tokens_total{${of},class="input"}`]).toBe(row?.inputTokens)
    expect(found[`claude_gateway_tokens_total{${of},class="output"}`]).toBe(row?.outputTokens)
    expect(found[`claude_gateway_cost_usd_total{${of}}`]).toBe((row?.costMicros ?? 0) / 1e6)
    expect(found.claude_gateway_calls_in_flight).toBe(0)
    expect(found['claude_gateway_backend_state{backend="main",state="healthy"}']).toBe(1)
    expect(
      found[
        'http_server_request_duration_seconds_count{http_request_method="POST",http_route="/v1/messages",http_response_status_code="200"}'
      ],
    ).toBe(1)
  })

  test('tells OpenAI’s interfaces apart, and counts models that nobody knows as one', async () => {
    await send('/v1/chat/completions', {
      model: 'claude-opus-5-5',
      messages: [{ role: 'user', content: 'hi' }],
    })
    await send('/v1/responses', { model: 'claude-opus-5-5', input: 'hi', store: false })
    await send('/v1/messages', { ...ASK, model: 'invented-by-a-caller' })
    const names = Object.keys(await figures())
    const calls = names.filter((name) => name.startsWith('claude_gateway_calls_total'))
    expect(calls).toEqual([
      'claude_gateway_calls_total{route="/v1/chat/completions",model="claude-opus-5-5",backend="main",outcome="ok"}',
      'claude_gateway_calls_total{route="/v1/responses",model="claude-opus-5-5",backend="main",outcome="ok"}',
      'claude_gateway_calls_total{route="/v1/messages",model="other",backend="main",outcome="ok"}',
    ])
  })

  test('counts what the gateway refuses, by code and by limit, and what backends fail at', async () => {
    upstream.answer({ status: 529, chunks: [errorJson('overloaded_error')] })
    expect((await send('/v1/messages', ASK)).status).toBe(529)
    await send('/v1/messages', ASK)
    await send('/v1/messages', ASK)
    expect((await send('/v1/messages', ASK)).status).toBe(429)
    expect((await app.request('/nowhere')).status).toBe(404)
    const found = await figures()
    expect(found['claude_gateway_attempts_failed_total{backend="main",verdict="pair_failed"}']).toBe(3)
    expect(found['claude_gateway_limit_refusals_total{limit="requests_per_minute",scope="user"}']).toBe(1)
    expect(found['claude_gateway_errors_total{code="rate_limited"}']).toBe(1)
    expect(found['claude_gateway_errors_total{code="not_found"}']).toBe(1)
  })

  test('counts who is refused because a quota is used up', async () => {
    const boss = await app.signIn('boss', 'admin')
    const { status } = await boss.put(`/admin/api/users/${userId}`, { quota_tokens: 50 })
    expect(status).toBe(200)
    upstream.answer({ chunks: messageStream({ finalUsage: { output_tokens: 60 } }) })
    expect((await send('/v1/messages', ASK)).status).toBe(200)
    await app.settled()
    expect((await send('/v1/messages', ASK)).status).toBe(429)
    const found = await figures()
    expect(found['claude_gateway_limit_refusals_total{limit="quota",scope="user"}']).toBe(1)
    expect(found['claude_gateway_errors_total{code="quota_exceeded"}']).toBe(1)
  })

  test('never tells who called, with which key, or what was said', async () => {
    await send('/v1/messages', ASK)
    await app.settled()
    const { text } = await scrape()
    for (const secret of ['person-of-the-test', key, key.slice(0, 8), 'SECRET', 'k-of-main', TOKEN]) {
      expect(text).not.toContain(secret)
    }
  })

  test('speaks OpenMetrics with who asks for it', async () => {
    const { headers, text } = await scrape({ accept: 'application/openmetrics-text; version=1.0.0' })
    expect(headers.get('content-type')).toBe('application/openmetrics-text; version=1.0.0; charset=utf-8')
    expect(text).toMatch(/# EOF\n$/)
  })

  test.each([
    ['nothing', {}],
    ['another token', { authorization: 'Bearer another-token-of-nobody' }],
    ['a part of the token', { authorization: `Bearer ${TOKEN.slice(0, -1)}` }],
  ])('is closed to who sends %s', async (_what, headers) => {
    const answer = await app.request('/metrics', { headers })
    expect([answer.status, answer.headers.get('www-authenticate')]).toEqual([401, 'Bearer'])
  })
})

describe('without a token', () => {
  test.each([{}, { port: 0 }, { port: 0, token: TOKEN }])(
    'there are no metrics where calls are: %j',
    async (metrics) => {
      const app = await startApp({ metrics })
      const answer = await app.request('/metrics', { headers: { authorization: `Bearer ${TOKEN}` } })
      expect(answer.status).toBe(404)
      const empty = await app.request('/metrics', { headers: { authorization: 'Bearer ' } })
      expect(empty.status).toBe(404)
      await app.close()
    },
  )
})

describe('GET /admin/api/live', () => {
  let app: App
  let boss: Browser
  beforeEach(async () => {
    app = await startApp({ backends: [{ name: 'main', url: upstream.url, api_key: 'k-of-main' }] })
    boss = await app.signIn('boss', 'admin')
  })
  afterEach(() => app.close())

  /** Opens a stream; `next` is its next event, undefined at its end. */
  const open = async () => {
    const cookie = [...boss.cookies].map(([name, value]) => `${name}=${value}`).join('; ')
    const response = await app.open('/admin/api/live', { headers: { cookie, host: new URL(ORIGIN).host } })
    const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader()
    const next = async () => {
      const { value } = (await reader?.read()) ?? {}
      return value === undefined ? undefined : JSON.parse(/^data: (.*)\n\n$/.exec(value)?.[1] ?? '')
    }
    return { response, next, cancel: () => reader?.cancel() }
  }
  /** Time goes on until the promise is settled. */
  const passing = async <T>(promise: Promise<T>): Promise<T> => {
    let settled = false
    void promise.finally(() => {
      settled = true
    })
    while (!settled) {
      app.clock.advance(1_000)
      await sleep(5)
    }
    return promise
  }

  test('tells once a second what happens', async () => {
    const { response, next, cancel } = await open()
    expect(response.headers.get('content-type')).toBe('text/event-stream')
    expect(await next()).toMatchObject({
      processes: 1,
      calls_in_flight: 0,
      cost_usd_per_minute: 0,
      cache_hit_share: null,
      backends: [{ name: 'main', state: 'healthy', in_flight: 0 }],
    })
    expect(await passing(next())).toMatchObject({ at: '2026-11-23T12:00:01.000Z' })
    await cancel()
    expect(app.deps.observability?.live.readers()).toBe(0)
  })

  test('ends soon after its session', async () => {
    const { next } = await open()
    await next()
    await boss.post('/api/auth/logout')
    const rest: unknown[] = []
    for (let event = await passing(next()); event; event = await passing(next())) rest.push(event)
    expect(rest.length).toBeLessThanOrEqual(3)
    expect(app.deps.observability?.live.readers()).toBe(0)
  })

  test('has no reader if it is asked for by HEAD', async () => {
    const cookie = [...boss.cookies].map(([name, value]) => `${name}=${value}`).join('; ')
    const answer = await app.open('/admin/api/live', { method: 'HEAD', headers: { cookie } })
    expect(answer.status).toBe(200)
    expect(app.deps.observability?.live.readers()).toBe(0)
  })

  test('one person has eight at once at most, and another when one is over', async () => {
    const streams = await Promise.all(Array.from({ length: 8 }, open))
    expect((await open()).response.status).toBe(429)
    await streams[0]?.cancel()
    const another = await open()
    expect(another.response.status).toBe(200)
    for (const { cancel } of [...streams.slice(1), another]) await cancel()
  })
})

/** What becomes of calls when an account, a model or an address is out, and what administrators are told. */
import { afterAll, afterEach, beforeEach, describe, expect, test } from 'vitest'
import { GATEWAY_ID } from '../../core/reports/gateway-calls.ts'
import { type App, startApp } from '../support/app.ts'
import type { Browser } from '../support/browser.ts'
import {
  type AskedRequest,
  errorJson,
  type FakeUpstream,
  messageJson,
  type Script,
  startUpstream,
} from '../support/upstream.ts'

const JSON_TYPE = { 'content-type': 'application/json' }
const OPUS = 'claude-opus-5-5'
const UNPAID = 'Your credit balance is too low to access the Anthropic API.'

const error = (status: number, type: string, message = 'm'): Script => ({
  status,
  headers: JSON_TYPE,
  chunks: [errorJson(type, message)],
})
const OK: Script = { headers: JSON_TYPE, chunks: [messageJson()] }
/** The gateway's own call: one token, one character, nothing of anybody's. */
const isOwn = ({ body }: AskedRequest) =>
  body.toString() === `{"model":"${OPUS}","max_tokens":1,"messages":[{"role":"user","content":"."}]}`

const [first, second] = [await startUpstream(), await startUpstream()]
beforeEach(() => {
  first.reset()
  second.reset()
})
afterAll(() => Promise.all([first.stop(), second.stop()]))

describe('an account', () => {
  let app: App
  let boss: Browser
  let secret: string
  const begin = async (names: string[]) => {
    const urls = { a: first.url, b: second.url } as Record<string, string>
    app = await startApp({
      backends: names.map((name) => ({
        name,
        url: urls[name],
        api_key: `secret-of-${name}`,
        weight: name === 'a' ? 1e6 : 1e-6,
      })),
    })
    boss = await app.signIn('boss', 'admin')
    secret = (await boss.post('/api/keys', { name: 'x' })).body.key.key
  }
  afterEach(() => app.close())
  const call = (more: object = {}) =>
    app.request('/v1/messages', {
      method: 'POST',
      headers: { 'x-api-key': secret },
      body: JSON.stringify({
        model: OPUS,
        max_tokens: 10,
        messages: [{ role: 'user', content: crypto.randomUUID() }],
        ...more,
      }),
    })
  const stateOf = async (name: string) => {
    await app.settled()
    const { backends } = (await boss.get('/admin/api/backends')).body
    return backends.find((backend: { name: string }) => backend.name === name)
  }
  const ownCalls = () => first.requests.filter(isOwn)
  /** It gets no call for `ms`, in which callers hear `status`, and then serves. */
  const expectOut = async (ms: number, status: number) => {
    const asked = first.requests.length
    expect((await call()).status).toBe(status)
    expect(first.requests).toHaveLength(asked)
    app.clock.advance(ms)
    first.answer(OK)
    expect((await call()).status).toBe(200)
  }
  const outages = async () =>
    (await app.audit()).filter(({ action }) => action.startsWith('backend.disabled'))

  test.each([
    ['refuses the credential', error(401, 'authentication_error'), 'refused'],
    ['cannot pay', error(400, 'invalid_request_error', UNPAID), 'unpaid'],
    ['cannot pay', error(402, 'billing_error'), 'unpaid'],
  ])(
    'that %s is out once a call of our own has confirmed it, and administrators are told once',
    async (_, script, why) => {
      await begin(['a', 'b'])
      first.answer(script)
      for (let i = 0; i < 3; i++) expect((await call()).status).toBe(200)
      expect(await stateOf('a')).toMatchObject({ state: 'disabled', disabled_by: why })
      expect(ownCalls()).toHaveLength(1)
      expect(first.requests).toHaveLength(2)
      expect(await outages()).toMatchObject([{ target: 'backend:a', actorId: null }])
      expect(app.logs.lines.filter(({ event }) => event === 'backend.outage')).toHaveLength(1)
    },
  )

  test('whose own call passes stays in, and the caller gets the answer that was theirs', async () => {
    await begin(['a'])
    first.answer((asked) => (isOwn(asked) ? OK : error(400, 'invalid_request_error', UNPAID)))
    const answer = await call()
    expect([answer.status, answer.body.error.message]).toEqual([400, UNPAID])
    first.answer(OK)
    expect((await call()).status).toBe(200)
    expect(await stateOf('a')).toMatchObject({ state: 'healthy' })
    expect(await outages()).toEqual([])
  })

  test('never shows a client that its credential was refused', async () => {
    await begin(['a'])
    first.answer((asked) => (isOwn(asked) ? OK : error(401, 'authentication_error', 'invalid x-api-key')))
    const answer = await call()
    expect([answer.status, answer.body.error.type]).toEqual([502, 'api_error'])
    expect(answer.text).not.toContain('x-api-key')
  })

  test('is asked once in ten seconds, however many calls are refused', async () => {
    await begin(['a', 'b'])
    first.answer((asked) => (isOwn(asked) ? OK : error(401, 'authentication_error')))
    await Promise.all(Array.from({ length: 20 }, () => call()))
    await app.settled()
    expect(ownCalls()).toHaveLength(1)
    app.clock.advance(10_000)
    await call()
    await app.settled()
    expect(ownCalls()).toHaveLength(2)
  })

  test('that is out answers 502 at once where nothing else is left, until its one call after a minute', async () => {
    await begin(['a'])
    first.answer(error(401, 'authentication_error'))
    await call()
    await app.settled()
    await expectOut(60_000, 502)
    expect(await stateOf('a')).toMatchObject({ state: 'healthy' })
  })

  test('is asked by calls that stand in the log as the gateway’s own, with what they cost', async () => {
    await begin(['a'])
    first.answer((asked) => (isOwn(asked) ? OK : error(402, 'billing_error')))
    await call()
    const rows = (await app.rows()).filter(({ userId }) => userId === GATEWAY_ID)
    expect(rows).toMatchObject([
      { backend: 'a', model: OPUS, inputTokens: 10, outputTokens: 20, outcome: 'ok' },
    ])
    expect(rows[0]?.costMicros).toBeGreaterThan(0)
    const { logs } = (await boss.get('/admin/api/usage')).body
    expect(logs.map(({ itcode }: { itcode: string }) => itcode).sort()).toEqual(['(gateway)', 'boss'])
  })

  test('that refuses one model is asked whether it offers it, and keeps it when it does', async () => {
    await begin(['a', 'b'])
    first.answer(error(403, 'permission_error', 'not for your organization'))
    first.models({ headers: JSON_TYPE, chunks: [`{"id":"${OPUS}"}`] })
    expect((await call()).status).toBe(200)
    await app.settled()
    first.answer(OK)
    expect((await call()).status).toBe(200)
    expect((await stateOf('a')).models).toEqual([])
  })

  test('that does not offer a model gets no more calls for it, and the list says so', async () => {
    await begin(['a'])
    await app.deps.catalogue.models()
    first.answer(error(403, 'permission_error', 'not for your organization'))
    first.models(error(404, 'not_found_error', `model: ${OPUS}`))
    expect((await call()).status).toBe(502)
    expect((await stateOf('a')).models).toMatchObject([{ model: OPUS, state: 'unavailable' }])
    await expectOut(300_000, 404)
  })

  test('that lists the models it offers does not offer another one', async () => {
    await begin(['a'])
    first.models(['claude-sonnet-5-5'])
    await app.deps.catalogue.models()
    first.answer(error(404, 'not_found_error', `model: ${OPUS}`))
    first.models({ status: 404, headers: JSON_TYPE, chunks: [errorJson('not_found_error', 'Not found')] })
    expect((await call()).status).toBe(404)
    expect((await stateOf('a')).models).toMatchObject([{ model: OPUS, state: 'unavailable' }])
  })
})

describe('time', () => {
  const [slow, good] = [first, second]
  let app: App
  let secret: string
  beforeEach(async () => {
    app = await startApp({
      backends: [
        { name: 'slow', url: slow.url, api_key: 'secret-of-slow', weight: 1e6 },
        { name: 'good', url: good.url, api_key: 'secret-of-good', weight: 1e-6 },
      ],
    })
    const boss = await app.signIn('boss', 'admin')
    secret = (await boss.post('/api/keys', { name: 'x' })).body.key.key
    return () => app.close()
  })
  const call = (stream: boolean, headers: Record<string, string> = {}) =>
    app.request('/v1/messages', {
      method: 'POST',
      headers: { 'x-api-key': secret, ...headers },
      body: JSON.stringify({
        model: OPUS,
        max_tokens: 10,
        stream,
        messages: [{ role: 'user', content: crypto.randomUUID() }],
      }),
    })
  const calls = (upstream: FakeUpstream) =>
    upstream.requests.filter(({ url }) => url === '/v1/messages').length

  test('a stream that is late goes on only where somebody was answered lately', async () => {
    slow.answer({ before: 'hang' })
    const late = call(true)
    await expect.poll(() => calls(slow)).toBe(1)
    app.clock.advance(120_000)
    expect((await late).status).toBe(504)
    expect(calls(good)).toBe(0)
    slow.answer({ before: 'refuse' })
    expect((await call(true)).status).toBe(200)
    slow.answer({ before: 'hang' })
    const again = call(true)
    await expect.poll(() => calls(slow)).toBe(3)
    app.clock.advance(120_000)
    expect((await again).status).toBe(200)
    expect(calls(good)).toBe(2)
  })

  test.each([
    ['the client’s own limit', { 'x-stainless-timeout': '60' }, 60_000],
    ['the configured one', {}, 600_000],
    [
      'the configured one, where the client would wait for longer',
      { 'x-stainless-timeout': '3000' },
      600_000,
    ],
  ])(
    'a whole answer is waited for up to %s, then booked by estimate and asked for nowhere else',
    async (_, headers, ms) => {
      slow.answer({ before: 'hang' })
      const late = call(false, headers)
      await expect.poll(() => calls(slow)).toBe(1)
      app.clock.advance(ms)
      expect((await late).status).toBe(504)
      expect(calls(good)).toBe(0)
      expect(await app.rows()).toMatchObject([
        { outcome: 'error', statusCode: 504, outputTokens: 10, estimated: true },
      ])
    },
  )

  test('a 504 of the upstream for a whole answer is handed on and booked the same way', async () => {
    slow.answer({ status: 504, headers: JSON_TYPE, chunks: [errorJson('timeout_error', 'too slow')] })
    const answer = await call(false)
    expect([answer.status, answer.body.error.message]).toEqual([504, 'too slow'])
    expect(calls(good)).toBe(0)
    expect((await app.rows())[0]).toMatchObject({ statusCode: 504, estimated: true })
  })
})

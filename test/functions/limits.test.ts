import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startGateway, type TestGateway } from '../support/gateway.ts'
import { type FakeUpstream, messageStream, startUpstream } from '../support/upstream.ts'

const ASK = { model: 'claude-opus-5-5', max_tokens: 100, messages: [{ role: 'user', content: 'hi' }] }
/** What the gateway holds for ASK: its bytes / 4 at 4 and 100 tokens at 20 micro-dollars. */
const HELD_MICROS = Math.ceil(JSON.stringify(ASK).length / 4) * 4 + 100 * 20

describe('limits', () => {
  let upstream: FakeUpstream
  let gateway: TestGateway
  beforeAll(async () => {
    upstream = await startUpstream()
    gateway = await startGateway({
      backends: [{ name: 'a', url: upstream.url }],
      server: { port: 0, host: '127.0.0.1', public_url: 'https://gateway.test' },
      log: { level: 'debug' },
    })
  })
  afterAll(async () => {
    await gateway?.stop()
    await upstream?.stop()
  })
  /** A key whose user the running gateway knows already. */
  const known = async (given: Parameters<TestGateway['newKey']>[0]) => {
    const key = await gateway.newKey(given)
    const path = '/v1/messages/count_tokens'
    await expect.poll(async () => (await gateway.send(ASK, { key: key.secret, path })).status).toBe(200)
    return key
  }

  test('500 calls at once on a budget for 100 pass exactly 100; the rest learn when to come back', async () => {
    const { secret } = await known({ budgetMicros: HELD_MICROS * 100 })
    const release = Promise.withResolvers<void>()
    upstream.answer(() => ({ chunks: messageStream({ usage: { input_tokens: 1 } }), before: 'hang' }))
    const stop = new AbortController()
    const statuses: number[] = []
    const calls = Array.from({ length: 500 }, async () => {
      try {
        const answer = await gateway.send(ASK, { key: secret, signal: stop.signal })
        statuses.push(answer.status)
        if (statuses.length === 1) {
          expect(answer.headers.get('x-should-retry')).toBe('false')
          expect(Number(answer.headers.get('retry-after'))).toBeGreaterThan(0)
          expect(await answer.json()).toMatchObject({
            error: {
              type: 'billing_error',
              message: expect.stringMatching(/your monthly budget does not cover.* UTC.*gateway\.test/),
            },
          })
        } else await answer.text()
        if (statuses.length === 400) release.resolve()
      } catch {
        // The hundred that were let in hang until they are given up.
      }
    })
    await release.promise
    await expect.poll(() => upstream.requests.filter(({ url }) => url === '/v1/messages').length).toBe(100)
    stop.abort()
    await Promise.all(calls)
    expect(statuses).toEqual(Array.from({ length: 400 }, () => 429))
    upstream.reset()
  }, 30_000)

  test('what a call did not use is given back', async () => {
    const { secret } = await known({ budgetMicros: HELD_MICROS + 2_000 })
    upstream.answer({
      status: 400,
      headers: { 'content-type': 'application/json' },
      chunks: ['{"type":"error"}'],
    })
    for (let i = 0; i < 5; i++) expect((await gateway.send(ASK, { key: secret })).status).toBe(400)
    upstream.reset()
    expect((await gateway.send(ASK, { key: secret })).status).toBe(200)
  })

  test('requests per minute and at once are limited, and retried by clients', async () => {
    const slow = await known({ requestsPerMinute: 2 })
    const send = () => gateway.send(ASK, { key: slow.secret })
    expect([(await send()).status, (await send()).status]).toEqual([200, 200])
    const refused = await send()
    expect([refused.status, refused.headers.get('x-should-retry')]).toEqual([429, 'true'])
    expect(await refused.json()).toMatchObject({ error: { type: 'rate_limit_error' } })
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(50)

    const single = await known({ concurrentRequests: 1 })
    upstream.answer({ chunks: messageStream().slice(0, 2), end: 'hang' })
    const stop = new AbortController()
    const first = await gateway.send({ ...ASK, stream: true }, { key: single.secret, signal: stop.signal })
    expect(first.status).toBe(200)
    expect((await gateway.send(ASK, { key: single.secret })).status).toBe(429)
    stop.abort()
    upstream.reset()
    await expect.poll(async () => (await gateway.send(ASK, { key: single.secret })).status).toBe(200)
  })

  test('token counts are never limited', async () => {
    const { secret } = await known({ quotaTokens: 1, requestsPerMinute: 1 })
    const path = '/v1/messages/count_tokens'
    const answers = await Promise.all(
      Array.from({ length: 40 }, () => gateway.send(ASK, { key: secret, path })),
    )
    expect(answers.every(({ status }) => status === 200)).toBe(true)
    expect((await gateway.send(ASK, { key: secret })).status).toBe(429)
  })

  test('headers tell Claude Code how much is spent', async () => {
    const { secret } = await known({ quotaTokens: 1000 })
    upstream.answer({ chunks: messageStream({ usage: { input_tokens: 780 } }) })
    const first = await gateway.send({ ...ASK, stream: true }, { key: secret })
    await first.text()
    expect(first.headers.get('anthropic-ratelimit-unified-status')).toBe('allowed')
    const second = await gateway.send({ ...ASK, stream: true }, { key: secret })
    await second.text()
    const own = [...second.headers].filter(([name]) => name.startsWith('anthropic-ratelimit-unified'))
    const reset = String(Date.UTC(new Date().getUTCFullYear(), new Date().getUTCMonth() + 1) / 1000)
    expect(Object.fromEntries(own)).toEqual({
      'anthropic-ratelimit-unified-status': 'allowed_warning',
      'anthropic-ratelimit-unified-representative-claim': 'overage',
      'anthropic-ratelimit-unified-overage-status': 'allowed_warning',
      'anthropic-ratelimit-unified-overage-utilization': '0.8',
      'anthropic-ratelimit-unified-overage-surpassed-threshold': '0.75',
      'anthropic-ratelimit-unified-reset': reset,
      'anthropic-ratelimit-unified-overage-reset': reset,
    })
  })

  test('survive a restart', async () => {
    const { secret } = await known({ quotaTokens: 900 })
    upstream.answer({ chunks: messageStream({ usage: { input_tokens: 780 } }) })
    await (await gateway.send({ ...ASK, stream: true }, { key: secret })).text()
    await gateway.restart()
    expect((await gateway.send(ASK, { key: secret })).status).toBe(429)
  })

  test('no key, prompt, answer or upstream credential stands in log, database or journal', async () => {
    const { secret } = await known({})
    const canaries = ['CANARY-PROMPT', 'CANARY-ANSWER', 'CANARY-HEADER', secret, 'upstream-key-of-a']
    upstream.answer({ chunks: messageStream({ text: ['CANARY-ANSWER'] }) })
    const body = { ...ASK, stream: true, messages: [{ role: 'user', content: 'CANARY-PROMPT' }] }
    const headers = { 'x-secret': 'CANARY-HEADER', cookie: 'session=CANARY-HEADER' }
    await (await gateway.send(body, { key: secret, headers, path: '/v1/messages?q=CANARY-HEADER' })).text()
    await gateway.rows(1)
    const { stringify } = JSON
    const dump: unknown[] = []
    const tables = await gateway.db.all<{ name: string }>(
      "select name from sqlite_master where type = 'table'",
    )
    for (const { name } of tables) dump.push(await gateway.db.all(`select * from "${name}"`))
    for (const canary of canaries) {
      expect([canary, stringify(dump).includes(canary), gateway.output().includes(canary)]).toEqual([
        canary,
        false,
        false,
      ])
    }
    expect(stringify(upstream.requests.at(-1)?.headers)).not.toContain('CANARY-HEADER')
    expect(stringify(upstream.requests.at(-1)?.headers)).not.toContain(secret)
  })
})

/** Who may call how much, whatever runtime the gateway is on. */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { type Client, type Gateway, knownKey, type Runtime } from '../support/runtime.ts'
import {
  errorJson,
  type FakeUpstream,
  messageJson,
  messageStream,
  startUpstream,
} from '../support/upstream.ts'

const ASK = { model: 'claude-opus-5-5', max_tokens: 100, messages: [{ role: 'user', content: 'hi' }] }
/** What the gateway holds for ASK: its bytes / 4 at 4 and 100 tokens at 20 micro-dollars. */
const HELD_MICROS = Math.ceil(JSON.stringify(ASK).length / 4) * 4 + 100 * 20

export function limitsContract({ name, start, abilities }: Runtime) {
  describe(`limits on ${name}`, () => {
    let upstream: FakeUpstream
    let gateway: Gateway
    beforeAll(async () => {
      upstream = await startUpstream()
      gateway = await start({
        backends: [{ name: 'a', url: upstream.url }],
        server: { public_url: 'https://gateway.test' },
        log: { level: 'debug' },
      })
    })
    afterAll(async () => {
      await gateway?.stop()
      await upstream?.stop()
    })
    beforeEach(() => upstream.reset())

    const known = (given: Parameters<Client['newKey']>[0]) => knownKey(gateway, abilities, given)

    const budgeted = Math.min(100, abilities.atOnce - 1)
    test.skipIf(budgeted === 0)(
      `${budgeted * 5} calls at once on a budget for ${budgeted} pass exactly ${budgeted}; the rest learn when to come back`,
      async () => {
        const { secret } = await known({ budgetMicros: HELD_MICROS * budgeted })
        const release = Promise.withResolvers<void>()
        upstream.answer({
          headers: { 'content-type': 'application/json' },
          chunks: [release.promise, messageJson()],
        })
        const refused: Response[] = []
        const answers = Array.from({ length: budgeted * 5 }, async () => {
          const answer = await gateway.send(ASK, { key: secret })
          if (answer.status === 200) return answer.text()
          refused.push(answer)
          // Who is let in is answered when all others are not.
          if (refused.length === budgeted * 4) release.resolve()
        })
        await Promise.all(answers)
        expect(upstream.requests.filter(({ url }) => url === '/v1/messages')).toHaveLength(budgeted)
        expect(refused.map(({ status }) => status)).toEqual(Array.from({ length: budgeted * 4 }, () => 429))
        expect(refused[0]?.headers.get('x-should-retry')).toBe('true')
        const wait = Number(refused[0]?.headers.get('retry-after'))
        expect(wait).toBeGreaterThanOrEqual(1)
        expect(wait).toBeLessThanOrEqual(5)
        expect(await refused[0]?.json()).toMatchObject({
          error: {
            type: 'rate_limit_error',
            message: expect.stringMatching(/Calls under way may use up what is left of your monthly budget/),
          },
        })
      },
      30_000,
    )

    test('who has used up a budget learns when it is renewed, and whom to ask', async () => {
      const { secret } = await known({ budgetMicros: 400 })
      const last = await gateway.send(ASK, { key: secret })
      expect(last.status).toBe(200)
      await last.text()
      await gateway.rowOf(last)
      const refused = await gateway.send(ASK, { key: secret })
      expect([refused.status, refused.headers.get('x-should-retry')]).toEqual([429, 'false'])
      expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0)
      expect(await refused.json()).toMatchObject({
        error: {
          type: 'billing_error',
          message: expect.stringMatching(
            /Your monthly budget is used up; it is renewed on .* UTC.*gateway\.test/,
          ),
        },
      })
    })

    test('what a call did not use is given back', async () => {
      const { secret } = await known({ budgetMicros: HELD_MICROS + 2_000 })
      upstream.answer({
        status: 400,
        headers: { 'content-type': 'application/json' },
        chunks: [errorJson('invalid_request_error')],
      })
      // What a call held is free when its row is written, which may be just after the answer.
      const status = async () => (await gateway.send(ASK, { key: secret })).status
      for (let i = 0; i < 5; i++) await expect.poll(status).toBe(400)
      upstream.reset()
      await expect.poll(status).toBe(200)
    })

    test('requests per minute are limited, and retried by clients', async () => {
      const slow = await known({ requestsPerMinute: 2 })
      const send = () => gateway.send(ASK, { key: slow.secret })
      expect([(await send()).status, (await send()).status]).toEqual([200, 200])
      const refused = await send()
      expect([refused.status, refused.headers.get('x-should-retry')]).toEqual([429, 'true'])
      expect(await refused.json()).toMatchObject({ error: { type: 'rate_limit_error' } })
      expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(50)
    })

    test.skipIf(abilities.atOnce < 2)('calls at once are limited', async () => {
      const { secret } = await known({ concurrentRequests: 1 })
      const [begun = '', ...rest] = messageStream()
      const release = Promise.withResolvers<void>()
      upstream.answerNext({ chunks: [begun, release.promise, ...rest] })
      const first = await gateway.send({ ...ASK, stream: true }, { key: secret })
      expect(first.status).toBe(200)
      expect((await gateway.send(ASK, { key: secret })).status).toBe(429)
      release.resolve()
      await first.text()
      await expect.poll(async () => (await gateway.send(ASK, { key: secret })).status).toBe(200)
    })

    test('token counts are never limited', async () => {
      const { secret } = await known({ quotaTokens: 1, requestsPerMinute: 1 })
      const used = await gateway.send(ASK, { key: secret })
      await used.text()
      await gateway.rowOf(used)
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
      await gateway.rowOf(first)
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
      const { secret } = await known({ quotaTokens: 800 })
      upstream.answer({ chunks: messageStream({ usage: { input_tokens: 780 } }) })
      const answer = await gateway.send({ ...ASK, stream: true }, { key: secret })
      await answer.text()
      await gateway.rowOf(answer)
      await gateway.restart()
      expect((await gateway.send(ASK, { key: secret })).status).toBe(429)
    })

    test('no key, prompt, answer or upstream credential stands in log or database', async () => {
      const { secret } = await known({})
      const canaries = ['CANARY-PROMPT', 'CANARY-ANSWER', 'CANARY-HEADER', secret, 'upstream-key-of-a']
      upstream.answer({ chunks: messageStream({ text: ['CANARY-ANSWER'] }) })
      const body = { ...ASK, stream: true, messages: [{ role: 'user', content: 'CANARY-PROMPT' }] }
      const headers = { 'x-secret': 'CANARY-HEADER', cookie: 'session=CANARY-HEADER' }
      const answer = await gateway.send(body, { key: secret, headers, path: '/v1/messages?q=CANARY-HEADER' })
      await answer.text()
      await gateway.rowOf(answer)
      const { stringify } = JSON
      const dump: unknown[] = []
      const tables = await gateway.db.all<{ name: string }>(
        // Cloudflare's own tables in D1 are not to be read.
        "select name from sqlite_master where type = 'table' and name not like '\\_cf%' escape '\\'",
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
}

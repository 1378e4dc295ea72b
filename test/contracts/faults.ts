/** What becomes of a call when backends fail, whatever runtime the gateway is on. */
import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { attemptsIn } from '../../core/calls/story.ts'
import { failing, JSON_TYPE, LONE, SURVIVED } from '../cases/faults.ts'
import type { Gateway, GatewaySettings, Runtime } from '../support/runtime.ts'
import { type FakeUpstream, messageJson, messageStream, sse, startUpstream } from '../support/upstream.ts'

/** Every case has backends of its own, which serve its model only: what one test breaks no other one meets. */
const backed = (what: string) => `claude-backed-${what.replaceAll(' ', '-')}`
const alone = (what: string) => `claude-alone-${what.replaceAll(' ', '-')}`
const BACKED = [...SURVIVED.map(([what]) => what), 'ejected', 'rested', 'whole', 'told'].map(backed)
const ALONE = [...LONE.map(([what]) => what), 'resting', 'silent', 'pinging', 'cut', 'picky', 'counting'].map(
  alone,
)

/** Each is a conversation of its own, because one that was moved stays where it went. */
const ask = (model: string) => ({
  model,
  max_tokens: 50,
  messages: [{ role: 'user', content: crypto.randomUUID() }],
})

export function faultsContract({ name, start, abilities }: Runtime) {
  describe(`faults on ${name}`, () => {
    let bad: FakeUpstream
    let good: FakeUpstream
    let gateway: Gateway
    let closing: Server
    let refusedByClosing = 0
    const open: Gateway[] = []
    const started = async (settings: GatewaySettings) => {
      const begun = await start(settings)
      open.push(begun)
      return begun
    }
    beforeAll(async () => {
      bad = await startUpstream()
      good = await startUpstream()
      closing = closingServer(() => {
        refusedByClosing += 1
      }).listen(0, '127.0.0.1')
      await once(closing, 'listening')
      const { port } = closing.address() as AddressInfo // listening on a port
      gateway = await started({
        backends: [
          ...[...BACKED, ...ALONE].map((model) => ({
            name: `bad-for-${model}`,
            url: bad.url,
            weight: 1_000_000,
            models: [model],
          })),
          { name: 'good', url: good.url, weight: 0.000_001, models: ['claude-backed-*'] },
          { name: 'closing', url: `http://127.0.0.1:${port}`, models: ['claude-closing'] },
        ],
        retry: { first_byte_timeout: '1s', whole_answer_timeout: '1s', idle_timeout: '400ms' },
      })
    })
    afterAll(async () => {
      for (const begun of open) await begun.stop()
      await bad?.stop()
      await good?.stop()
      closing?.close()
      closing?.closeAllConnections()
    })
    beforeEach(() => bad.reset())
    const rowsOf = async (model: string) => (await gateway.rows(0)).filter((row) => row.model === model)
    /** Without the gateway's own, which bring one character. */
    const calls = () =>
      bad.requests.filter(({ url, body }) => url === '/v1/messages' && !body.includes('"content":"."')).length

    test.each(SURVIVED)(
      'no client sees a backend that %s, where another could serve',
      async (what, script) => {
        bad.answer(script)
        const answer = await gateway.send({ ...ask(backed(what)), stream: true })
        expect(answer.status).toBe(200)
        await answer.text()
        expect(await gateway.rowOf(answer)).toMatchObject({ backend: 'good', attempts: 2, outcome: 'ok' })
        expect(calls()).toBe(1)
      },
    )

    test('the row tells what each backend answered, and the session that the client named', async () => {
      bad.answer(failing(529, 'overloaded_error'))
      const headers = { 'x-claude-code-session-id': 'a-session' }
      const answer = await gateway.send({ ...ask(backed('told')), stream: true }, { headers })
      await answer.text()
      const row = await gateway.rowOf(answer)
      expect(attemptsIn(row.story)).toMatchObject([{ answer: 529 }, { backend: 'good', answer: 200 }])
      expect(row.session).toMatch(/^[0-9a-z]{1,11}$/)
      expect(row.error).toBe('')
    })

    test.each(LONE)(
      'when the only backend answers %s, the client gets the right error',
      async (what, script, status, type) => {
        bad.answer(script)
        const answer = await gateway.send(ask(alone(what)))
        expect(answer.status).toBe(status)
        expect(await answer.json()).toMatchObject({ type: 'error', error: { type } })
        expect(await gateway.rowOf(answer)).toMatchObject({
          outcome: 'error',
          statusCode: status,
          costMicros: 0,
        })
        expect(answer.headers.get('retry-after')).toBe(status === 429 ? '7' : null)
        expect(JSON.stringify([...answer.headers])).not.toContain('upstream-key')
      },
    )

    test('five failures eject a backend for the model, and the first call that it serves brings it back', async () => {
      const send = async () => (await gateway.send(ask(backed('ejected')))).text()
      bad.answer(failing(500, 'api_error'))
      for (let i = 0; i < 8; i++) await send()
      expect(calls()).toBe(5)
      bad.reset()
      const callsAgain = async () => {
        await gateway.runTasks()
        await send()
        return calls()
      }
      await expect.poll(callsAgain, { timeout: 8_000, interval: 100 }).toBeGreaterThan(0)
    })

    test('after 429 a backend rests for that model', async () => {
      bad.answer(failing(429, 'rate_limit_error', { 'retry-after': '60' }))
      for (let i = 0; i < 3; i++) {
        const answer = await gateway.send(ask(backed('rested')))
        expect(answer.status).toBe(200)
        await answer.text()
      }
      expect(calls()).toBe(1)
    })

    test('a backend that refuses one call serves the next', async () => {
      bad.answer(failing(403, 'permission_error'))
      expect((await gateway.send(ask(alone('picky')))).status).toBe(502)
      bad.reset()
      expect((await gateway.send(ask(alone('picky')))).status).toBe(200)
    })

    test('a whole answer that does not come in time is asked for once, and booked by an estimate', async () => {
      bad.answer({ before: 'hang' })
      const answer = await gateway.send(ask(backed('whole')))
      expect(answer.status).toBe(504)
      expect(await answer.json()).toMatchObject({ error: { type: 'timeout_error' } })
      const row = await gateway.rowOf(answer)
      expect(row).toMatchObject({ outcome: 'error', attempts: 1, estimated: true })
      expect(row.inputTokens).toBeGreaterThan(0)
      // 80 tokens a second of waiting, but never more than max_tokens.
      expect(row.outputTokens).toBe(50)
      expect(calls()).toBe(1)
    })

    test.each([
      ['cannot count tokens', failing(501, 'not_supported')],
      ['counts no more for now', failing(429, 'rate_limit_error', { 'retry-after': '30' })],
    ])('a backend that %s answers messages all the same', async (_, script) => {
      bad.counts(script)
      const path = '/v1/messages/count_tokens'
      for (let i = 0; i < 6; i++) {
        expect((await gateway.send(ask(alone('counting')), { path })).status).toBe(script.status)
      }
      expect((await gateway.send(ask(alone('counting')))).status).toBe(200)
    })

    test('with every backend resting a call is tried all the same, and hears when to come back', async () => {
      bad.answer(failing(429, 'rate_limit_error', { 'retry-after': '30' }))
      await (await gateway.send(ask(alone('resting')))).text()
      const answer = await gateway.send(ask(alone('resting')))
      expect(answer.status).toBe(429)
      const seconds = Number(answer.headers.get('retry-after'))
      expect(seconds).toBeGreaterThan(25)
      expect(seconds).toBeLessThanOrEqual(30)
      expect(calls()).toBe(2)
    })

    test('a model that is down everywhere costs calls for others nothing, and its own one attempt each', async () => {
      const [opus, sonnet] = ['claude-opus-5-5', 'claude-sonnet-5-5']
      const ups = await Promise.all([startUpstream(), startUpstream()])
      for (const up of ups) {
        up.answer(({ body }) => {
          return body.includes(opus)
            ? failing(529, 'overloaded_error')
            : { headers: JSON_TYPE, chunks: [messageJson()] }
        })
      }
      const many = await started({
        backends: ups.map(({ url }, i) => ({ name: `up-${i}`, url })),
        health: { cooldown: '60s' },
      })
      const people = await Promise.all(Array.from({ length: 6 }, () => many.newKey()))
      for (const { secret } of people) {
        const status = async () => (await many.send(ask(sonnet), { key: secret })).status
        await expect.poll(status).toBe(200)
      }
      const asked = () =>
        ups.flatMap(({ requests }) => requests).filter(({ body }) => body.includes(opus)).length
      const askAll = async (model: string) => {
        const statuses: number[] = []
        for (const { secret } of people) {
          const answer = await many.send(ask(model), { key: secret })
          await answer.text()
          statuses.push(answer.status)
        }
        return statuses
      }
      // Both are out for the model after these.
      for (let i = 0; i < 2; i++) await askAll(opus)
      const before = asked()
      for (let i = 0; i < 5; i++) {
        expect(await askAll(opus)).toEqual(people.map(() => 529))
        expect(await askAll(sonnet)).toEqual(people.map(() => 200))
      }
      // Where calls have processes of their own, one may begin in between, and it has to learn what the others know.
      const learning = abilities.hearsLeaving === 'never' ? people.length : 0
      expect(asked() - before).toBeLessThanOrEqual(5 * people.length + learning)
      for (const up of ups) await up.stop()
    })

    test('a process that begins knows which backends are out before its first call', async () => {
      const model = backed('ejected')
      const up = await startUpstream()
      up.answer(failing(529, 'overloaded_error'))
      const sharing = await started({
        backends: [
          { name: 'out', url: up.url, weight: 1_000_000 },
          { name: 'well', url: good.url, weight: 0.000_001 },
        ],
        health: { store: 'database', cooldown: '60s' },
      })
      const asked = () => up.requests.filter(({ body }) => body.includes(model)).length
      for (let i = 0; i < 6; i++) await (await sharing.send(ask(model))).text()
      expect(asked()).toBe(5)
      await sharing.restart()
      expect((await sharing.send(ask(model))).status).toBe(200)
      expect(asked()).toBe(5)
      await up.stop()
    })

    test('silence in the middle of a stream is a cut', async () => {
      bad.answer({ chunks: messageStream().slice(0, 3), end: 'hang' })
      const answer = await gateway.send({ ...ask(alone('silent')), stream: true })
      await expect(answer.text()).rejects.toThrow()
      expect(await gateway.rowOf(answer)).toMatchObject({ outcome: 'upstream_cut', estimated: true })
      await expect.poll(() => bad.requests[0]?.aborted).toBe(true)
    })

    test('pings hold a quiet stream open for longer than the idle limit', async () => {
      const [start = '', ...rest] = messageStream()
      const pings = Array.from({ length: 6 }, () => [150, sse({ type: 'ping' })]).flat()
      bad.answer({ chunks: [start, ...pings, ...rest] })
      const answer = await gateway.send({ ...ask(alone('pinging')), stream: true })
      expect(await answer.text()).toContain('message_stop')
      expect(await gateway.rowOf(answer)).toMatchObject({ outcome: 'ok', estimated: false })
    })

    test('a JSON answer that is cut short is not a clean answer', async () => {
      const headers = { ...JSON_TYPE, 'content-length': '500' }
      bad.answer({ headers, chunks: ['{"type":"message"', 50], end: 'reset' })
      await expect((async () => (await gateway.send(ask(alone('cut')))).text())()).rejects.toThrow()
      await expect
        .poll(() => rowsOf(alone('cut')))
        .toMatchObject([{ outcome: 'upstream_cut', estimated: true }])
    })

    test.skipIf(!abilities.replacesConnections)(
      'a kept-alive connection that the upstream just closed is replaced silently, on the same backend',
      async () => {
        for (let i = 0; i < 4; i++) {
          const answer = await gateway.send(ask('claude-closing'))
          expect(answer.status).toBe(200)
          await answer.text()
          expect(await gateway.rowOf(answer)).toMatchObject({ attempts: 1, outcome: 'ok' })
        }
        expect(refusedByClosing).toBeGreaterThan(0)
      },
    )

    test.skipIf(abilities.hearsLeaving !== 'at once')(
      'a client that leaves before the answer aborts the call upstream, and hurts no backend',
      async () => {
        const patient = await started({ backends: [{ name: 'bad', url: bad.url }] })
        for (let i = 0; i < 10; i++) {
          bad.answer({ before: 'hang' })
          const stop = new AbortController()
          const call = patient.send(ask('claude-left'), { signal: stop.signal }).catch(() => 'gone')
          await expect.poll(() => bad.requests.length).toBe(i + 1)
          stop.abort()
          expect(await call).toBe('gone')
          await expect.poll(() => bad.requests[i]?.aborted).toBe(true)
        }
        bad.reset()
        expect((await patient.send(ask('claude-left'))).status).toBe(200)
        const rows = await patient.rows(11)
        const left = { outcome: 'client_aborted', estimated: true }
        expect(rows).toMatchObject([...Array.from({ length: 10 }, () => left), { outcome: 'ok' }])
      },
    )

    test('the start-up check disables a backend that refuses its credential or lists nothing', async () => {
      bad.models(failing(401, 'authentication_error'))
      const backends = [
        { name: 'bad', url: bad.url, weight: 1_000_000 },
        { name: 'good', url: good.url, weight: 0.000_001 },
      ]
      const checked = await started({ backends, health: { startup_check: 'normal' } })
      await expect.poll(async () => (await fetch(`${checked.url}/readyz`)).status).toBe(200)
      await expect.poll(() => checked.output()).toContain('refused the credential (401)')
      expect((await checked.send(ask('claude-opus-5-5'))).status).toBe(200)
      expect(calls()).toBe(0)
    })

    test('is not ready while no backend can be used', async () => {
      bad.models({ headers: JSON_TYPE, chunks: ['{"data":[]}'] })
      const backends = [{ name: 'bad', url: bad.url }]
      const useless = await started({ backends, health: { startup_check: 'normal' } })
      const status = async () => (await fetch(`${useless.url}/readyz`)).status
      await status()
      await expect.poll(() => useless.output()).toContain('lists no models')
      expect(await status()).toBe(503)
    })
  })
}

/** An upstream that drops a connection when it is used a second time. */
function closingServer(onRefused: () => void): Server {
  const used = new WeakSet<object>()
  return createServer((request, response) => {
    request.resume()
    request.on('end', () => {
      if (used.has(request.socket)) {
        onRefused()
        return void request.socket.destroy()
      }
      used.add(request.socket)
      response.writeHead(200, JSON_TYPE).end(messageJson())
    })
  })
}

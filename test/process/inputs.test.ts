import { connect } from 'node:net'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { grants } from '../../core/db/schema.ts'
import { startGateway, type TestGateway } from '../support/gateway.ts'
import { sendRaw } from '../support/raw.ts'
import { type FakeUpstream, messageJson, messageStream, startUpstream } from '../support/upstream.ts'

const ASK = { model: 'claude-opus-5-5', max_tokens: 50, messages: [{ role: 'user', content: 'hi' }] }
const JSON_TYPE = { 'content-type': 'application/json' }
const SETTINGS = {
  limits: { max_body_bytes: 100_000 },
  model_replacements: {
    fast: 'claude-haiku-5-5',
    'gpt-*': 'claude-sonnet-5-5',
    secret: 'claude-fable-5-2',
  },
  models: {
    rules: [
      { match: 'claude-fable-*', access: 'closed' },
      { match: 'claude-opus-4-6', access: 'approval' },
    ],
  },
}

describe('what clients send', () => {
  let upstream: FakeUpstream
  let gateway: TestGateway
  beforeAll(async () => {
    upstream = await startUpstream()
    gateway = await startGateway({ backends: [{ name: 'a', url: upstream.url }], ...SETTINGS })
  })
  afterAll(async () => {
    await gateway?.stop()
    await upstream?.stop()
  })
  beforeEach(() => upstream.reset())
  const typeOf = async (answer: Response) => ((await answer.json()) as { error: { type: string } }).error.type

  const raw = (text: string, quietMs?: number) => sendRaw(gateway.url, text, quietMs)
  const statusOf = (got: string) => /^HTTP\/1\.1 (\d+)/.exec(got)?.[1]

  describe('models', () => {
    test.each([
      ['fast', 'claude-haiku-5-5'],
      ['gpt-5-turbo', 'claude-sonnet-5-5'],
    ])('%s is sent as %s, and no other byte changes', async (alias, model) => {
      const body = (name: string) =>
        `{"mod\\u0065l" : "${name}" ,"model":"${name}","x":{"model":"${alias}"},"messages":[{"role":"user","content":"\\"model\\":\\"${alias}\\" é"}],"max_tokens":5,"s":[1.0,1e2 ]}`
      const answer = await gateway.send(body(alias))
      expect(answer.status).toBe(200)
      expect(upstream.requests.at(-1)?.body.toString()).toBe(body(model))
      await answer.text()
      const id = answer.headers.get('request-id')
      const find = async () => (await gateway.rows(0)).find(({ requestId }) => requestId === id)
      await expect.poll(find).toMatchObject({ requestedModel: alias, model })
    })

    test.each([
      'claude-fable-5-2',
      'CLAUDE-FABLE-5-2',
      'anthropic/claude-fable-5-2',
      'secret',
      'us.anthropic.claude-fable-5-2',
    ])('%s is refused where it is closed, on every path, and never reaches the upstream', async (model) => {
      for (const path of ['/v1/messages', '/v1/messages/count_tokens']) {
        const answer = await gateway.send({ ...ASK, model }, { path })
        expect([answer.status, await typeOf(answer)]).toEqual([400, 'invalid_request_error'])
        expect(answer.headers.get('x-should-retry')).toBe('false')
      }
      expect(upstream.requests).toEqual([])
    })

    test('a model that needs approval opens with its grant, within a second, and closes without it', async () => {
      const { secret, userId } = await gateway.newKey()
      const ids = async () => {
        const list = await fetch(`${gateway.url}/v1/models`, { headers: { 'x-api-key': secret } })
        return list.ok ? ((await list.json()) as { data: { id: string }[] }).data.map(({ id }) => id) : []
      }
      const ask = { ...ASK, model: 'claude-opus-4-6' }
      const status = async () => (await gateway.send(ask, { key: secret })).status
      await expect.poll(status, { timeout: 1_500 }).toBe(400)
      expect(await ids()).not.toContain('claude-opus-4-6')
      await gateway.db.insert(grants).values({ userId, model: 'claude-opus-4-6', createdAt: 1 })
      await expect.poll(status, { timeout: 1_500 }).toBe(200)
      expect(await ids()).toContain('claude-opus-4-6')
      expect(await ids()).not.toContain('claude-fable-5-2')
      await gateway.db.delete(grants)
      await expect.poll(status, { timeout: 1_500 }).toBe(400)
    })

    test('a model given twice with different names is refused', async () => {
      const answer = await gateway.send(
        '{"model":"claude-opus-5-5","model":"claude-fable-5-2","messages":[]}',
      )
      expect([answer.status, upstream.requests.length]).toEqual([400, 0])
    })
  })

  describe('bodies', () => {
    test('that are too large are refused, by their announced length and by their real one', async () => {
      const big = 'x'.repeat(5_000_000)
      // Whoever is still sending hears of it all the same, each time.
      for (let i = 0; i < 20; i++) {
        const announced = await gateway.send(big)
        expect([announced.status, await typeOf(announced)]).toEqual([413, 'request_too_large'])
      }
      const stream = new ReadableStream({
        start(controller) {
          controller.enqueue(new TextEncoder().encode(big))
          controller.close()
        },
      })
      const init = { method: 'POST', headers: { 'x-api-key': gateway.key }, body: stream, duplex: 'half' }
      const chunked = await fetch(`${gateway.url}/v1/messages`, init as RequestInit)
      expect([chunked.status, await typeOf(chunked)]).toEqual([413, 'request_too_large'])
      expect(upstream.requests).toEqual([])
    })

    test('that come in chunks arrive whole', async () => {
      const text = JSON.stringify(ASK)
      const half = Math.floor(text.length / 2)
      const chunk = (part: string) => `${part.length.toString(16)}\r\n${part}\r\n`
      const got = await raw(
        `POST /v1/messages HTTP/1.1\r\nhost: x\r\nx-api-key: ${gateway.key}\r\ntransfer-encoding: chunked\r\nconnection: close\r\n\r\n` +
          `${chunk(text.slice(0, half))}${chunk(text.slice(half))}0\r\n\r\n`,
      )
      expect(statusOf(got)).toBe('200')
      expect(upstream.requests.at(-1)?.body.toString()).toBe(text)
    })

    test.each([
      '',
      '[]',
      'null',
      '"text"',
      '{"model":',
      '{"model":"a"}}',
      `{"model":"a","x":${'['.repeat(10_000)}}`,
    ])('like %.20s are no request', async (body) => {
      const answer = await gateway.send(body)
      expect([answer.status, await typeOf(answer)]).toEqual([400, 'invalid_request_error'])
    })

    test('__proto__ and deep nesting do no harm', async () => {
      const body = `{"__proto__":{"model":"x"},"constructor":1,"model":"claude-opus-5-5","x":${'['.repeat(10_000)}${']'.repeat(10_000)},"messages":[]}`
      expect((await gateway.send(body)).status).toBe(200)
      expect(upstream.requests.at(-1)?.body.toString()).toBe(body)
    })
  })

  describe('addresses', () => {
    test.each([
      '/v1/messages/../models',
      '/v1/%6dessages',
      '/v1/messages%2Fbatches',
      '/v1//messages',
      '/v1/messages;x',
      '/v1/messages/',
      '/V1/messages',
      '/v1/messages%00',
      '/v1/messages/batches',
      '/v1/files',
      '//v1/messages',
    ])('%s reaches no upstream', async (path) => {
      const body = JSON.stringify(ASK)
      const got = await raw(
        `POST ${path} HTTP/1.1\r\nhost: x\r\nx-api-key: ${gateway.key}\r\ncontent-length: ${body.length}\r\nconnection: close\r\n\r\n${body}`,
      )
      expect(['404', '405', '400', '415']).toContain(statusOf(got))
      expect(upstream.requests).toEqual([])
    })

    test('the query goes upstream as it came', async () => {
      const path = '/v1/messages?beta=true&x=%2f%C3%A9&&y'
      expect((await gateway.send(ASK, { path })).status).toBe(200)
      expect(upstream.requests.at(-1)?.url).toBe(path)
    })

    test('a forged host changes nothing', async () => {
      for (const host of ['evil.test', 'a@b', 'x#y', 'x/y', 'x?z']) {
        const got = await raw(`GET /healthz HTTP/1.1\r\nhost: ${host}\r\nconnection: close\r\n\r\n`)
        expect(['200', '400']).toContain(statusOf(got))
      }
    })
  })

  describe('on the wire', () => {
    const body = JSON.stringify(ASK)
    const head = (lines: string[]) =>
      `POST /v1/messages HTTP/1.1\r\n${[`x-api-key: ${gateway.key}`, ...lines].join('\r\n')}\r\n\r\n`
    test.each([
      ['both lengths', ['host: x', `content-length: ${body.length}`, 'transfer-encoding: chunked']],
      ['two lengths', ['host: x', `content-length: ${body.length}`, 'content-length: 1']],
      ['a space before the colon', ['host: x', `content-length : ${body.length}`]],
      ['a folded header', ['host: x', 'x-a: b\r\n c', `content-length: ${body.length}`]],
      ['a NUL in a header', ['host: x', 'x-a: b\0c', `content-length: ${body.length}`]],
      ['no host', [`content-length: ${body.length}`]],
    ])('%s: refused, and the connection closed', async (_what, lines) => {
      const got = await raw(head(lines) + body)
      expect(statusOf(got)).toBe('400')
      expect(got.toLowerCase()).toContain('connection: close')
      expect(upstream.requests).toEqual([])
    })

    test('a refused call does not poison the next one on its connection', async () => {
      const call = (key: string, close: string) =>
        `POST /v1/messages HTTP/1.1\r\nhost: x\r\nx-api-key: ${key}\r\ncontent-length: ${body.length}\r\n${close}\r\n${body}`
      const got = await raw(call('sk-wrong', '') + call(gateway.key, 'connection: close\r\n'))
      expect([...got.matchAll(/HTTP\/1\.1 (\d+)/g)].map(([, status]) => status)).toEqual(['401', '200'])
    })

    test('a slow reader holds the upstream back instead of filling the memory', async () => {
      const event = `event: ping\ndata: ${JSON.stringify({ type: 'ping', pad: 'x'.repeat(60_000) })}\n\n`
      let sent = 0
      upstream.answer(() => ({
        chunks: Array.from({ length: 800 }, () => {
          sent += 1
          return event
        }),
      }))
      const before = gateway.process.pid
      const socket = connect(Number(new URL(gateway.url).port), '127.0.0.1')
      socket.pause()
      const ask = JSON.stringify({ ...ASK, stream: true })
      socket.write(
        `POST /v1/messages HTTP/1.1\r\nhost: x\r\nx-api-key: ${gateway.key}\r\ncontent-length: ${ask.length}\r\n\r\n${ask}`,
      )
      const { residentBytes } = await import('../bench/measure.ts')
      const start = residentBytes(before ?? 0)
      await new Promise((resolve) => setTimeout(resolve, 1_500))
      // 48 MB are ready to come; what the gateway holds of it is bounded.
      expect(sent).toBe(800)
      expect(residentBytes(before ?? 0) - start).toBeLessThan(20_000_000)
      socket.destroy()
      await expect.poll(() => upstream.requests.at(-1)?.aborted).toBe(true)
    })
  })

  test('200 streams at once, some given up, each get only their own bytes', async () => {
    upstream.answer(({ body }) => {
      const tag = /tag-\d+/.exec(body.toString())?.[0] ?? ''
      return {
        chunks: messageStream({ text: Array.from({ length: 5 }, () => `${tag} `) }).flatMap((frame) => [
          frame,
          2,
        ]),
      }
    })
    await Promise.all(
      Array.from({ length: 200 }, async (_, i) => {
        const stop = new AbortController()
        const tag = `tag-${10_000 + i}`
        const ask = { ...ASK, stream: true, messages: [{ role: 'user', content: tag }] }
        const answer = await gateway.send(ask, { signal: stop.signal })
        let text = ''
        try {
          for await (const chunk of answer.body ?? []) {
            text += Buffer.from(chunk)
            if (i % 7 === 0) stop.abort()
          }
        } catch {
          // Given up on purpose.
        }
        const others = [...text.matchAll(/tag-\d+/g)].filter(([found]) => found !== tag)
        expect(others).toEqual([])
        if (i % 7 !== 0) expect([...text.matchAll(/tag-/g)]).toHaveLength(5)
      }),
    )
  })

  test('repeated and unknown anthropic headers travel, hop-by-hop and private ones do not', async () => {
    upstream.answer({ headers: JSON_TYPE, chunks: [messageJson()] })
    await gateway.send(ASK, {
      headers: {
        'anthropic-beta': 'a-1,b-2',
        'anthropic-new-thing': 'yes',
        'anthropic-workspace-id': 'ours',
        'x-stainless-lang': 'js',
        'x-claude-code-session-id': 's-1',
        'x-forwarded-for': '1.2.3.4',
        'x-team': 'blue',
        'accept-encoding': 'gzip, br',
        'user-agent': 'claude-cli/2.1.330',
      },
    })
    const { headers } = upstream.requests.at(-1) ?? { headers: {} }
    expect(headers).toMatchObject({
      'anthropic-beta': 'a-1,b-2',
      'anthropic-new-thing': 'yes',
      'anthropic-version': '2023-06-01',
      'x-stainless-lang': 'js',
      'x-claude-code-session-id': 's-1',
      'accept-encoding': 'identity',
      'user-agent': 'claude-cli/2.1.330',
      'x-api-key': 'upstream-key-of-a',
    })
    for (const name of ['authorization', 'anthropic-workspace-id', 'x-forwarded-for', 'x-team', 'cookie']) {
      expect(headers).not.toHaveProperty(name)
    }
  })
})

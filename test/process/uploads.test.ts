import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { gzipSync } from 'node:zlib'
import { afterEach, describe, expect, test } from 'vitest'
import { apiKeys } from '../../core/db/schema.ts'
import { startApp } from '../support/app.ts'
import { startGateway, type TestGateway } from '../support/gateway.ts'
import { statusesOf } from '../support/raw.ts'
import { type FakeUpstream, messageStream, startUpstream } from '../support/upstream.ts'

const MB = 2 ** 20
const BODY = JSON.stringify({
  model: 'claude-opus-5-5',
  max_tokens: 5,
  stream: true,
  messages: [{ role: 'user', content: 'hi' }],
})

describe('uploads', () => {
  const open: { stop(): Promise<unknown> }[] = []
  const sockets: Socket[] = []
  afterEach(async () => {
    for (const socket of sockets.splice(0)) socket.destroy()
    for (const one of open.splice(0)) await one.stop()
  })
  const started = async (limits: object): Promise<{ gateway: TestGateway; upstream: FakeUpstream }> => {
    const upstream = await startUpstream()
    const gateway = await startGateway({ backends: [{ name: 'a', url: upstream.url }], limits })
    open.push(gateway, upstream)
    return { gateway, upstream }
  }
  /** Sends a head and the beginning of a body; `got()` is all that came back so far. */
  const begin = async (
    gateway: TestGateway,
    given: { key?: string; length?: number; body?: string; path?: string; lines?: string[] },
  ) => {
    const { key = gateway.key, length = 1_000, body = '', path = '/v1/messages', lines = [] } = given
    const socket = connect(Number(new URL(gateway.url).port), '127.0.0.1')
    sockets.push(socket)
    socket.on('error', () => {})
    let got = ''
    socket.on('data', (data) => {
      got += data
    })
    await once(socket, 'connect')
    const head = [
      `POST ${path} HTTP/1.1`,
      'host: a',
      `x-api-key: ${key}`,
      `content-length: ${length}`,
      ...lines,
    ]
    socket.write(`${head.join('\r\n')}\r\n\r\n${body}`)
    return { socket, got: () => got, statuses: () => statusesOf(got) }
  }

  test('a body that nobody may send is not waited for', async () => {
    const { gateway, upstream } = await started({})
    const upload = await begin(gateway, { key: 'sk-unknown', length: 30 * MB })
    await expect.poll(upload.statuses).toEqual([401])
    // Nobody would be told if the connection stayed open for a body that does not come.
    await once(upload.socket, 'close')
    expect(upstream.requests).toEqual([])
  })

  test('with one call at once, a second body is not read while the first is coming or is answered', async () => {
    const { gateway, upstream } = await started({ concurrent_requests: 1 })
    const ended = Promise.withResolvers<void>()
    const [first = '', ...rest] = messageStream()
    upstream.answer({ chunks: [first, ended.promise, ...rest] })
    const one = await begin(gateway, { length: BODY.length, body: BODY.slice(0, 10) })
    const refused = async () => {
      const other = await begin(gateway, { length: 30 * MB })
      await expect.poll(other.statuses).toEqual([429])
      expect(other.got()).toContain('"rate_limit_error"')
      expect(other.got()).toMatch(/\r\nretry-after: 1\r\n/i)
    }
    await expect.poll(() => refused().then(() => true)).toBe(true)
    const counting = await begin(gateway, { length: 2, body: '{}', path: '/v1/messages/count_tokens' })
    await expect.poll(counting.statuses).toEqual([400])
    one.socket.write(BODY.slice(10))
    await expect.poll(one.statuses).toEqual([200])
    await refused()
    ended.resolve()
    await expect.poll(one.got).toContain('message_stop')
    const next = await gateway.send(BODY)
    expect(next.status).toBe(200)
    await next.text()
  })

  test('with a call a minute, a second body is not read', async () => {
    const { gateway } = await started({ requests_per_minute: 1 })
    await (await gateway.send(BODY)).text()
    const other = await begin(gateway, { length: 30 * MB })
    await expect.poll(other.statuses).toEqual([429])
    const [, wait] = /\r\nretry-after: (\d+)\r\n/i.exec(other.got()) ?? []
    expect(Number(wait)).toBeGreaterThan(50)
  })

  test.each([
    ['/v1/messages', '"type":"overloaded_error"'],
    ['/v1/messages/count_tokens', '"type":"overloaded_error"'],
    ['/v1/chat/completions', '"code":"overloaded"'],
    ['/v1/responses', '"code":"overloaded"'],
  ])('of one person have a quarter of the memory for bodies on %s', async (path, said) => {
    const { gateway } = await started({ body_memory: '8MB' })
    const held = await begin(gateway, { length: 2 * MB, path })
    const another = await gateway.newKey()
    await expect
      .poll(async () => {
        const refused = await begin(gateway, { length: 1, path })
        await once(refused.socket, 'data')
        return refused.got()
      })
      .toMatch(/^HTTP\/1.1 503 .*\r\nretry-after: 2\r\n/is)
    const refused = await begin(gateway, { length: 1, path })
    await expect.poll(refused.got).toContain(said)
    await expect.poll(async () => (await gateway.db.select().from(apiKeys)).length).toBe(2)
    await expect.poll(async () => (await gateway.send(BODY, { key: another.secret })).status).toBe(200)
    held.socket.destroy()
    await expect.poll(async () => (await gateway.send(BODY)).status).toBe(200)
  })

  test('without a length are counted as they come', async () => {
    const { gateway } = await started({ body_memory: '8MB' })
    const held = await begin(gateway, { length: MB })
    const growing = await begin(gateway, { lines: [] })
    growing.socket.destroy()
    const piece = `${(64 * 1024).toString(16)}\r\n${' '.repeat(64 * 1024)}\r\n`
    const socket = connect(Number(new URL(gateway.url).port), '127.0.0.1')
    sockets.push(socket)
    socket.on('error', () => {})
    socket.write(
      `POST /v1/messages HTTP/1.1\r\nhost: a\r\nx-api-key: ${gateway.key}\r\ntransfer-encoding: chunked\r\n\r\n`,
    )
    for (let i = 0; i < 20; i++) socket.write(piece)
    const [answer] = await once(socket, 'data')
    expect(String(answer)).toMatch(/^HTTP\/1.1 503 /)
    held.socket.destroy()
  })

  test('of batches are counted by the longest of their requests', async () => {
    const { gateway } = await started({ body_memory: '8MB' })
    const held = await begin(gateway, { length: MB })
    const one = (id: string, bytes: number) =>
      `{"custom_id":"${id}","params":${BODY.replace('hi', 'x'.repeat(bytes))}}`
    const lines = ['content-type: application/json']
    const upload = { length: 9 * MB, path: '/v1/messages/batches', lines }
    const small = Array.from({ length: 30 }, (_, i) => one(`r-${i}`, 64 * 1024))
    const many = await begin(gateway, { ...upload, body: `{"requests":[${small.join()},` })
    const large = await begin(gateway, { ...upload, body: `{"requests":[${one('r', 1.5 * MB)}` })
    await expect.poll(large.statuses).toEqual([503])
    expect(many.statuses()).toEqual([])
    held.socket.destroy()
  })

  test('that are compressed are counted as they grow', async () => {
    const { gateway } = await started({ body_memory: '8MB' })
    const held = await begin(gateway, { length: MB })
    const batch = JSON.stringify({ requests: [{ custom_id: 'a', params: JSON.parse(BODY) }] })
    const sent = async (path: string, body: string) => {
      const headers = { 'content-encoding': 'gzip' }
      return (await gateway.send(gzipSync(body.padEnd(1.5 * MB)), { path, headers })).status
    }
    await expect.poll(() => sent('/v1/messages', BODY)).toBe(503)
    expect(await sent('/v1/messages/batches', batch)).toBe(503)
    held.socket.destroy()
    await expect.poll(() => sent('/v1/messages', BODY)).toBe(200)
    expect(await sent('/v1/messages/batches', batch)).toBe(200)
  })

  test('are asked for only when they may come, where the client wants to be asked', async () => {
    const { gateway } = await started({})
    const expecting = { length: BODY.length, lines: ['expect: 100-continue'] }
    const refused = await begin(gateway, { ...expecting, key: 'sk-unknown' })
    await once(refused.socket, 'close')
    expect(refused.statuses()).toEqual([401])
    const allowed = await begin(gateway, expecting)
    await expect.poll(allowed.statuses).toEqual([100])
    allowed.socket.write(BODY)
    await expect.poll(allowed.statuses).toEqual([100, 200])
    await expect.poll(allowed.got).toContain('message_stop')
    const again = [`POST /v1/messages HTTP/1.1`, 'host: a', `x-api-key: ${gateway.key}`]
    allowed.socket.write(`${again.join('\r\n')}\r\ncontent-length: ${BODY.length}\r\n\r\n${BODY}`)
    await expect.poll(allowed.statuses).toEqual([100, 200, 200])
    const closing = await begin(gateway, { ...expecting, lines: [...expecting.lines, 'connection: close'] })
    await expect.poll(closing.statuses).toEqual([100])
    closing.socket.write(BODY)
    await once(closing.socket, 'close')
    expect(closing.got()).toMatch(/\r\nconnection: close\r\n[\s\S]*message_stop/i)
  })
})

test('an upload that stands still is given up, one that goes on slowly is not', async () => {
  const app = await startApp()
  const ann = await app.signIn('ann')
  const { key } = (await ann.post('/api/keys', { name: 'x' })).body.key
  const upload = (path: string, headers: Record<string, string>) => {
    let body: ReadableStreamDefaultController<Uint8Array> | undefined
    const stream = new ReadableStream<Uint8Array>({
      start(controller) {
        body = controller
      },
    })
    const init = { method: 'POST', headers, body: stream, duplex: 'half' } as RequestInit // Node knows duplex
    const answer = app.request(path, init)
    const more = async () => {
      body?.enqueue(new TextEncoder().encode(' '))
      // It is read by now, however long the way to the body took: only then does the clock go on.
      await expect.poll(() => body?.desiredSize).toBe(1)
      await new Promise(setImmediate)
    }
    return { answer, more }
  }
  const form = {
    'content-type': 'application/json',
    host: 'gateway.test',
    origin: 'http://gateway.test',
    cookie: [...ann.cookies].map(([name, value]) => `${name}=${value}`).join('; '),
  }
  const uploads = [
    upload('/v1/messages', { 'x-api-key': key }),
    upload('/v1/chat/completions', { 'x-api-key': key }),
    upload('/api/keys', form),
    upload('/api/auth/login', form),
  ]
  for (let i = 0; i < 5; i++) {
    for (const { more } of uploads) await more()
    app.clock.advance(29_999)
  }
  app.clock.advance(1)
  for (const { answer } of uploads) {
    const { status, headers, text } = await answer
    expect([status, headers.get('connection')]).toEqual([408, 'close'])
    expect(text).toMatch(/upload_stalled|timeout/)
  }
  // What they held is free again.
  expect((await ann.get('/api/auth/me')).status).toBe(200)
  await app.close()
})

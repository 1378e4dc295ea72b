import { once } from 'node:events'
import { type AddressInfo, connect, createServer } from 'node:net'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startGateway, type TestGateway } from '../support/gateway.ts'
import { type FakeUpstream, messageStream, startUpstream } from '../support/upstream.ts'

const MOST_BYTES = 64 * 1024

describe('bodies on a socket', () => {
  let upstream: FakeUpstream
  let gateway: TestGateway
  beforeAll(async () => {
    upstream = await startUpstream()
    gateway = await startGateway({
      backends: [{ name: 'a', url: upstream.url }],
      limits: { max_body_bytes: MOST_BYTES },
    })
  })
  afterAll(async () => {
    await gateway?.stop()
    await upstream?.stop()
  })
  /** A connection on which the head of a call was sent. */
  const begun = async (framing: string) => {
    const { hostname, port } = new URL(gateway.url)
    const socket = connect(Number(port), hostname)
    socket.on('error', () => {})
    await once(socket, 'connect')
    const head = ['POST /v1/messages HTTP/1.1', `host: ${hostname}`, `x-api-key: ${gateway.key}`, framing]
    socket.write(`${head.join('\r\n')}\r\n\r\n`)
    return socket
  }

  test('a client that leaves before its body is whole is no error, and nothing is sent on', async () => {
    for (const framing of ['content-length: 1000', 'transfer-encoding: chunked']) {
      const socket = await begun(framing)
      socket.write(framing.startsWith('content') ? '{"model":' : '9\r\n{"model":\r\n')
      await new Promise((resolve) => setTimeout(resolve, 50))
      socket.destroy()
    }
    // The next call is answered after both were heard of.
    await new Promise((resolve) => setTimeout(resolve, 100))
    expect((await fetch(`${gateway.url}/healthz`)).status).toBe(200)
    expect(gateway.output()).not.toContain('request.failed')
    expect(upstream.requests).toEqual([])
  })

  test('a body in very many tiny pieces is refused, because each keeps everybody waiting', async () => {
    const socket = await begun('transfer-encoding: chunked')
    socket.write('1\r\n \r\n'.repeat(20_000))
    const [answer] = await once(socket, 'data')
    expect(String(answer)).toMatch(/^HTTP\/1.1 400 .*too many pieces/s)
    socket.destroy()
  })

  test('a body in many short pieces arrives as it was sent', async () => {
    const socket = await begun('transfer-encoding: chunked\r\nconnection: close')
    const text = ask('é'.repeat(20_000))
    const bytes = Buffer.from(text)
    const lengths = [1, 7, 4_096, 300, 2]
    for (let at = 0, turn = 0; at < bytes.length; turn++) {
      const piece = bytes.subarray(at, at + (lengths[turn % lengths.length] ?? 1))
      socket.write(
        Buffer.concat([Buffer.from(`${piece.length.toString(16)}\r\n`), piece, Buffer.from('\r\n')]),
      )
      at += piece.length
    }
    socket.write('0\r\n\r\n')
    await once(socket, 'data')
    socket.destroy()
    expect(String(upstream.requests.pop()?.body)).toBe(text)
  })

  test('a body without a length is refused as soon as it is too long', async () => {
    const socket = await begun('transfer-encoding: chunked')
    const [line] = [`${(16 * 1024).toString(16)}\r\n${' '.repeat(16 * 1024)}\r\n`]
    for (let i = 0; i < 5; i++) socket.write(line)
    const [answer] = await once(socket, 'data')
    expect(String(answer)).toMatch(/^HTTP\/1.1 413 /)
    socket.destroy()
    expect(upstream.requests).toEqual([])
  })
})

const ask = (text: string) =>
  JSON.stringify({
    model: 'claude-opus-5-5',
    max_tokens: 9,
    stream: true,
    messages: [{ role: 'user', content: text }],
  })

describe('the body of a call whose answer has begun', () => {
  test.each(['/v1/messages', '/v1/chat/completions'])(
    'is no longer held at %s, so that many open streams leave room for more',
    async (path) => {
      const upstream = await startUpstream()
      const gateway = await startGateway({
        backends: [{ name: 'a', url: upstream.url }],
        limits: { max_body_bytes: 2 ** 20, body_memory: 8 * 2 ** 20 },
      })
      upstream.answer({ chunks: messageStream().slice(0, 3), end: 'hang' })
      const body = ask('x'.repeat(900_000))
      for (let i = 0; i < 12; i++) {
        const answer = await gateway.send(body, { path })
        expect(answer.status).toBe(200)
        const reader = answer.body?.getReader()
        expect((await reader?.read())?.done).toBe(false)
      }
      await gateway.stop()
      await upstream.stop()
    },
    30_000,
  )

  test('arrives as it was sent, also at an upstream that answers before it has read it', async () => {
    const arrived = Promise.withResolvers<string>()
    const mayRead = Promise.withResolvers<void>()
    const hasty = createServer((socket) => {
      socket.once('data', async (head) => {
        socket.pause()
        socket.write('HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n')
        socket.write(messageStream()[0] ?? '')
        await mayRead.promise
        let text = head.toString('latin1')
        const from = text.indexOf('\r\n\r\n') + 4
        const length = Number(/content-length: (\d+)/i.exec(text)?.[1])
        socket.on('data', (chunk) => {
          text += chunk.toString('latin1')
          if (text.length < from + length) return
          arrived.resolve(text.slice(from))
          socket.end(messageStream().slice(1).join(''))
        })
        socket.resume()
      })
    }).listen(0, '127.0.0.1')
    await once(hasty, 'listening')
    const { port } = hasty.address() as AddressInfo // it listens on TCP
    const gateway = await startGateway({
      backends: [{ name: 'a', url: `http://127.0.0.1:${port}`, models: ['claude-opus-5-5'] }],
      limits: { max_body_bytes: 64 * 2 ** 20 },
    })
    const body = ask(Array.from({ length: 400_000 }, (_, i) => `line ${i} of many`).join(' '))
    const answer = await gateway.send(body)
    const reading = answer.text()
    mayRead.resolve()
    expect((await arrived.promise) === body).toBe(true)
    expect(await reading).toBe(messageStream().join(''))
    await gateway.stop()
    hasty.close()
  }, 30_000)
})

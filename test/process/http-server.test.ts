import { once } from 'node:events'
import { connect } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { startGateway, type TestGateway } from '../support/gateway.ts'
import { sendRaw, statusesOf } from '../support/raw.ts'
import { type FakeUpstream, messageStream, startUpstream } from '../support/upstream.ts'

const BODY = '{"model":"claude-opus-5-5","max_tokens":5,"messages":[{"role":"user","content":"hi"}]}'
let upstream: FakeUpstream
let gateway: TestGateway
beforeAll(async () => {
  upstream = await startUpstream()
  gateway = await startGateway({ backends: [{ name: 'a', url: upstream.url }] })
})
afterAll(async () => {
  await gateway?.stop()
  await upstream?.stop()
})
beforeEach(() => upstream.reset())

const lines = (...all: string[]) => `${all.join('\r\n')}\r\n\r\n`
const sized = `content-length: ${BODY.length}`
const chunked = `${BODY.length.toString(16)}\r\n${BODY}\r\n0\r\n\r\n`

/** What chunks hold (https://www.rfc-editor.org/rfc/rfc9112#section-7.1), up to the last. */
const unchunked = (text: string): string => {
  const [, size = '', rest = ''] = /^([0-9a-f]+)\r\n([\s\S]*)$/.exec(text) ?? []
  const length = Number.parseInt(size, 16)
  return length > 0 ? rest.slice(0, length) + unchunked(rest.slice(length + 2)) : ''
}

test.each([
  ['two hosts', () => lines('GET /healthz HTTP/1.1', 'host: a', 'host: b')],
  ['one host twice', () => lines('GET /healthz HTTP/1.1', 'host: a', 'Host: a')],
  ['two hosts, in HTTP/1.0', () => lines('GET /healthz HTTP/1.0', 'host: a', 'host: b')],
  ['an empty host', () => lines('GET /healthz HTTP/1.1', 'host:')],
  ['no host', () => lines('GET /healthz HTTP/1.1')],
  ['an absolute target', () => lines('GET http://a/healthz HTTP/1.1', 'host: a')],
  ['an absolute target of another host', () => lines('GET https://b/healthz HTTP/1.1', 'host: a')],
  ['an absolute target, in HTTP/1.0', () => lines('GET http://a/healthz HTTP/1.0')],
  ['a target that is no path', () => lines('OPTIONS * HTTP/1.1', 'host: a')],
  [
    'two hosts and a call',
    () =>
      lines('POST /v1/messages HTTP/1.1', 'host: a', 'host: b', `x-api-key: ${gateway.key}`, sized) + BODY,
  ],
  [
    'chunks in HTTP/1.0',
    () =>
      lines(
        'POST /v1/messages HTTP/1.0',
        'host: a',
        `x-api-key: ${gateway.key}`,
        'transfer-encoding: chunked',
      ) + chunked,
  ],
  [
    'a length and chunks in HTTP/1.0',
    () =>
      lines('POST /v1/messages HTTP/1.0', `x-api-key: ${gateway.key}`, sized, 'transfer-encoding: chunked') +
      chunked,
  ],
])('a request with %s is refused, and its connection closed', async (_what, request) => {
  // What stands behind it in the same bytes must not be taken for a request.
  const got = await sendRaw(gateway.url, request() + lines('GET /healthz HTTP/1.1', 'host: a'))
  expect(statusesOf(got)).toEqual([400])
  expect(got.toLowerCase()).toContain('connection: close')
  expect(upstream.requests).toEqual([])
})

test('health checks of load balancers come in HTTP/1.0 without a host, and are answered', async () => {
  for (const path of ['/healthz', '/readyz']) {
    for (const host of [[], ['host: x'], ['host:']]) {
      const got = await sendRaw(gateway.url, lines(`GET ${path} HTTP/1.0`, ...host))
      expect(statusesOf(got)).toEqual([200])
      expect(got.toLowerCase()).toContain('connection: close')
    }
  }
  expect(statusesOf(await sendRaw(gateway.url, lines('HEAD /api/hello HTTP/1.0')))).toEqual([200])
})

test('calls in HTTP/1.0 are answered like all others', async () => {
  const head = ['POST /v1/messages HTTP/1.0', `x-api-key: ${gateway.key}`, 'content-type: application/json']
  const got = await sendRaw(gateway.url, lines(...head, sized) + BODY)
  expect(statusesOf(got)).toEqual([200])
  expect(got).toContain('"type":"message"')
  expect(got).not.toContain('transfer-encoding')
})

test('two streams that are asked for at once on one connection come whole, one after the other', async () => {
  const first = messageStream({ text: ['one', 'by', 'one'] })
  const second = messageStream({ text: ['and', 'another'] })
  // Either may reach the upstream before the other. The first is still waited for when the second is there.
  upstream.answer(({ body }) =>
    body.includes('first') ? { chunks: [100, ...first.flatMap((event) => [event, 20])] } : { chunks: second },
  )
  const call = (text: string) => {
    const body = JSON.stringify({
      model: 'claude-opus-5-5',
      stream: true,
      max_tokens: 5,
      messages: [{ role: 'user', content: text }],
    })
    const head = [
      'POST /v1/messages HTTP/1.1',
      'host: a',
      `x-api-key: ${gateway.key}`,
      `content-length: ${body.length}`,
    ]
    return lines(...head) + body
  }
  const got = await sendRaw(gateway.url, call('first') + call('second'), 1_000)
  expect(statusesOf(got)).toEqual([200, 200])
  const bodies = got.split(/HTTP\/1\.1 200[\s\S]*?\r\n\r\n/).slice(1)
  expect(bodies.map(unchunked)).toEqual([first.join(''), second.join('')])
})

test('no change is taken from a client that names no host', async () => {
  const body = '{"itcode":"ann"}'
  const head = [
    'POST /api/auth/send-code HTTP/1.0',
    'origin: http://localhost',
    `content-length: ${body.length}`,
  ]
  expect(
    statusesOf(await sendRaw(gateway.url, lines(...head, 'content-type: application/json') + body)),
  ).toEqual([403])
})

test('a client that goes on sending what was refused reads its answer, and its next call comes on the same connection', async () => {
  const { hostname, port } = new URL(gateway.url)
  const socket = connect(Number(port), hostname)
  let got = ''
  socket.on('data', (data) => {
    got += data
  })
  const broke = once(socket, 'error').then(([cause]) => cause)
  const piece = 'x'.repeat(50_000)
  socket.write(
    lines(
      'POST /v1/messages HTTP/1.1',
      'host: a',
      'x-api-key: sk-none',
      `content-length: ${20 * piece.length}`,
    ),
  )
  for (let i = 0; i < 20; i++) {
    socket.write(piece)
    await Promise.race([sleep(60), broke])
  }
  socket.write(lines('GET /healthz HTTP/1.1', 'host: a', 'connection: close'))
  expect(await Promise.race([once(socket, 'close'), broke])).toEqual([false])
  expect(statusesOf(got)).toEqual([401, 200])
})

/** Interim answers of upstreams, on a socket of our own: no server library sends them like this. */
import { once } from 'node:events'
import { type AddressInfo, createServer } from 'node:net'
import { afterEach, expect, test } from 'vitest'
import { undiciUpstream } from '../../adapters/drivers/upstream/undici.ts'

const FINAL = 'HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 16\r\n\r\n'
/** What a body may quote without being taken for a head. */
const BODY = 'HTTP/1.1 100 ok!'
const CONTINUE = 'HTTP/1.1 100 Continue\r\n\r\n'
const HINTS = 'HTTP/1.1 103 Early Hints\r\ncontent-type: text/html\r\n\r\n'
const PROCESSING = 'HTTP/1.1 102 Processing\r\n\r\n'

const closing: (() => unknown)[] = []
afterEach(async () => {
  for (const close of closing.splice(0)) await close()
})

/** Calls a server that answers each request with these pieces, `times` over one connection. */
async function answers(pieces: readonly string[], times = 2) {
  let connections = 0
  const server = createServer((socket) => {
    connections += 1
    socket.setNoDelay(true)
    socket.on('error', () => {})
    socket.on('data', async () => {
      for (const piece of pieces) await new Promise((resolve) => socket.write(piece, resolve))
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const upstream = undiciUpstream()
  closing.push(
    () => upstream.close(),
    () => server.close(),
  )
  const seen = []
  for (let i = 0; i < times; i++) {
    const { port } = server.address() as AddressInfo // it listens on a port
    const reply = await upstream.send(
      { origin: `http://127.0.0.1:${port}`, method: 'GET', path: '/', headers: [], body: undefined },
      new AbortController().signal,
    )
    let text = ''
    await reply.pipe({
      write(chunk) {
        text += Buffer.from(chunk)
      },
    })
    seen.push({ status: reply.status, types: reply.headers.map(([, value]) => value), text })
  }
  return { seen, connections }
}
const right = { status: 200, types: ['application/json', '16'], text: BODY }

test.each([
  ['100', CONTINUE],
  ['100 twice', CONTINUE + CONTINUE],
  ['102', PROCESSING],
  ['103 with headers', HINTS],
  ['103, then 100', HINTS + CONTINUE],
  ['nothing', ''],
])('%s before the answer is dropped, and the connection goes on serving', async (_what, interim) => {
  expect(await answers([interim + FINAL + BODY])).toEqual({ seen: [right, right], connections: 1 })
})

test('wherever it is cut', async () => {
  const whole = CONTINUE + HINTS + FINAL + BODY
  for (let cut = 1; cut < whole.length; cut += 3) {
    expect((await answers([whole.slice(0, cut), whole.slice(cut)], 1)).seen).toEqual([right])
  }
  expect((await answers([...(CONTINUE + FINAL + BODY)], 2)).seen).toEqual([right, right])
})

test('a switch to another protocol, and a head without end, are failures', async () => {
  await expect(answers(['HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\n\r\n'])).rejects.toThrow()
  await expect(answers([`HTTP/1.1 100 Continue\r\nx: ${'x'.repeat(70_000)}`])).rejects.toThrow()
})

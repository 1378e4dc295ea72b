import { once } from 'node:events'
import { type AddressInfo, createServer } from 'node:net'
import { describe, expect, test } from 'vitest'
import { fetchUpstream } from '../../adapters/drivers/upstream/fetch.ts'
import { guardedLookup } from '../../adapters/drivers/upstream/lookup.ts'
import { undiciUpstream } from '../../adapters/drivers/upstream/undici.ts'
import { upstreamContract } from '../contracts/upstream.ts'
import { startUpstream } from '../support/upstream.ts'

upstreamContract('undici', undiciUpstream)
upstreamContract('fetch', fetchUpstream)

describe('a name that leads to', () => {
  const answerOf = (...addresses: string[]) =>
    new Promise((resolve) => {
      const look = guardedLookup((_name, _options, done) =>
        done(
          null,
          addresses.map((address) => ({ address, family: address.includes(':') ? 6 : 4 })),
        ),
      )
      look('backend.example', {}, (error, address) => resolve(error?.message ?? address))
    })

  test.each([
    ['169.254.169.254'],
    ['::ffff:169.254.169.254'],
    ['fe80::1'],
    ['fd00:ec2::254'],
    ['192.0.2.1', '169.254.0.1'],
  ])('G05: %s is not followed', async (...addresses) => {
    expect(await answerOf(...addresses)).toBe('backend.example leads to a link-local or metadata address')
  })

  test('any other address is', async () => {
    expect(await answerOf('192.0.2.1')).toBe('192.0.2.1')
    expect(await answerOf('2001:db8::1')).toBe('2001:db8::1')
  })
})

test('calls in turn share one connection, and one after a call that was given up has its own', async () => {
  const server = await startUpstream()
  const upstream = undiciUpstream()
  const request = {
    origin: server.url,
    method: 'GET',
    path: '/v1/models',
    headers: [],
    body: undefined,
  } as const
  const send = () => upstream.send({ ...request, headers: [] }, new AbortController().signal)
  for (let i = 0; i < 5; i++) await (await send()).pipe({ write() {} })
  expect(server.sockets()).toBe(1)
  const given = await send()
  given.cancel()
  await expect.poll(() => server.sockets()).toBeLessThanOrEqual(1)
  await (await send()).pipe({ write() {} })
  expect(server.sockets()).toBe(1)
  await upstream.close()
  await expect.poll(() => server.sockets()).toBe(0)
  await server.stop()
})

/** A server that closes its first connection, in one of two ways, so long (ms) after the second request on it. */
async function startCloser(close: 'destroy' | 'resetAndDestroy', afterMs: number) {
  let connections = 0
  const server = createServer((socket) => {
    connections += 1
    const isFirst = connections === 1
    let asked = 0
    socket.on('error', () => {})
    socket.on('data', () => {
      asked += 1
      if (isFirst && asked === 2) setTimeout(() => socket[close](), afterMs)
      else socket.write('HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok')
    })
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo // it listens on TCP
  const upstream = undiciUpstream()
  const request = { origin: `http://127.0.0.1:${port}`, method: 'POST', path: '/' } as const
  return {
    connections: () => connections,
    async send(text: string) {
      const sent = { ...request, headers: [], body: Buffer.from(text) }
      const reply = await upstream.send(sent, new AbortController().signal)
      await reply.pipe({ write() {} })
      return reply.status
    },
    async stop() {
      await upstream.close()
      server.close()
    },
  }
}

describe.each(['destroy', 'resetAndDestroy'] as const)(
  'a connection that its server closes (%s)',
  (close) => {
    test('just as a call comes is replaced by a new one', async () => {
      const closer = await startCloser(close, 0)
      expect([await closer.send('first'), await closer.send('second')]).toEqual([200, 200])
      expect(closer.connections()).toBe(2)
      await closer.stop()
    })

    test('after it has worked on the call for a while ends it, because it would work on it twice', async () => {
      const closer = await startCloser(close, 2_100)
      expect(await closer.send('first')).toBe(200)
      await expect(closer.send('second')).rejects.toThrow()
      expect(closer.connections()).toBe(1)
      await closer.stop()
    })
  },
)

test('a connection on which the body of an answered call is still going out serves no other call', async () => {
  const server = createServer((socket) => {
    socket.on('error', () => {})
    socket.once('data', (head) => {
      // A large body is answered before it is read, and is read by nobody.
      if (head.includes('/large')) socket.pause()
      socket.write('HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok')
    })
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo // it listens on TCP
  const upstream = undiciUpstream()
  const send = async (path: string, body: Uint8Array) => {
    const request = { origin: `http://127.0.0.1:${port}`, method: 'POST', path, body } as const
    const reply = await upstream.send({ ...request, headers: [] }, new AbortController().signal)
    await reply.pipe({ write() {} })
    return reply.status
  }
  expect(await send('/large', Buffer.alloc(64 * 1024 * 1024))).toBe(200)
  expect(await send('/small', Buffer.from('{}'))).toBe(200)
  await upstream.close()
  server.close()
})

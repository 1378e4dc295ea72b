/** Where channels may be, at the time of sending. */
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { fetchPost } from '../../adapters/drivers/notifier/fetch-post.ts'
import { nodePost } from '../../adapters/drivers/notifier/node-post.ts'

let asked: string[]
let server: ReturnType<typeof createServer>
let port: number

beforeEach(async () => {
  asked = []
  server = createServer((request, response) => {
    asked.push(request.url ?? '')
    if (request.url === '/redirect') response.writeHead(307, { location: '/elsewhere' }).end()
    else if (request.url === '/long') response.end('x'.repeat(1_000_000))
    else if (request.url !== '/silent') response.end('ok')
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  port = (server.address() as AddressInfo).port // it listens on a port
})
afterEach(() => {
  server.closeAllConnections()
  server.close()
})

const request = (url: string) => ({ url, headers: { 'content-type': 'application/json' }, body: '{}' })
describe.each([
  ['on Node and Lambda', nodePost],
  ['on Workers', fetchPost],
])('%s', (_, open) => {
  test('private addresses get nothing, unless the configuration allows them', async () => {
    await expect(open({ allowPrivate: false })(request(`https://127.0.0.1:${port}/`))).rejects.toThrow(
      'its address is refused: a public address is expected',
    )
    await expect(open({ allowPrivate: false })(request(`http://127.0.0.1:${port}/`))).rejects.toThrow(
      'its address is refused: an https address is expected',
    )
    expect(asked).toEqual([])
    expect(await open({ allowPrivate: true })(request(`http://127.0.0.1:${port}/`))).toEqual({
      status: 200,
      text: 'ok',
    })
  })

  test('redirects are not followed', async () => {
    const { status } = await open({ allowPrivate: true })(request(`http://127.0.0.1:${port}/redirect`))
    expect([status, asked]).toEqual([307, ['/redirect']])
  })

  test('of a long answer the beginning is read', async () => {
    const { text } = await open({ allowPrivate: true })(request(`http://127.0.0.1:${port}/long`))
    expect(text).toHaveLength(16_384)
  })
})

test('a name that leads to a private address when it is connected to gets nothing', async () => {
  const local: NonNullable<Parameters<typeof nodePost>[0]['resolve']> = (_name, _options, done) =>
    done(null, [
      { address: '8.8.8.8', family: 4 },
      { address: '127.0.0.1', family: 4 },
    ])
  const url = `https://rebound.test:${port}/`
  await expect(nodePost({ allowPrivate: false, resolve: local })(request(url))).rejects.toThrow(
    'its name leads to an address that is refused',
  )
  expect(asked).toEqual([])
})

test('without TLS a name must lead to a private address', async () => {
  const at = (address: string) =>
    nodePost({ allowPrivate: true, resolve: (_name, _options, done) => done(null, [{ address, family: 4 }]) })
  const url = `http://chat.corp.test:${port}/`
  await expect(at('8.8.8.8')(request(url))).rejects.toThrow('its name leads to an address that is refused')
  expect(await at('127.0.0.1')(request(url))).toEqual({ status: 200, text: 'ok' })
})

test('an error tells nothing of the address', async () => {
  const post = nodePost({ allowPrivate: true })
  const failed = await post(request('http://127.0.0.1:1/SECRET-TOKEN')).catch((cause: unknown) => cause)
  expect(String(failed)).toBe('Error: it cannot be reached (ECONNREFUSED)')
})

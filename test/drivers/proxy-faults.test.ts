/** What the log and the dashboard say of a connection that does not come about: a code for each thing that may be wrong. */
import { once } from 'node:events'
import { type AddressInfo, createServer } from 'node:net'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { undiciUpstream } from '../../adapters/drivers/upstream/undici.ts'
import { verdictOfFault } from '../../core/backends/network.ts'
import { startHttpProxy, startSocksProxy, type TestProxy } from '../support/proxies.ts'

let http: TestProxy
let socks: TestProxy
const upstream = undiciUpstream()
beforeAll(async () => {
  ;[http, socks] = await Promise.all([startHttpProxy(), startSocksProxy()])
  http.refuse()
  socks.refuse()
})
afterAll(async () => {
  await upstream.close()
  await Promise.all([http.stop(), socks.stop()])
})

/** What is said of a call through this proxy, to a name of nobody's. */
async function said(proxy: string) {
  const request = { origin: 'http://backend.invalid', proxy, method: 'POST' as const, path: '/', headers: [] }
  const sending = upstream.send({ ...request, body: Buffer.from('{}') }, new AbortController().signal)
  return verdictOfFault(await sending.catch((cause: unknown) => cause))
}
const network = (code: string) => ({ kind: 'account_unreachable', reason: `network error (${code})` })

test('a proxy that wants credentials, or refuses', async () => {
  expect(await said(`http://127.0.0.1:${http.port}`)).toEqual(network('PROXY_ANSWERED_407'))
  expect(await said(`socks5://ann:wrong@127.0.0.1:${socks.port}`)).toEqual(network('PROXY_REFUSED'))
})

test('a proxy that is gone', async () => {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo // it listens on TCP
  server.close()
  await once(server, 'close')
  for (const protocol of ['http', 'socks5'])
    expect(await said(`${protocol}://127.0.0.1:${port}`)).toEqual(network('ECONNREFUSED'))
})

test('a proxy that says nothing', async () => {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo // it listens on TCP
  const both = ['http', 'socks5'].map((protocol) => said(`${protocol}://127.0.0.1:${port}`))
  expect(await Promise.all(both)).toEqual([network('PROXY_TIMEOUT'), network('PROXY_TIMEOUT')])
  server.close()
}, 20_000)

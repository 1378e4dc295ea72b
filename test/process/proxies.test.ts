/** A backend behind the company's proxy. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startGateway, type TestGateway } from '../support/gateway.ts'
import { startHttpProxy, startSocksProxy, startTls, type TestProxy } from '../support/proxies.ts'
import { type FakeUpstream, messageJson, startUpstream } from '../support/upstream.ts'

const BODY = { model: 'claude-opus-5-5', max_tokens: 9, messages: [{ role: 'user', content: 'a secret' }] }

describe.each([
  ['HTTP CONNECT', 'http', startHttpProxy],
  ['SOCKS5', 'socks5', startSocksProxy],
] as const)('a backend behind a proxy by %s', (_name, scheme, startProxy) => {
  let upstream: FakeUpstream
  let tls: Awaited<ReturnType<typeof startTls>>
  let proxy: TestProxy
  let gateway: TestGateway
  beforeAll(async () => {
    upstream = await startUpstream()
    upstream.answer({ headers: { 'content-type': 'application/json' }, chunks: [messageJson()] })
    tls = await startTls(upstream.url)
    proxy = await startProxy()
    process.env.NODE_EXTRA_CA_CERTS = tls.ca
    gateway = await startGateway({
      backends: [{ name: 'a', url: tls.url, proxy: `${scheme}://ann:p%40ss@127.0.0.1:${proxy.port}` }],
    })
    delete process.env.NODE_EXTRA_CA_CERTS
  })
  afterAll(async () => {
    await gateway?.stop()
    await proxy?.stop()
    await tls?.stop()
    await upstream?.stop()
  })

  test('is reached through it, by its name and with its credentials, and the proxy reads nothing', async () => {
    expect((await gateway.send(BODY)).status).toBe(200)
    expect((await gateway.send(BODY)).status).toBe(200)
    const to = new URL(tls.url).host
    expect(new Set(proxy.asked.map((one) => JSON.stringify(one)))).toEqual(
      new Set([JSON.stringify({ to, user: 'ann:p@ss' })]),
    )
    expect(proxy.seen().length).toBeGreaterThan(500)
    for (const readable of ['a secret', 'HTTP/1.1', 'x-api-key']) expect(proxy.seen()).not.toContain(readable)
    expect(upstream.requests.filter(({ url }) => url.startsWith('/v1/messages'))).toHaveLength(2)
  })

  test('whose proxy refuses it counts as unreachable, and nothing says the password', async () => {
    proxy.refuse()
    await gateway.restart()
    const answer = await gateway.send(BODY)
    expect(answer.status).toBe(503)
    expect(await answer.text()).not.toContain('p%40ss')
    expect(gateway.output()).not.toMatch(/p%40ss|p@ss/)
  })
})

test('hosts in NO_PROXY are reached without it', async () => {
  const upstream = await startUpstream()
  upstream.answer({ headers: { 'content-type': 'application/json' }, chunks: [messageJson()] })
  const proxy = await startHttpProxy()
  process.env.NO_PROXY = 'example.test, 127.0.0.1'
  const gateway = await startGateway({
    backends: [{ name: 'a', url: upstream.url, proxy: `http://127.0.0.1:${proxy.port}` }],
  })
  delete process.env.NO_PROXY
  expect((await gateway.send(BODY)).status).toBe(200)
  expect(proxy.asked).toEqual([])
  await gateway.stop()
  await proxy.stop()
  await upstream.stop()
})

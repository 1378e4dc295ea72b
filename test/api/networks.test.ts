import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type App, startApp } from '../support/app.ts'
import { type FakeUpstream, startUpstream } from '../support/upstream.ts'

describe('calls are taken', () => {
  let upstream: FakeUpstream
  let app: App
  let free: string
  let bound: string
  beforeAll(async () => {
    upstream = await startUpstream()
    app = await startApp({
      backends: [{ name: 'a', url: upstream.url, api_key: 'k-of-a' }],
      access: { networks: ['10.0.0.0/8', '2001:db8::/32'] },
      server: { trusted_proxies: ['192.0.2.1'] },
    })
    const ann = await app.signIn('ann')
    const made = async (more: object) => (await ann.post('/api/keys', { name: 'x', ...more })).body.key.key
    free = await made({})
    bound = await made({ networks: ['10.1.0.0/16', '10.2.3.4'] })
  })
  afterAll(async () => {
    await app.close()
    await upstream.stop()
  })
  const from = async (peer: string, key: string, forwarded?: string) => {
    const headers = { 'x-api-key': key, ...(forwarded ? { 'x-forwarded-for': forwarded } : {}) }
    const { status, body } = await app.request('/v1/models', { peer, headers })
    return status === 403 ? [status, body.error.type, body.error.message] : [status]
  }
  const outside = (address: string) => [
    403,
    'permission_error',
    `Calls are not taken from ${address}. Use the company's network.`,
  ]

  test('from the networks of the configuration alone', async () => {
    expect(await from('10.9.9.9', free)).toEqual([200])
    expect(await from('::ffff:10.9.9.9', free)).toEqual([200])
    expect(await from('2001:db8::5', free)).toEqual([200])
    expect(await from('203.0.113.5', free)).toEqual(outside('203.0.113.5'))
  })

  test('and with a key that names networks, from those', async () => {
    expect([await from('10.1.2.3', bound), await from('10.2.3.4', bound)]).toEqual([[200], [200]])
    expect(await from('10.2.3.5', bound)).toEqual([
      403,
      'permission_error',
      'This API key may not be used from 10.2.3.5.',
    ])
  })

  test('by the address that a trusted proxy saw, not by one that the client wrote', async () => {
    expect(await from('192.0.2.1', bound, '10.1.2.3')).toEqual([200])
    expect(await from('192.0.2.1', free, '10.1.2.3, 203.0.113.5')).toEqual(outside('203.0.113.5'))
    expect(await from('203.0.113.5', free, '10.1.2.3')).toEqual(outside('203.0.113.5'))
  })
})

test.each(['10.1', '10.0.0.0/33', 'office', '10.0.0.0/8/8', '::/129', '10.0.0.0/'])(
  'a key is not bound to %s, which is no network',
  async (network) => {
    const app = await startApp()
    const ann = await app.signIn('ann')
    const { status, body } = await ann.post('/api/keys', { name: 'x', networks: [network] })
    expect([status, Object.keys(body.error.fields)]).toEqual([400, ['networks.0']])
    await app.close()
  },
)

import { describe, expect, test } from 'vitest'
import { networksOf } from '../../core/http/networks.ts'
import { addressGroup, clientAddress } from '../../functions/client-address.ts'
import { startApp } from '../support/app.ts'

const PROXIES = ['10.0.0.0/8', 'fd00::/8', '203.0.113.7']

describe('the address of a client', () => {
  test.each([
    ['is the peer when nobody is trusted', '198.51.100.1', '1.2.3.4', [], '198.51.100.1'],
    ['is the peer when the peer is no proxy of ours', '198.51.100.1', '1.2.3.4', PROXIES, '198.51.100.1'],
    ['is what our proxy saw', '10.1.2.3', '198.51.100.1', PROXIES, '198.51.100.1'],
    ['is not what the client wrote before', '10.1.2.3', '1.1.1.1, 198.51.100.1', PROXIES, '198.51.100.1'],
    [
      'is found behind two proxies',
      '10.1.2.3',
      '9.9.9.9, 198.51.100.1, 203.0.113.7',
      PROXIES,
      '198.51.100.1',
    ],
    ['is the proxy when it tells nothing', '10.1.2.3', undefined, PROXIES, '10.1.2.3'],
    ['is the proxy when it tells nonsense', '10.1.2.3', 'unknown', PROXIES, '10.1.2.3'],
    ['may be the last trusted one', '10.1.2.3', '10.9.9.9', PROXIES, '10.9.9.9'],
    ['is IPv4 also within IPv6', '::ffff:10.1.2.3', '::ffff:198.51.100.1', PROXIES, '198.51.100.1'],
    ['may be IPv6', 'fd00::1', '[2001:db8::1]', PROXIES, '2001:db8::1'],
    ['may come with a port', '10.1.2.3', '8.8.8.8:1234', PROXIES, '8.8.8.8'],
    ['may come with a port behind brackets', '10.1.2.3', '[2001:db8::1]:443', PROXIES, '2001:db8::1'],
    ['may come with ports all the way', '10.1.2.3', '8.8.8.8:1, 203.0.113.7:2', PROXIES, '8.8.8.8'],
    ['is the proxy when what it tells only looks like IPv6', '10.1.2.3', 'a:b:c', PROXIES, '10.1.2.3'],
    ['is the proxy when what it tells is no hexadecimal', '10.1.2.3', 'zz::1', PROXIES, '10.1.2.3'],
    ['is the proxy when what it tells is no IPv4', '10.1.2.3', '8.8.8.256', PROXIES, '10.1.2.3'],
  ])('%s', (_what, peer, forwarded, trusted, expected) => {
    const headers: [string, string][] = forwarded === undefined ? [] : [['x-forwarded-for', forwarded]]
    expect(clientAddress(peer, headers, networksOf(trusted))).toBe(expected)
  })

  test('counts by /64 for IPv6, by itself for IPv4', () => {
    expect(addressGroup('2001:db8:1:2:3:4:5:6')).toBe(addressGroup('2001:db8:1:2::'))
    expect(addressGroup('2001:db8:1:2::1')).not.toBe(addressGroup('2001:db8:1:3::1'))
    expect(addressGroup('192.0.2.1')).toBe('192.0.2.1')
    expect(addressGroup('')).toBe('')
    expect(addressGroup('a:b:c')).toBe('a:b:c')
  })

  test.each(['8.8.8.8:1234', '[2001:db8::1]:443', 'a:b:c', 'zz::1'])(
    'people sign in behind a proxy that forwards %s',
    async (forwarded) => {
      const app = await startApp({ server: { trusted_proxies: PROXIES } })
      const headers = { 'x-forwarded-for': forwarded }
      const answer = await app
        .browser()
        .post('/api/auth/send-code', { itcode: 'ann' }, { headers, peer: '10.1.2.3' })
      expect(answer.status).toBe(200)
      await app.close()
    },
  )
})

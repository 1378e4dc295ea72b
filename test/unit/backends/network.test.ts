import { describe, expect, test } from 'vitest'
import { originOf } from '../../../core/backends/address.ts'
import { accountKey, pairKey, partsOf } from '../../../core/backends/health-key.ts'
import { ConnectError, verdictOfFault } from '../../../core/backends/network.ts'

const coded = (code: unknown) => Object.assign(new Error('secret.internal:443'), { code })

describe('a fault of the network', () => {
  test('is named by the code of its innermost cause, and never by addresses', () => {
    const reasonOf = (cause: unknown) => verdictOfFault(cause).reason
    expect(reasonOf(new Error('secret', { cause: coded('ECONNRESET') }))).toBe('network error (ECONNRESET)')
    expect(reasonOf(new AggregateError([coded('ENETUNREACH'), coded('X')]))).toBe(
      'network error (ENETUNREACH)',
    )
    expect(reasonOf(new AggregateError([]))).toBe('network error (AggregateError)')
    expect(reasonOf(coded(5))).toBe('network error (Error)')
    expect(reasonOf(new TypeError('secret'))).toBe('network error (TypeError)')
    expect(reasonOf('secret')).toBe('network error')
  })

  test('while connecting says so, and what caused it', () => {
    const cause = new Error()
    expect(new ConnectError(cause)).toMatchObject({ name: 'ConnectError', message: 'no connection', cause })
  })

  test.each(['EMFILE', 'ENFILE', 'ENOBUFS', 'EADDRNOTAVAIL', 'ENOMEM', 'ENETUNREACH', 'ENETDOWN'])(
    'is this machine’s own for %s',
    (code) => {
      expect(verdictOfFault(coded(code)).kind).toBe('ours')
    },
  )

  test('in the middle of an exchange is the backend’s, as far as this process knows', () => {
    expect(verdictOfFault('x')).toEqual({ kind: 'pair_failed', reason: 'network error', fromNetwork: true })
  })
})

test.each([
  ['https://a.test', { origin: 'https://a.test', base: '' }],
  ['https://a.test:8443/relay/v2', { origin: 'https://a.test:8443', base: '/relay/v2' }],
])('%s is its origin and the path after it', (url, parts) => {
  expect(originOf(url)).toEqual(parts)
})

test('a key of health is that of an account or of a pair', () => {
  expect(partsOf(accountKey('a'))).toEqual({ backend: 'a', model: undefined })
  expect(partsOf(pairKey('a', 'claude opus'))).toEqual({ backend: 'a', model: 'claude opus' })
})

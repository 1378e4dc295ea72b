import { describe, expect, test } from 'vitest'
import { load, MINIMAL, problemsOf } from './settings.ts'

const BASE_DN = 'dc=corp,dc=test'
const NO_URL = 'an address such as ldaps://ldap.example.com is expected'
const IN_CLEAR = 'ldaps:// or start_tls is expected outside this machine, because passwords are sent'
const withDirectory = (ldap: object) => ({ ...MINIMAL, ldap: { base_dn: BASE_DN, ...ldap } })

describe('a directory', () => {
  test.each([
    { url: '', base_dn: '' },
    { url: 'ldaps://ldap.test' },
    { url: 'ldap://ldap.test', start_tls: true },
    { url: 'ldap://127.0.0.1:1389' },
    { url: 'ldap://127.8.0.1' },
    { url: 'ldap://localhost' },
    { url: 'ldap://[::1]' },
  ])('is taken: %j', (ldap) => {
    expect(load(withDirectory(ldap)).ldap).toMatchObject(ldap)
  })

  test.each([
    ['ldap://ldap.test', IN_CLEAR],
    ['ldap://127.0.0.1.evil.test', IN_CLEAR],
    ['ldap://localhost.evil.test', IN_CLEAR],
    ['ldap.test', NO_URL],
    ['ldap://', NO_URL],
    ['ldap://[', NO_URL],
    ['https://ldap.test', NO_URL],
  ])('is refused by one sentence: %s', (url, message) => {
    expect(problemsOf(withDirectory({ url }))).toEqual([{ path: 'ldap.url', message }])
  })

  test('says where people are looked for', () => {
    const message = 'where people are looked for is expected, such as dc=example,dc=com'
    expect(problemsOf(withDirectory({ url: 'ldaps://ldap.test', base_dn: '' }))).toEqual([
      { path: 'ldap.base_dn', message },
    ])
  })
})

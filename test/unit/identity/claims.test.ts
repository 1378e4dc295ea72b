import { describe, expect, test } from 'vitest'
import {
  claimAt,
  groupsIn,
  isAllowed,
  nameIn,
  roleIn,
  trustedAddress,
} from '../../../core/identity/claims.ts'
import { localPath } from '../../../core/identity/flow.ts'

const GOOGLE = 'https://accounts.google.com'

test('a claim is found by its name or by a JSON pointer', () => {
  const claims = {
    'https://corp.test/groups': ['a'],
    realm_access: { roles: ['b', 'c'] },
    'a/b': 1,
    'm~n': 2,
  }
  expect(claimAt(claims, 'https://corp.test/groups')).toEqual(['a'])
  expect(claimAt(claims, '/realm_access/roles')).toEqual(['b', 'c'])
  expect(claimAt(claims, '/realm_access/roles/1')).toBe('c')
  expect([claimAt(claims, '/a~1b'), claimAt(claims, '/m~0n')]).toEqual([1, 2])
  expect([
    claimAt(claims, '/realm_access/none'),
    claimAt(claims, '/a~1b/c'),
    claimAt(claims, 'toString'),
  ]).toEqual([undefined, undefined, undefined])
})

test.each([
  ['Okta: a list of names', { groups: ['a', 'b', 'a'] }, 'groups', ['a', 'b']],
  ['Keycloak: roles of the realm', { realm_access: { roles: ['x'] } }, '/realm_access/roles', ['x']],
  ['none at all', { groups: [] }, 'groups', []],
  ['a single one without a list', { groups: 'a' }, 'groups', ['a']],
  ['Entra: too many to list', { _claim_names: { groups: 'src1' } }, 'groups', undefined],
  ['Google: no such claim', { hd: 'corp.test' }, 'groups', undefined],
  ['what cannot be read', { groups: [{ id: 'a' }] }, 'groups', undefined],
  ['an empty text', { groups: '' }, 'groups', undefined],
  ['a provider that is not asked for groups', { groups: ['a'] }, '', undefined],
])('groups are read: %s', (_, claims, groupsClaim, expected) => {
  expect(groupsIn(claims, { groupsClaim })).toEqual(expected)
})

test('groups that are not known open nothing', () => {
  expect(isAllowed(undefined, { allowedGroups: [] })).toBe(true)
  expect(isAllowed(undefined, { allowedGroups: ['a'] })).toBe(false)
  expect(isAllowed(['b'], { allowedGroups: ['a'] })).toBe(false)
  expect(isAllowed(['b', 'a'], { allowedGroups: ['a'] })).toBe(true)
})

describe('the role', () => {
  const rules = { adminGroups: ['a'], billingGroups: ['b'], auditorGroups: [] }
  test.each([
    ['user', ['a'], 'admin'],
    ['user', ['b'], 'billing'],
    ['user', ['b', 'a'], 'admin'],
    ['admin', [], 'user'],
    ['admin', ['b'], 'billing'],
    // No groups are named for auditors: administrators make them here.
    ['auditor', [], 'auditor'],
    ['auditor', ['a'], 'auditor'],
  ] as const)('of a %s in %j is %s', (current, groups, expected) => {
    expect(roleIn(groups, rules, current)).toBe(expected)
  })

  test('is nothing that claims say where no groups are named', () => {
    const none = { adminGroups: [], billingGroups: [], auditorGroups: [] }
    expect([roleIn(['admin'], none, 'user'), roleIn([], none, 'admin')]).toEqual(['user', 'admin'])
  })
})

describe('an address is believed', () => {
  test.each([
    ['verified', { email: 'Ann@Corp.Test', email_verified: true }, 'https://okta.test', 'ann@corp.test'],
    [
      'verified, said in words',
      { email: 'a@corp.test', email_verified: 'true' },
      'https://okta.test',
      'a@corp.test',
    ],
    ['not verified', { email: 'a@corp.test', email_verified: false }, 'https://okta.test', undefined],
    ['Entra: says nothing', { email: 'a@corp.test' }, 'https://entra.test', undefined],
    ['of a trusted domain', { email: 'a@trusted.test' }, 'https://entra.test', 'a@trusted.test'],
    ['of one in Unicode', { email: 'a@公司.cn' }, 'https://entra.test', 'a@公司.cn'],
    ['of one with more behind it', { email: 'a@公司.cn/x' }, 'https://entra.test', undefined],
    ['as it is in ASCII', { email: 'a@xn--55qx5d.cn' }, 'https://entra.test', 'a@xn--55qx5d.cn'],
    ['below a trusted domain', { email: 'a@x.trusted.test' }, 'https://entra.test', undefined],
    [
      'Google, of its Workspace',
      { email: 'a@corp.test', email_verified: true, hd: 'corp.test' },
      GOOGLE,
      'a@corp.test',
    ],
    ['Google, of Gmail', { email: 'a@gmail.com', email_verified: true }, GOOGLE, 'a@gmail.com'],
    [
      'Google, of somebody who once had it',
      { email: 'a@corp.test', email_verified: true },
      GOOGLE,
      undefined,
    ],
    ['no address', { email: 'ann', email_verified: true }, 'https://okta.test', undefined],
    ['two in one', { email: 'a@b@trusted.test', email_verified: true }, 'https://okta.test', undefined],
  ])('%s', (_, claims, issuer, expected) => {
    expect(trustedAddress(claims, { trustEmailOf: ['trusted.test', '公司.cn'] }, issuer)).toBe(expected)
  })
})

test('people are called by their name, else by its parts, else as they sign in', () => {
  expect(nameIn({ name: 'Ann Lee', given_name: 'A' })).toBe('Ann Lee')
  expect(nameIn({ given_name: 'Ann', family_name: 'Lee' })).toBe('Ann Lee')
  expect(nameIn({ preferred_username: 'ann' })).toBe('ann')
  expect(nameIn({ name: ' ' })).toBeUndefined()
})

test('only a path of this site is gone to', () => {
  expect(['/', '/keys', '/usage?from=2026-01-01#x'].map(localPath)).toEqual([
    '/',
    '/keys',
    '/usage?from=2026-01-01#x',
  ])
  const others = [
    undefined,
    '',
    'keys',
    '//evil.test',
    '/\\evil.test',
    '/a\nb',
    '/a\\b',
    'https://evil.test',
    '/api/x',
  ]
  expect(others.map(localPath)).toEqual(others.map(() => '/'))
})

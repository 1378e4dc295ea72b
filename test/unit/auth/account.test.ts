import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import {
  accountName,
  assertUnmistakable,
  bareName,
  findAccount,
  findByName,
  mailAddress,
  mayRegister,
} from '../../../core/auth/account.ts'
import { sameSecret } from '../../../core/auth/keyed-hash.ts'
import type { AuthSettings } from '../../../core/settings.ts'
import { memoryStore, type OpenedStore } from '../../support/memory-store.ts'
import { refusalFrom } from '../../support/refusals.ts'
import { signInScene } from '../../support/sign-in.ts'

const auth = (given: Partial<AuthSettings> = {}) =>
  ({ emailDomain: '', allowedDomains: [], autoRegister: true, ...given }) as unknown as AuthSettings // what is read

describe('the spelling of a name', () => {
  test.each([
    ['ann', 'ann'],
    [' Ann.B_c+d-1 ', 'ann.b_c+d-1'],
    ['Ann@Example.COM', 'ann@example.com'],
    ['\uff41nn', 'ann'],
    ['张三', '张三'],
    ['ann@münchen.example', 'ann@xn--mnchen-3ya.example'],
    ['ann@XN--MNCHEN-3ya.example', 'ann@xn--mnchen-3ya.example'],
    [`${'a'.repeat(254)}`, `${'a'.repeat(254)}`],
  ])('of %j is %j', (typed, name) => {
    expect(accountName(typed)).toBe(name)
  })

  test.each([
    '',
    '   ',
    'a b',
    'ann@',
    '@example.com',
    'ann@@b',
    'ann@a..b',
    'a/b',
    'a"b',
    'a'.repeat(255),
    'x@a.',
    '!ann',
    'ann!',
  ])('is none of %j', (typed) => {
    const refusal = refusalFrom(() => accountName(typed))
    expect(refusal.code).toBe('invalid_input')
    expect(refusal.message).toContain('an account name or an e-mail address is expected')
  })
})

describe('a new name', () => {
  test.each([
    'ann',
    'ann.lee-2+x@example.com',
    'müller',
    '张三',
    'li张三',
    'たなか',
    '김철수',
    'ольга',
    'αλέξης',
    'ann1_2.3',
    '123',
  ])('may be %s', (name) => {
    expect(() => assertUnmistakable(name)).not.toThrow()
  })

  test.each([
    ['letters of two scripts', 'аnn'],
    ['Cyrillic that looks Latin', 'сора'],
    ['Greek that looks Latin', 'νορ'],
    ['Armenian that looks Latin', 'հօց'],
    ['a phonetic letter', 'ɑnn'],
    ['a dotless i', 'alıce'],
    ['Chinese beside Cyrillic', '张ж'],
    ['Japanese beside Korean', 'たな김'],
    ['a script that nobody uses every day', '𐌰𐌱'],
  ])('may not be %s', (_, name) => {
    const refusal = refusalFrom(() => assertUnmistakable(name))
    expect(refusal.code).toBe('invalid_input')
    expect(refusal.message).toContain('a name that cannot be taken for another one is expected')
  })

  test('is judged by its local part alone', () => {
    expect(() => assertUnmistakable('ann@сора.example')).not.toThrow()
    expect(() => assertUnmistakable('сора@example.com')).toThrow()
  })
})

describe('the mail address of a name', () => {
  test.each([
    ['ann', 'example.com', 'ann@example.com'],
    ['ann', '', 'ann'],
    ['ann', 'münchen.example', 'ann@xn--mnchen-3ya.example'],
    ['ann@other.com', 'example.com', 'ann@other.com'],
  ])('%s of a company at "%s" is %s', (name, emailDomain, address) => {
    expect(mailAddress(name, auth({ emailDomain }))).toBe(address)
  })

  test.each([
    ['ann@example.com', 'example.com', 'ann'],
    ['ann@xn--mnchen-3ya.example', 'münchen.example', 'ann'],
    ['ann@other.com', 'example.com', 'ann@other.com'],
    ['ann@my-example.com', 'example.com', 'ann@my-example.com'],
    ['ann@example.com', '', 'ann@example.com'],
    ['ann@', '', 'ann@'],
    ['ann', 'example.com', 'ann'],
  ])('%s of a company at "%s" has the name %s', (address, emailDomain, name) => {
    expect(bareName(address, auth({ emailDomain }))).toBe(name)
  })
})

describe('who may register', () => {
  test.each<[string, Partial<AuthSettings>, boolean]>([
    ['ann', {}, true],
    ['ann@any.example', {}, true],
    ['ann', { autoRegister: false }, false],
    ['ann+tag', {}, false],
    ['ann+tag@any.example', {}, false],
    ['ann@example.com', { allowedDomains: ['other.com', 'example.com'] }, true],
    ['ann@evil.example', { allowedDomains: ['example.com'] }, false],
    ['ann@xn--mnchen-3ya.example', { allowedDomains: ['münchen.example'] }, true],
    ['ann', { allowedDomains: ['example.com'] }, false],
    ['ann', { allowedDomains: ['example.com'], emailDomain: 'example.com' }, true],
  ])('%s with %j: %s', (name, given, may) => {
    expect(mayRegister(name, auth(given))).toBe(may)
  })
})

describe('the account of a name', () => {
  let store: OpenedStore
  beforeAll(async () => {
    store = await memoryStore()
  })
  afterAll(() => store.close())
  const found = async (names: string[], wanted: string, emailDomain = '') => {
    const { addUser } = await signInScene(store)
    for (const name of names) await addUser(name)
    return (await findAccount(store.db, auth({ emailDomain }), wanted))?.itcode
  }

  test.each([
    [['ann', 'bob'], 'bob', '', 'bob'],
    [['ann'], 'bob', '', undefined],
    [['ann@example.com'], 'ann', 'example.com', 'ann@example.com'],
    [['ann'], 'ann@example.com', 'example.com', 'ann'],
    [['ann'], 'ann@example.com', '', undefined],
    [['ann@example.com', 'ann'], 'ann', 'example.com', 'ann'],
    [['ann', 'ann@example.com'], 'ann@example.com', 'example.com', 'ann@example.com'],
  ])('of %j for %s (company at "%s") is %s', async (names, wanted, domain, expected) => {
    expect(await found(names, wanted, domain)).toBe(expected)
  })

  test('is found by either spelling of its domain, as old rows have it', async () => {
    const address = 'ann@xn--mnchen-3ya.example'
    expect(await found(['ann@münchen.example', 'anna@münchen.example'], address)).toBe('ann@münchen.example')
    expect(await findByName(store.db, [address, 'x'])).toHaveLength(1)
    expect(await findByName(store.db, ['an@xn--mnchen-3ya.example'])).toEqual([])
  })
})

test('two secrets are the same or not', async () => {
  expect([await sameSecret('k', 'a', 'a'), await sameSecret('k', 'a', 'b')]).toEqual([true, false])
})

import { describe, expect, test } from 'vitest'
import { knownPrices } from '../../../adapters/shared/tables.ts'
import { warningsOf } from '../../../config/warnings.ts'
import { BACKEND, load, MINIMAL, pathsOf, problemsOf, SECRET } from './settings.ts'

/** Nothing to warn of. */
const CLOSED = {
  server: { host: '127.0.0.1' },
  auth: {
    session_secret: SECRET,
    allowed_domains: ['corp.test'],
    admin_itcode: 'ada',
    send_code_url: 'https://mail.test/send',
  },
  backends: [BACKEND],
}
const VERTEX = {
  name: 'vertex',
  type: 'vertex',
  project: 'p',
  credentials: 'platform',
  models: ['claude-opus-5-5'],
}
const pathsWith = (settings: object, more: { hasAdmin?: boolean; listens?: boolean } = {}) => {
  const config = load({ ...CLOSED, ...settings })
  return warningsOf(config, { ...knownPrices(config), listens: true, ...more }).map(({ path }) => path)
}
const auth = (change: object) => ({ auth: { ...CLOSED.auth, ...change } })

describe('a warning', () => {
  test.each<[string, object, string[]]>([
    ['nothing left open', {}, []],
    ['open registration without limits', auth({ allowed_domains: [] }), ['auth.auto_register']],
    ['an invite code', auth({ allowed_domains: [], invite_code: 'open sesame 7' }), []],
    ['no registration', auth({ allowed_domains: [], auto_register: false }), []],
    [
      'open registration with a budget',
      { ...auth({ allowed_domains: [] }), limits: { default_budget_usd: 20 } },
      [],
    ],
    [
      'open registration with a quota',
      { ...auth({ allowed_domains: [] }), limits: { default_quota_tokens: 20 } },
      [],
    ],
    ['metrics for everybody', { metrics: { port: 9464, host: '0.0.0.0' } }, ['metrics.token']],
    ['metrics on this machine', { metrics: { port: 9464 } }, []],
    ['metrics with a token', { metrics: { port: 9464, host: '::', token: 'a-token-of-a-scraper' } }, []],
    ['nobody named', auth({ admin_itcode: '' }), ['auth.admin_itcode']],
    ['codes in the log', auth({ send_code_url: '' }), ['auth.send_code_url']],
    ['mail', auth({ send_code_url: '', smtp: { host: 'mail.test', from: 'g@corp.test' } }), []],
    ['a public address', { server: { host: '0.0.0.0' } }, ['server.host']],
    ['the address of this machine in its network', { server: { host: '192.168.1.7' } }, ['server.host']],
    ['any address of IPv6', { server: { host: '::' } }, ['server.host']],
    ['loopback of IPv6', { server: { host: '::1' } }, []],
    [
      'a public address and plain http',
      { server: { host: '0.0.0.0', public_url: 'http://gateway.test:8080' } },
      ['server.host'],
    ],
    [
      'TLS by a proxy that is named',
      {
        server: { host: '0.0.0.0', public_url: 'https://gateway.test', trusted_proxies: ['10.0.0.0/8'] },
      },
      [],
    ],
    [
      'TLS by a proxy that is not',
      { server: { host: '0.0.0.0', public_url: 'https://gateway.test' } },
      ['server.trusted_proxies'],
    ],
    [
      'another port than the one that is listened on',
      { server: { host: '127.0.0.1', public_url: 'http://gateway.test' } },
      ['server.trusted_proxies'],
    ],
    ['Redis that nothing uses', { redis: { url: 'redis://cache.test' } }, ['redis.url']],
    ['Redis for health alone', { redis: { url: 'redis://cache.test' }, health: { store: 'redis' } }, []],
    [
      'sign-in by Feishu that cannot work',
      {
        server: { host: '127.0.0.1', public_url: 'http://127.0.0.1:8080' },
        secrets: { key: SECRET },
        feishu: { app_id: 'cli_1' },
      },
      ['feishu.app_secret'],
    ],
    [
      'sign-in by Feishu without a key for what it gives',
      {
        server: { host: '127.0.0.1', public_url: 'http://127.0.0.1:8080' },
        feishu: { app_id: 'cli_1', app_secret: 'a-secret-of-the-app' },
      },
      ['secrets.key'],
    ],
    [
      'a provider without groups beside one with them',
      {
        server: { host: '127.0.0.1', public_url: 'http://127.0.0.1:8080' },
        secrets: { key: SECRET },
        oidc: {
          providers: ['', 'groups', ''].map((groups_claim, i) => ({
            name: `p${i}`,
            issuer: `https://p${i}.test`,
            client_id: 'g',
            groups_claim,
          })),
        },
      },
      [],
    ],
    [
      'groups that two providers name',
      {
        server: { host: '127.0.0.1', public_url: 'http://127.0.0.1:8080' },
        secrets: { key: SECRET },
        oidc: {
          providers: ['', 'b:', '', 'b:'].map((groups_prefix, i) => ({
            name: `p${i}`,
            issuer: `https://p${i}.test`,
            client_id: 'g',
            groups_claim: 'groups',
            groups_prefix,
          })),
        },
      },
      ['oidc.providers.2.groups_prefix', 'oidc.providers.3.groups_prefix'],
    ],
    ['limits in the database', { limits: { store: 'database' } }, ['limits.store']],
    ['limits in memory, of several workers', { server: { host: '127.0.0.1', workers: 2 } }, []],
    [
      'replacements without a price',
      { model_replacements: { 'claude-3-*': 'claude-sonnet-5-5', fast: 'claude-nothing-9' } },
      ['model_replacements.fast'],
    ],
    [
      'a price of its own',
      {
        model_replacements: { fast: 'claude-nothing-9' },
        pricing: [
          {
            model: 'claude-nothing-9',
            input: 1,
            output: 1,
            cache_read: 1,
            cache_write_5m: 1,
            cache_write_1h: 1,
          },
        ],
      },
      [],
    ],
    [
      'models without a price that are offered',
      {
        models: {
          rules: [
            { match: 'claude-nothing-9', access: 'open' },
            { match: 'claude-nothing-8', access: 'approval' },
            { match: 'claude-nothing-7', access: 'closed' },
            { match: 'claude-*', access: 'open' },
          ],
        },
        backends: [{ ...BACKEND, models: ['claude-opus-5-5', 'claude-nothing-6', 'other-*'] }],
      },
      ['models.rules.0.match', 'models.rules.1.match', 'backends.0.models.1'],
    ],
    [
      'the tenth of a region, twice',
      { backends: [{ ...VERTEX, region: 'eu', price_multiplier: 1.1 }] },
      ['backends.0.price_multiplier'],
    ],
    ['a discount in a region', { backends: [{ ...VERTEX, region: 'eu', price_multiplier: 0.9 }] }, []],
    ['a tenth more everywhere', { backends: [{ ...VERTEX, region: 'global', price_multiplier: 1.1 }] }, []],
  ])('is given for %s', (_what, settings, paths) => {
    expect(pathsWith(settings)).toEqual(paths)
  })

  test('of no administrator is given while there is none', () => {
    expect(pathsWith(auth({ admin_itcode: '' }), { hasAdmin: true })).toEqual([])
    expect(pathsWith(auth({ admin_itcode: '' }), { hasAdmin: false })).toEqual(['auth.admin_itcode'])
  })

  test('of addresses is given only where the gateway listens itself', () => {
    expect(pathsWith({ server: { public_url: 'https://gateway.test' } }, { listens: false })).toEqual([])
  })

  test('where the gateway does not listen itself, figures are told nowhere, and that is said', () => {
    const settings = {
      metrics: { token: 'a-token-of-a-scraper' },
      otlp: { endpoint: 'http://localhost:4318' },
    }
    expect(pathsWith(settings, { listens: false })).toEqual(['metrics', 'otlp.endpoint'])
    expect(pathsWith(settings)).toEqual([])
  })

  test('never shows a secret', () => {
    const settings = {
      ...MINIMAL,
      auth: { session_secret: SECRET, send_code_url: '' },
      backends: [{ ...BACKEND, api_key: 'sk-ant-4711' }],
    }
    const text = JSON.stringify(warningsOf(load(settings), { hasPrice: () => false, listens: true }))
    expect(text).not.toMatch(new RegExp(`${SECRET}|4711`))
  })
})

describe('the address of a backend', () => {
  test.each([
    'https://api.anthropic.com/v1',
    'https://api.anthropic.com/v1/',
    'https://api.anthropic.com//v1//',
    'https://api.anthropic.com/V1',
    'https://api.anthropic.com/v1/messages',
    'https://api.anthropic.com/v1/messages/',
    'https://api.anthropic.com/v1/messages/count_tokens',
    'https://relay.test/claude/v1',
    'https://relay.test/v1/models',
    'https://relay.test/v1/chat/completions',
    'https://relay.test/v1/responses',
  ])('%s is refused, and what to write is said', (url) => {
    const [problem] = problemsOf({ ...MINIMAL, backends: [{ ...BACKEND, url }] })
    expect(problem).toEqual({
      path: 'backends.0.url',
      message:
        'an address without /v1 at its end is expected, such as https://api.anthropic.com: /v1/messages is put behind it',
    })
  })

  test.each([
    ['https://api.anthropic.com/', 'https://api.anthropic.com'],
    ['https://api.anthropic.com///', 'https://api.anthropic.com'],
    ['https://gateway.test/v1/account/name/anthropic', 'https://gateway.test/v1/account/name/anthropic'],
    ['https://relay.test/anthropic/', 'https://relay.test/anthropic'],
    ['https://relay.test/v10', 'https://relay.test/v10'],
    ['https://v1.relay.test', 'https://v1.relay.test'],
  ])('%s is taken', (url, taken) => {
    expect(load({ ...MINIMAL, backends: [{ ...BACKEND, url }] }).backends[0]?.url).toBe(taken)
    expect(pathsOf({ ...MINIMAL, backends: [{ ...BACKEND, url: `${url}?x` }] })).toEqual(['backends.0.url'])
  })
})

// biome-ignore-all lint/suspicious/noTemplateCurlyInString: that is how configuration refers to variables
import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { parse } from 'yaml'
import { configFromApiKey, loadConfig } from '../../../config/load.ts'
import { redacted } from '../../../config/redact.ts'
import { settingsFrom } from '../../../config/settings.ts'
import { warningsOf } from '../../../config/warnings.ts'
import { BACKEND, errorOf, load, MINIMAL, pathsOf, SECRET, withLeaf } from './settings.ts'

const OTHER_SECRET = 'Zp3vX8qLw2Nf7RkT1yHs5BdJ9mGc4UaE'
const PLACES = [
  ['auth', 'session_secret'],
  ['auth', 'invite_code'],
  ['database', 'auth_token'],
  ['backends', 0, 'api_key'],
] as const
const BASE = { ...MINIMAL, database: {} }

describe('a secret', () => {
  test.each([
    'change-me',
    'changeme',
    'CHANGE_ME_please',
    'your-api-key',
    'your_secret_here',
    'sk-ant-your-key',
    'sk-ant-xxx',
    'sk-ant-api03-XXXXXXXXXXXX',
    'sk-ant-...',
    'xxxx',
    'secret',
    'my-secret',
    'password',
    'placeholder',
    'example',
    '<your key>',
    '<KEY>',
    '${SESSION_SECRET}',
    '${ANTHROPIC_API_KEY}',
  ])('is not the placeholder %s, wherever it stands', (placeholder) => {
    const escaped = placeholder.replace('${', '$${')
    for (const path of PLACES) {
      for (const text of [
        escaped,
        `${escaped}${'-'.repeat(40)}`.slice(0, path[1] === 'session_secret' ? 99 : escaped.length),
      ]) {
        const error = errorOf(withLeaf(BASE, path, text))
        expect(error.problems.map((problem) => problem.path)).toContain(path.join('.'))
        expect(new Set(error.problems.map((problem) => problem.path)).size).toBe(1)
      }
    }
  })

  test.each(['sk-ant-test', 'sim-claude', 'key-of-good', 'upstream-key-of-failing', '0123456789'])(
    'of an upstream may be %s',
    (api_key) => {
      const config = load({ ...MINIMAL, backends: [{ ...BACKEND, api_key }] })
      expect(config.backends[0]?.api_key).toBe(api_key)
    },
  )

  test.each([
    ['empty', ''],
    ['of several lines', 'one\ntwo'],
    ['with a space', 'one two'],
    ['not ASCII', 'schlüssel'],
  ])('of an upstream is not %s', (_what, api_key) => {
    expect(pathsOf({ ...MINIMAL, backends: [{ ...BACKEND, api_key }] })).toEqual(['backends.0.api_key'])
  })

  test.each([
    ['missing', undefined],
    ['empty', ''],
    ['an empty list', []],
    ['31 characters', SECRET.slice(0, 31)],
    ['one character over and over', 'a'.repeat(64)],
    ['a few characters over and over', 'abcdefgh'.repeat(8)],
    ['nearly all the same', `${'a'.repeat(28)}bcdefgh`],
    ['a number', 12_345_678_901],
  ])('that signs is not %s', (_what, session_secret) => {
    expect(pathsOf({ ...MINIMAL, auth: { session_secret } })).toEqual(['auth.session_secret'])
  })

  test('that signs is required even when its whole section is missing', () => {
    expect(pathsOf({ backends: [BACKEND] })).toEqual(['auth.session_secret'])
  })

  test('that signs may be followed by older ones, each as good', () => {
    const both = { session_secret: [OTHER_SECRET, SECRET] }
    expect(load({ ...MINIMAL, auth: both }).auth.session_secret).toEqual([OTHER_SECRET, SECRET])
    const weak = { session_secret: [OTHER_SECRET, 'short'] }
    expect(pathsOf({ ...MINIMAL, auth: weak })).toEqual(['auth.session_secret.1'])
  })

  test('is tested against placeholders in linear time', () => {
    // Of a test that takes as long as the square of this, nobody sees the end.
    for (const character of ['<', 'x', '.', '-', 'my-']) {
      const auth = { session_secret: character.repeat(1_000_000) }
      expect(pathsOf({ ...MINIMAL, auth })).not.toEqual([])
    }
  })

  test('never stands in an error, and neither does any other text that was given', () => {
    const hidden = 'hunter2-hunter2'
    for (const path of [
      ...PLACES,
      ['server', 'mode'],
      ['server', 'port'],
      ['server', 'public_url'],
      ['usage_sync_time'],
      ['limits', 'fail_closed'],
      ['backends', 0, 'url'],
      ['backends', 0, 'name'],
      ['database', 'url'],
    ]) {
      const settings = { server: {}, limits: {}, ...BASE }
      for (const value of [`<${hidden}>`, { text: hidden }, [`<${hidden}>`]]) {
        expect(errorOf(withLeaf(settings, path, value)).message).not.toContain(hidden)
      }
    }
    const text = `a: "${hidden}\nb: [`
    expect(errorOf(text).message).not.toContain(hidden)
    expect(errorOf({ ...MINIMAL, log: '${hunter2-hunter2}' }).message).not.toContain(hidden)
    const env = { KEY: `<${hidden}>` }
    expect(errorOf({ ...MINIMAL, auth: { session_secret: '${KEY}' } }, { env }).message).not.toContain(hidden)
  })
})

test('settings that are shown say of secrets only whether they are set', () => {
  const config = load({
    ...MINIMAL,
    auth: { session_secret: [SECRET, OTHER_SECRET], send_code_url: 'https://hook.test/T0K3N' },
    database: { url: 'libsql://db.test', auth_token: 'tok-4711' },
    backends: [
      {
        ...BACKEND,
        admin_key: 'tok-4713',
        headers: { 'x-relay': 'tok-4714' },
        proxy: 'http://ann:tok-4715@proxy.test:3128',
      },
    ],
    claude_code: { telemetry: [{ endpoint: 'https://otel.test', headers: { token: 'tok-4712' } }] },
  })
  const shown = redacted(config)
  expect(shown).toMatchObject({
    auth: { session_secret: '[set]', invite_code: '[empty]', send_code_url: '[set]' },
    database: { url: 'libsql://db.test', auth_token: '[set]' },
    backends: [{ name: 'claude', api_key: '[set]', weight: 1 }],
  })
  const text = JSON.stringify(shown)
  for (const hidden of [
    SECRET,
    OTHER_SECRET,
    'tok-4711',
    'tok-4712',
    'tok-4713',
    'tok-4714',
    'tok-4715',
    'T0K3N',
    BACKEND.api_key,
  ])
    expect(text).not.toContain(hidden)
})

test('addresses of databases hold no credentials, which would be shown', () => {
  for (const url of ['libsql://a:b@db.test', 'https://db.test/?authToken=x']) {
    expect(pathsOf({ ...MINIMAL, database: { url } })).toEqual(['database.url'])
  }
})

describe('the example file', () => {
  const text = readFileSync('config/config.example.yaml', 'utf8')
  const example = (env: Record<string, string>) =>
    loadConfig({ text, file: 'example', env, readFile: () => '' })

  test('loads when its two variables are set, and then holds every default but for what is stricter', () => {
    const config = example({ SESSION_SECRET: SECRET, ANTHROPIC_API_KEY: 'sk-ant-test' })
    const minimal = load(MINIMAL)
    expect(config).toEqual({
      ...minimal,
      server: { ...minimal.server, host: '127.0.0.1' },
      auth: { ...minimal.auth, auto_register: false },
      limits: {
        ...minimal.limits,
        default_budget_usd: 200,
        requests_per_minute: 300,
        concurrent_requests: 30,
      },
      backends: [{ ...minimal.backends[0], name: 'claude-primary' }],
    })
  })

  test('leaves nothing open but what only its reader can tell', () => {
    const config = example({ SESSION_SECRET: SECRET, ANTHROPIC_API_KEY: 'sk-ant-test' })
    const known = { hasPrice: () => true, hasAdmin: false, listens: true }
    expect(warningsOf(config, known).map(({ path }) => path)).toEqual([
      'auth.admin_itcode',
      'auth.send_code_url',
    ])
  })

  test('names each variable that is not set', () => {
    expect(() => example({})).toThrow(
      'example: auth.session_secret: the environment variable SESSION_SECRET is not set\n' +
        'example: backends.0.api_key: the environment variable ANTHROPIC_API_KEY is not set',
    )
  })

  test('has no text that would do as a secret as it stands', () => {
    const raw = parse(text)
    for (const value of [raw.auth.session_secret, raw.backends[0].api_key]) {
      const settings = {
        auth: { session_secret: SECRET },
        backends: [{ ...BACKEND, api_key: value.replace('${', '$${') }],
      }
      expect(pathsOf(settings)).toEqual(['backends.0.api_key'])
    }
  })

  test('explains every setting in a comment above it', () => {
    const lines = text.split('\n')
    const unexplained = lines.filter((line, i) => {
      const isLeaf = /^\s*(- )?[a-z_0-9]+: \S/.test(line)
      return isLeaf && !/^\s*#/.test(lines[i - 1] ?? '')
    })
    expect(unexplained).toEqual([])
  })
})

describe('a key alone', () => {
  test('is a configuration of one backend', () => {
    const config = configFromApiKey('sk-ant-test', SECRET, {})
    expect(config).toEqual(load(MINIMAL))
  })

  test('goes with an address, a port and a host from the environment', () => {
    const env = { ANTHROPIC_BASE_URL: 'https://relay.test/', PORT: '9000', HOST: '127.0.0.1' }
    const { server, backends } = configFromApiKey('sk-ant-test', SECRET, env)
    expect([server.port, server.host, backends[0]?.url]).toEqual([9000, '127.0.0.1', 'https://relay.test'])
  })

  test.each([
    [{ PORT: 'http' }, 'environment: server.port: a number is expected'],
    [
      { ANTHROPIC_BASE_URL: 'http://relay.test' },
      'environment: backends.0.url: https is expected outside this machine',
    ],
  ])('is refused with %j', (env, message) => {
    expect(() => configFromApiKey('sk-ant-test', SECRET, env)).toThrow(message)
  })
})

test('the core gets its settings in its own units', () => {
  const config = load({
    ...MINIMAL,
    server: { public_url: 'https://gateway.test/' },
    limits: { default_budget_usd: 0.1 + 0.2, reserve_output: 7 },
    model_replacements: { b: 'x', a: 'y' },
  })
  const settings = settingsFrom(config)
  expect(settings).toMatchObject({
    backends: [
      { name: 'claude', url: BACKEND.url, apiKey: BACKEND.api_key, weight: 1, enabled: true, models: [] },
    ],
    modelReplacements: [
      ['b', 'x'],
      ['a', 'y'],
    ],
    limits: { defaultBudgetMicros: 300_000, reserveOutputTokens: 7, period: 'monthly' },
    health: { startupCheck: 'normal', failureThreshold: 5, cooldownMs: 30_000 },
    retry: { maxAttempts: 3, firstByteTimeoutMs: 120_000, idleTimeoutMs: 300_000 },
    publicUrl: 'https://gateway.test',
  })
})

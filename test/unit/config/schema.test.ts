import { describe, expect, test } from 'vitest'
import { FULL } from './full.ts'
import { BACKEND, errorOf, load, MINIMAL, pathsIn, pathsOf, SECRET, withLeaf } from './settings.ts'

const DEFAULTS = {
  server: {
    port: 8080,
    host: '0.0.0.0',
    mode: 'release',
    public_url: '',
    trusted_proxies: [],
    cors_origins: [],
    drain_delay: 5_000,
    drain_timeout: 30_000,
    workers: 1,
  },
  database: { path: 'data/gateway.db', url: '', auth_token: '' },
  backup: { every: null, keep: 7, folder: '' },
  journal: { fsync: false },
  log: { level: 'info', format: 'json' },
  metrics: { port: null, host: '127.0.0.1', token: '' },
  otlp: {
    endpoint: '',
    headers: {},
    traces: true,
    metrics: true,
    interval: 60_000,
    sample: 1,
  },
  auth: {
    session_secret: [SECRET],
    session_max_age: 86_400,
    session_idle: 43_200_000,
    code_expiry: 300_000,
    code_style: 'letters',
    admin_itcode: '',
    send_code_url: '',
    smtp: { host: '', port: 587, tls: false, user: '', password: '', from: '' },
    email_domain: '',
    allowed_domains: [],
    auto_register: true,
    invite_code: '',
  },
  oidc: { grace: 43_200_000, reverify: 2_592_000_000, providers: [] },
  claude_code: { login_notice: '', billing_tag: '', telemetry: [] },
  feishu: {
    app_id: '',
    app_secret: '',
    label: '飞书',
    accounts_url: 'https://accounts.feishu.cn',
    api_url: 'https://open.feishu.cn',
    trust_email_of: [],
    register: true,
  },
  ldap: {
    url: '',
    start_tls: false,
    label: 'LDAP',
    bind_dn: '',
    bind_password: '',
    base_dn: '',
    join_claim: '',
    user_filter: '(uid={name})',
    id_attribute: 'entryUUID',
    name_attribute: 'cn',
    email_attribute: 'mail',
    group_filter: '',
    group_base_dn: '',
    allowed_groups: [],
    admin_groups: [],
    billing_groups: [],
    auditor_groups: [],
    department_claim: '',
    trust_email_of: [],
    register: true,
  },
  organisation: { name: 'Claude Gateway' },
  secrets: { key: null },
  notify: { allow_private: false },
  usage_sync_time: 300_000,
  usage: { keep: null },
  audit: { keep: null },
  model_replacements: {},
  model_fallbacks: {},
  models: { default_access: 'open', rules: [] },
  access: { networks: [] },
  limits: {
    period: 'monthly',
    time_zone: 'UTC',
    group_rule: 'lowest',
    default_quota_tokens: 0,
    default_budget_usd: 0,
    requests_per_minute: 0,
    tokens_per_minute: 0,
    concurrent_requests: 0,
    max_body_bytes: 33_554_432,
    body_memory: null,
    reserve_output: null,
    fail_closed: false,
    store: 'local',
  },
  health: { startup_check: 'normal', failure_threshold: 5, cooldown: 30_000, store: 'memory' },
  balancer: { strategy: 'sticky' },
  retry: {
    max_attempts: 3,
    first_byte_timeout: 120_000,
    whole_answer_timeout: 600_000,
    idle_timeout: 300_000,
  },
  messages: { web_search: true, betas: ['*'], server_tools: ['*'], mcp_servers: ['*'] },
  objects: { unknown: 'refuse' },
  openai: { web_search: false, automatic_caching: true },
  backends: [
    {
      ...BACKEND,
      type: 'anthropic',
      weight: 1,
      enabled: true,
      models: [],
      openai: 'translate',
      admin_key: null,
      priority: 0,
      headers: {},
      key_header: 'x-api-key',
      proxy: null,
      price_multiplier: 1,
      pricing: [],
    },
  ],
  pricing: [],
  redis: { url: '', cluster: false },
}
const { leaves, objects } = pathsIn(FULL)
const named = (paths: typeof leaves) => paths.map((path) => [path.join('.'), path] as const)

describe('every setting', () => {
  test('has the default that the design names', () => {
    expect(load(MINIMAL)).toEqual(DEFAULTS)
    expect(load({ ...MINIMAL, server: null, log: null, retry: {} })).toEqual(DEFAULTS)
  })

  test('is covered by the cases below', () => {
    expect(named(pathsIn(load(FULL)).leaves).toSorted()).toEqual(named(leaves).toSorted())
    const keys = (value: object) =>
      Object.entries(value).map(([key, section]) => [key, Object.keys(section).toSorted()])
    const sections = Object.entries(DEFAULTS).filter(
      ([key]) => !/^(backends|pricing|model_repl|model_fall)/.test(key),
    )
    expect(keys(load(FULL))).toEqual(expect.arrayContaining(keys(Object.fromEntries(sections))))
  })

  test.each(named(leaves))('%s refuses a wrong kind by its path', (name, path) => {
    expect(pathsOf(withLeaf(FULL, path, { wrong: true }))).toEqual([name])
  })

  test.each(named(leaves.filter((path) => typeof path.at(-1) === 'number').map((path) => path.slice(0, -1))))(
    '%s refuses a number instead of a list',
    (name, path) => {
      expect(pathsOf(withLeaf(FULL, path, 42))).toEqual([name])
    },
  )

  test.each(
    named(
      objects.filter(
        (path) =>
          !['model_replacements', 'model_fallbacks'].includes(String(path[0])) && path.at(-1) !== 'headers',
      ),
    ),
  )('an unknown setting beside those of "%s" is refused by its path', (name, path) => {
    const at = [...path, 'surprise']
    expect(errorOf(withLeaf(FULL, at, 1)).problems).toEqual([
      { path: [name, 'surprise'].filter(Boolean).join('.'), message: 'this setting is unknown' },
    ])
  })

  test('is named in one message together with all others that are wrong', () => {
    const wrong = {
      ...MINIMAL,
      server: { port: -1, nope: 1 },
      limits: { period: 'hourly' },
      usage_sync_time: 0,
    }
    expect(pathsOf(wrong)).toEqual(['server.port', 'server.nope', 'usage_sync_time', 'limits.period'])
    expect(errorOf(wrong).message.split('\n')).toEqual([
      'test.yaml: server.port: at least 0 is expected',
      'test.yaml: server.nope: this setting is unknown',
      'test.yaml: usage_sync_time: a duration such as 500ms, 30s, 5m, 2h or 1d, up to 10 years, is expected',
      'test.yaml: limits.period: daily or weekly or monthly or total is expected',
    ])
  })

  test.each([
    ['server.port', ['server', 'port'], [-1, 65_536, 1.5, Number.NaN, Number.POSITIVE_INFINITY, '80']],
    ['limits.body_memory', ['limits', 'body_memory'], [0, 1_048_575, 1.5, '2 apples', '1TB', '2048GB', {}]],
    ['limits.time_zone', ['limits', 'time_zone'], ['+05:45', 'Europe/Bonn', '', 5]],
    ['limits.default_quota_tokens', ['limits', 'default_quota_tokens'], [-1, 0.5, 2 ** 53, '5', null]],
    ['limits.default_budget_usd', ['limits', 'default_budget_usd'], [-0.01, Number.NaN, 1e10, 4e-7]],
    ['retry.max_attempts', ['retry', 'max_attempts'], [0, 21]],
    ['usage.keep', ['usage', 'keep'], ['47h', 'for ever']],
    ['backends.0.weight', ['backends', 0, 'weight'], [-1, Number.NaN]],
    ['backends.0.price_multiplier', ['backends', 0, 'price_multiplier'], [-1, 101, 0.855]],
    [
      'backends.0.proxy',
      ['backends', 0, 'proxy'],
      ['proxy:3128', 'ftp://p', 'http://p/path', 'http://169.254.169.254', 'socks5://p?x'],
    ],
    ['backends.0.priority', ['backends', 0, 'priority'], [-1, 101, 0.5]],
    ['pricing.0.effective_from', ['pricing', 0, 'effective_from'], ['2026-02-30', '1.2.2026']],
    ['access.networks.0', ['access', 'networks', 0], ['10.0.0.0/33', 'office', '']],
    ['server.trusted_proxies.0', ['server', 'trusted_proxies', 0], ['10.0.0.0/33', 'proxy', '1.2.3', '']],
    [
      'server.cors_origins.0',
      ['server', 'cors_origins', 0],
      ['*', 'https://a.test/b', 'a.test', 'https://*.a.test', 'null'],
    ],
    [
      'auth.admin_itcode',
      ['auth', 'admin_itcode'],
      ['bad name', 'a@', '@b', 'a@b@c', 'a\0', 'a'.repeat(255)],
    ],
    ['models.rules.0.match', ['models', 'rules', 0, 'match'], ['', 'a\n', 'a\u2028', 'm'.repeat(257)]],
    [
      'messages.mcp_servers.0',
      ['messages', 'mcp_servers', 0],
      ['mcp.test', '*://mcp.test', 'ftp://x', 'https://', 'https://a@b/', 'https://a /'],
    ],
    [
      'otlp.endpoint',
      ['otlp', 'endpoint'],
      [
        'collector',
        'https://me@x',
        'https://:word@x',
        'https://x/?a',
        'https://x/#',
        ...['traces', 'metrics/', 'logs//'].map((signal) => `https://x/v1/${signal}`),
      ],
    ],
    ['server.public_url', ['server', 'public_url'], ['gateway', 'ftp://x', 'https://x/y', 'https://a:b@x']],
  ] as const)('%s refuses what is out of bounds', (name, path, values) => {
    for (const value of values) expect(pathsOf(withLeaf(FULL, path, value))).toEqual([name])
  })
})

test('the address of a collector is what comes before the signal', () => {
  const endpoint = 'https://x/v1/traces/of-ours//'
  expect(load({ ...MINIMAL, otlp: { endpoint } }).otlp.endpoint).toBe('https://x/v1/traces/of-ours')
})

test.each(['"\\ud800"', '{ "claude-*": "\\udc00" }'])('half of a character is no text: %s', (value) => {
  const text = `model_replacements: ${value.startsWith('{') ? value : `{ a: ${value} }`}`
  expect(errorOf(`${text}\nauth: { session_secret: "${SECRET}" }`).message).toContain('half of a character')
})

test('an address that mail goes to has no credentials, because nothing is sent there and the log would have them', () => {
  const error = errorOf(
    `auth: { session_secret: "${SECRET}", send_code_url: "https://robot:T0K3N@mail.corp.test/send" }`,
  )
  expect(error.message).toContain('auth.send_code_url: an address without credentials is expected')
  expect(error.message).not.toContain('T0K3N')
})

test.each([
  ['redis.url', 'redis: { url: "redis://:50%off-T0K3N@127.0.0.1" }'],
  [
    'backends.0.proxy',
    `backends: [${JSON.stringify({ ...BACKEND, proxy: 'http://me:50%off-T0K3N@proxy.test:3128' })}]`,
  ],
])('a password with a percent sign of its own, which nothing could read, is told at %s', (path, text) => {
  const error = errorOf(`auth: { session_secret: "${SECRET}" }\n${text}`)
  expect(error.message).toContain(`${path}: user and password with %25 for each % are expected`)
  expect(error.message).not.toContain('T0K3N')
})

test('a configuration of the original gateway loads unchanged', () => {
  const config = load(`
server: { port: 8080, mode: release }
database: { path: ./data/gateway.db }
auth:
  session_secret: "${SECRET}"
  session_max_age: 86400
  admin_itcode: admin
  send_code_url: https://codes.corp.test/send
  email_domain: "@corp.test"
usage_sync_time: 5m
model_replacements:
  claude-3-opus: claude-opus-5-5
  "claude-*": claude-sonnet-5-5
backends:
  - { name: a, url: https://api.anthropic.com/, api_key: sk-ant-one, weight: 10, enabled: true, models: [claude-opus-5-5] }
  - { name: b, url: https://relay.corp.test/claude/, api_key: sk-ant-two, weight: 5, enabled: false }
`)
  expect(Object.keys(config.model_replacements)).toEqual(['claude-3-opus', 'claude-*'])
  expect(config.backends.map(({ url, enabled }) => [url, enabled])).toEqual([
    ['https://api.anthropic.com', true],
    ['https://relay.corp.test/claude', false],
  ])
})

describe('backends', () => {
  const paths = (...backends: object[]) => pathsOf({ ...MINIMAL, backends })

  test.each([
    'Authorization',
    'x-api-key',
    'Host',
    'content-type',
    'anthropic-beta',
    'transfer-encoding',
    'a b',
    '',
  ])('take no header %s of their own', (name) => {
    expect(paths({ ...BACKEND, headers: { [name]: 'x' } })).toHaveLength(1)
  })

  test('are needed', () => {
    expect(pathsOf({ auth: MINIMAL.auth })).toEqual(['backends'])
    expect(paths()).toEqual(['backends'])
  })

  test('have names of their own, and simple ones', () => {
    expect(paths(BACKEND, BACKEND)).toEqual(['backends.1.name'])
    for (const name of ['', 'a b', 'ü', 'x'.repeat(65), 'a/b', 'a\nb']) {
      expect(paths({ ...BACKEND, name })).toEqual(['backends.0.name'])
    }
  })

  test('are not all switched off or without weight', () => {
    expect(paths({ ...BACKEND, weight: 0 })).toEqual(['backends'])
    expect(paths({ ...BACKEND, enabled: false }, { ...BACKEND, name: 'b', weight: 0 })).toEqual(['backends'])
    expect(
      load({ ...MINIMAL, backends: [BACKEND, { ...BACKEND, name: 'b', weight: 0 }] }).backends,
    ).toHaveLength(2)
  })

  test.each([
    'api.anthropic.com',
    'ftp://x.test',
    'file:///etc/passwd',
    'http://api.anthropic.com',
    'http://10.0.0.1',
    'http://localhost.evil.test',
    'http://127.0.0.1.evil.test',
    'https://user:word@x.test',
    'https://user@x.test',
    'https://x.test/#a',
    'https://x.test/#',
    'https://x.test/?a=b',
    'https://x.test/?',
    'https://169.254.169.254',
    'http://169.254.169.254/latest',
    'https://2852039166',
    'https://0xa9fea9fe',
    'https://[fe80::1]',
    'https://[febf::1]',
    'https://[fd00:ec2::254]',
    'https://[::ffff:169.254.169.254]',
    'https://[::169.254.169.254]',
    'https://[64:ff9b::169.254.169.254]',
    'https://[::ffff:100.100.100.200]',
    'https://metadata.google.internal',
    'https://METADATA.google.internal.',
    'https://100.100.100.200',
    '',
  ])('are not reached at %s', (url) => expect(paths({ ...BACKEND, url })).toEqual(['backends.0.url']))

  test.each([
    'socks5://169.254.169.254',
    'socks5://2852039166',
    'socks5://0xa9fea9fe:1080',
    'socks5://0251.0376.0251.0376',
    'socks5://169%2E254.169.254',
    'socks5://user:word@100.25716936',
    'socks5://[::ffff:169.254.169.254]',
    'http://2852039166',
  ])('are not reached through %s', (proxy) =>
    expect(paths({ ...BACKEND, proxy })).toEqual(['backends.0.proxy']),
  )

  test.each(['socks5://[::1]:1080', 'socks5://10.0.0.1:1080', 'socks5://proxy.test:1080'])(
    'may be reached through %s',
    (proxy) => expect(load({ ...MINIMAL, backends: [{ ...BACKEND, proxy }] }).backends[0]?.proxy).toBe(proxy),
  )

  test.each([
    ['https://x.test///', 'https://x.test'],
    ['HTTPS://X.test/a/', 'https://x.test/a'],
    [' https://x.test\n', 'https://x.test'],
    ['http://127.0.0.1:8081', 'http://127.0.0.1:8081'],
    ['http://127.9.9.9', 'http://127.9.9.9'],
    ['http://localhost:1/', 'http://localhost:1'],
    ['http://[::1]:1', 'http://[::1]:1'],
  ])('may be reached at %j', (url, kept) => {
    expect(load({ ...MINIMAL, backends: [{ ...BACKEND, url }] }).backends[0]?.url).toBe(kept)
  })
})

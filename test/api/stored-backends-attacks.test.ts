/** What somebody might try with backends that are added: who they are, where secrets go, and where the gateway is sent. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { isMetadataAddress } from '../../core/backends/metadata-address.ts'
import { storedBackends } from '../../core/db/schema.ts'
import { ADMIN_SCOPES } from '../../core/keys/admin-keys.ts'
import { type App, startApp } from '../support/app.ts'
import type { Browser } from '../support/browser.ts'
import { startUpstream } from '../support/upstream.ts'

const KEY = 'f3Q0mZ7xV1cN8bL5kT2wR9dJ4hS6gP0aYuE'
const PATH = '/admin/api/backends'
const upstream = await startUpstream()
const SECRETS = {
  api_key: 'secret-of-added',
  admin_key: 'secret-of-reports',
  proxy: 'http://ann:secret-of-proxy@127.0.0.1:9',
  headers: { 'x-team': 'secret-of-header' },
}
const ADDED = { name: 'added', url: upstream.url, ...SECRETS }

let app: App
let boss: Browser
beforeAll(async () => {
  app = await startApp({
    secrets: { key: KEY },
    backends: [{ name: 'file', url: upstream.url, api_key: 'secret-of-file' }],
  })
  boss = await app.signIn('boss', 'admin')
})
afterAll(async () => {
  await app.close()
  await upstream.stop()
})

const WRITES = [
  ['POST', PATH, ADDED],
  ['POST', `${PATH}/test`, ADDED],
  ['POST', `${PATH}/file/test`, undefined],
  ['PUT', `${PATH}/file`, { url: 'https://elsewhere.example' }],
  ['DELETE', `${PATH}/added`, undefined],
  ['POST', `${PATH}/added/test-change`, { url: 'https://elsewhere.example' }],
] as const
function write(browser: Browser, [method, path, body]: (typeof WRITES)[number], init = {}) {
  if (method === 'DELETE') return browser.delete(path, init)
  return method === 'PUT' ? browser.put(path, body) : browser.post(path, body, init)
}

describe('backends are written by nobody', () => {
  test('who is no administrator', async () => {
    for (const role of ['user', 'billing', 'auditor'] as const) {
      const browser = await app.signIn(`a-${role}`, role)
      for (const one of WRITES) expect([role, (await write(browser, one)).status]).toEqual([role, 403])
    }
  })

  test('whose session is older than ten minutes, and by them again after they signed in again', async () => {
    const early = await app.signIn('early', 'admin')
    app.clock.advance(10 * 60_000 + 1)
    for (const one of WRITES) {
      const answer = await write(early, one)
      expect([answer.status, answer.body.error.code]).toEqual([403, 'sign_in_again'])
    }
    expect((await early.get(PATH)).status).toBe(200)
    const again = await app.signIn('early', 'admin')
    expect((await write(again, WRITES[0])).status).toBe(201)
    expect((await write(again, WRITES[4])).status).toBe(200)
    boss = await app.signIn('boss', 'admin')
  })

  test('but one is drained and switched by an older session, because that is urgent when it is needed', async () => {
    const early = await app.signIn('urgent', 'admin')
    app.clock.advance(10 * 60_000 + 1)
    for (const change of [{ weight: 2 }, { enabled: false }, { enabled: true }])
      expect((await early.put(`${PATH}/file`, change)).status).toBe(200)
    boss = await app.signIn('boss', 'admin')
  })

  test('who is a program', async () => {
    const wanted = { name: 'all', scopes: ADMIN_SCOPES }
    const { secret } = (await boss.post('/admin/api/admin-keys', wanted)).body
    for (const one of WRITES) {
      const answer = await write(app.browser(), one, { headers: { 'x-api-key': secret } })
      expect(answer.status).toBe(401)
    }
    expect(await app.db.select().from(storedBackends)).toEqual([])
  })
})

const IN_URLS = [
  '169.254.169.254',
  '2852039166',
  '0xa9fea9fe',
  '0251.0376.0251.0376',
  '169.254.43518',
  '[fe80::1]',
  '[fd00:ec2::254]',
  '[::ffff:169.254.169.254]',
  '[::ffff:a9fe:a9fe]',
  '[::a9fe:a9fe]',
  '[64:ff9b::a9fe:a9fe]',
  '[64:ff9b:1::a9fe:a9fe]',
  '[2002:a9fe:a9fe::1]',
  '[0:0:0:0:0:ffff:a9fe:a9fe]',
  'metadata.google.internal',
  'METADATA.google.internal.',
  '100.100.100.200',
  '168.63.129.16',
]

describe('a metadata service is no place for a backend:', () => {
  test.each(IN_URLS)('%s', async (host) => {
    for (const given of [
      { url: `https://${host}` },
      { proxy: `http://${host}:3128` },
      { proxy: `socks5://${host}:1080` },
    ]) {
      for (const path of [PATH, `${PATH}/test`]) {
        const answer = await boss.post(path, { ...ADDED, ...given })
        expect([given, answer.status, Object.keys(answer.body.error.fields)]).toEqual([
          given,
          400,
          Object.keys(given),
        ])
      }
    }
    expect(await app.db.select().from(storedBackends)).toEqual([])
  })

  test('also by a name that resolves to one, and as the place of tokens', async () => {
    const names = { lookup: async () => ['192.0.2.1', '64:ff9b::a9fe:a9fe'] }
    const { trySettings } = await import('../../core/backends/manage.ts')
    const actor = { id: null, ip: null, requestId: null }
    for (const given of [
      { url: 'https://inside.example.com' },
      { url: 'https://10.0.0.1', proxy: 'socks5://inside.example.com' },
    ]) {
      await expect(trySettings({ ...app.deps, ...names, actor }, { ...ADDED, ...given })).rejects.toThrow(
        'metadata addresses are not allowed',
      )
    }
    const service_account = JSON.stringify({
      type: 'service_account',
      client_email: 'a@b.test',
      private_key: 'k',
      token_uri: 'http://169.254.169.254/token',
    })
    const vertex = { name: 'v', type: 'vertex', region: 'global', project: 'p', models: ['claude-opus-5-5'] }
    const answer = await boss.post(PATH, { ...vertex, credentials: { service_account } })
    expect(answer.body.error.fields).toHaveProperty('credentials')
    const own = await boss.post(PATH, { ...vertex, credentials: 'platform', url: 'https://elsewhere.test' })
    expect(own.body.error.fields).toHaveProperty('url')
  })

  test.each([
    '8.8.8.8',
    '10.0.0.1',
    '127.0.0.1',
    '::1',
    '2001:db8::1',
    '64:ff9b::808:808',
    '2002:808:808::1',
  ])('%s is none', (address) => {
    expect(isMetadataAddress(address)).toBe(false)
  })
})

describe('secrets', () => {
  test('go nowhere else, unless all of them are given again', async () => {
    expect((await boss.post(PATH, ADDED)).status).toBe(201)
    const all = Object.keys(SECRETS).sort()
    const put = (change: object) => boss.put(`${PATH}/added`, change)
    const missing = async (change: object) => Object.keys((await put(change)).body.error?.fields ?? {}).sort()
    expect(await missing({ url: 'https://elsewhere.test' })).toEqual(all)
    expect(await missing({ key_header: 'authorization' })).toEqual(all)
    expect(await missing({ headers: { 'x-team': 'new' } })).toEqual(['admin_key', 'api_key', 'proxy'])
    expect(await missing({ proxy: 'http://127.0.0.1:9' })).toEqual(['admin_key', 'api_key', 'headers'])
    expect(await missing({ proxy: null, headers: null })).toEqual(['admin_key', 'api_key'])
    const [before] = await app.db.select().from(storedBackends)
    expect((await put({ weight: 5, api_key: 'secret-of-later' })).status).toBe(200)
    expect((await put({ url: 'https://elsewhere.test', ...SECRETS })).status).toBe(200)
    const [after] = await app.db.select().from(storedBackends)
    expect(after?.secrets).not.toBe(before?.secrets)
  })

  test('are in no answer, no log, no audit and no error', async () => {
    const answers = [
      await boss.get(PATH),
      await boss.post(PATH, { ...ADDED, colour: 'red' }),
      await boss.post(PATH, { ...ADDED, headers: { 'x-a': 'secret-of-header\n' } }),
      await boss.post(PATH, { ...ADDED, api_key: ['secret-of-added'] }),
      await boss.post(PATH, { ...ADDED, proxy: 'ftp://ann:secret-of-proxy@127.0.0.1' }),
      await boss.post(PATH, { ...ADDED, url: 'https://ann:secret-of-url@x.test' }),
      await boss.post(`${PATH}/test`, ADDED),
      await boss.post(`${PATH}/added/test`),
      await boss.get(`${PATH}/added/settings`),
      await boss.get('/admin/api/audit'),
    ]
    expect(answers.map(({ text }) => text).join()).not.toContain('secret-of')
    expect(JSON.stringify([app.logs.lines, await app.audit()])).not.toContain('secret-of')
    expect(JSON.stringify(await app.db.select().from(storedBackends))).not.toContain('secret-of')
  })
})

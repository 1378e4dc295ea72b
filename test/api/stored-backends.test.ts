/** Backends that administrators add, change and remove: what is in force, what is kept, and who may do it. */
import { afterAll, beforeEach, describe, expect, test } from 'vitest'
import { storedBackends } from '../../core/db/schema.ts'
import { createTaskRunner } from '../../core/tasks.ts'
import { type App, startApp } from '../support/app.ts'
import type { Browser } from '../support/browser.ts'
import { memoryStore } from '../support/memory-store.ts'
import { errorJson, messageJson, startUpstream } from '../support/upstream.ts'

const KEY = 'f3Q0mZ7xV1cN8bL5kT2wR9dJ4hS6gP0aYuE'
const NEWER = 'uB7nC2vX9zL4kJ6hG1fD3sA8pO5iU0yTrEw'
const PATH = '/admin/api/backends'
const [file, other] = [await startUpstream(), await startUpstream()]
afterAll(() => Promise.all([file.stop(), other.stop()]))

const inFile = () => [{ name: 'file', url: file.url, api_key: 'secret-of-file' }]
const added = (more: object = {}) => ({
  name: 'added',
  url: other.url,
  api_key: 'secret-of-added',
  priority: 0,
  weight: 1e6,
  ...more,
})

describe('backends that are added', () => {
  let app: App
  let boss: Browser
  let key: string
  beforeEach(async () => {
    file.reset()
    other.reset()
    app = await startApp({ secrets: { key: KEY }, backends: inFile() })
    boss = await app.signIn('boss', 'admin')
    key = (await boss.post('/api/keys', { name: 'x' })).body.key.key
    return () => app.close()
  })
  const call = (session: string) =>
    app.request('/v1/messages', {
      method: 'POST',
      headers: { 'x-api-key': key, 'x-claude-code-session-id': session },
      body: '{"model":"claude-opus-5-5","max_tokens":10,"messages":[{"role":"user","content":"hi"}]}',
    })
  const listed = async () => (await boss.get(PATH)).body

  test('serve calls at once, and none once they are removed', async () => {
    const answer = await boss.post(PATH, added())
    expect([answer.status, answer.body.backend]).toMatchObject([
      201,
      { name: 'added', source: 'api', type: 'anthropic', url: other.url, secrets: ['api_key'], weight: 1e6 },
    ])
    await call('one')
    expect(other.requests).toHaveLength(1)
    expect(other.requests[0]?.headers['x-api-key']).toBe('secret-of-added')
    expect((await listed()).backends).toMatchObject([
      { name: 'file', source: 'file' },
      { name: 'added', source: 'api' },
    ])
    expect((await boss.delete(`${PATH}/added`)).status).toBe(200)
    await call('one')
    expect(file.requests).toHaveLength(1)
    expect((await boss.delete(`${PATH}/added`)).status).toBe(404)
    expect((await boss.delete(`${PATH}/file`)).status).toBe(404)
  })

  test('are changed for good, also where they are drained', async () => {
    await boss.post(PATH, added())
    const changed = await boss.put(`${PATH}/added`, { weight: 0, models: ['claude-*'] })
    expect(changed.body.backend).toMatchObject({ weight: 0, serves: ['claude-*'] })
    await call('new')
    expect(other.requests).toHaveLength(0)
    const [row] = await app.db.select().from(storedBackends)
    expect(JSON.parse(row?.settings ?? '')).toMatchObject({ weight: 0, models: ['claude-*'] })
    expect((await boss.put(`${PATH}/added`, { models: null })).body.backend.serves).toEqual([])
  })

  test('leave what is known of the others, and what was switched off there', async () => {
    await boss.put(`${PATH}/file`, { weight: 7 })
    file.answer({ status: 529, chunks: [errorJson('overloaded_error')] })
    await call('one')
    const before = (await listed()).backends[0]
    expect(before).toMatchObject({ weight: 7, models: [{ model: 'claude-opus-5-5' }] })
    await boss.post(PATH, added())
    expect((await listed()).backends[0]).toEqual(before)
  })

  test('are not taken over again while nothing changed, and by other processes when they look', async () => {
    const { deps } = app
    await deps.fleet.refresh()
    expect(app.deps).toBe(deps)
    await boss.post(PATH, added())
    expect(app.deps).not.toBe(deps)
    const now = app.deps
    await createTaskRunner(() => app.deps)()
    expect(app.deps).toBe(now)
  })

  test('have their secrets sealed, and the newest key seals them again', async () => {
    const secrets = { headers: { 'x-team': 'secret-of-header' }, admin_key: 'secret-of-admin' }
    await boss.post(PATH, added(secrets))
    const [row] = await app.db.select().from(storedBackends)
    expect(JSON.stringify(row)).not.toContain('secret-of')
    const store = await memoryStore()
    await store.db.insert(storedBackends).values(row as never)
    const renewed = await startApp({ secrets: { key: [NEWER, KEY] }, backends: inFile() }, store)
    await createTaskRunner(() => renewed.deps)()
    const [again] = await store.db.select().from(storedBackends)
    expect(again?.secrets).not.toBe(row?.secrets)
    expect(renewed.deps.balancer.views().map(({ backend }) => backend.apiKey)).toContain('secret-of-added')
    await renewed.close()
  })

  test('that cannot be read are left out and listed, also beside a file that gained their name', async () => {
    await boss.post(PATH, added())
    const [row] = await app.db.select().from(storedBackends)
    const start = async (config: object, settings = row?.settings) => {
      const store = await memoryStore()
      await store.db.insert(storedBackends).values({ ...row, settings } as never)
      const started = await startApp({ backends: inFile(), ...config }, store)
      const admin = await started.signIn('boss', 'admin')
      const { backends, unused } = (await admin.get(PATH)).body
      const told = started.logs.lines.filter(({ event }) => event === 'backend.not_used')
      await started.close()
      return { names: backends.map(({ name }: { name: string }) => name), unused, told }
    }
    const gone = await start({ secrets: { key: NEWER } })
    expect(gone.names).toEqual(['file'])
    expect(gone.unused).toEqual([{ name: 'added', problem: expect.stringContaining('secrets.key') }])
    expect(gone.told).toHaveLength(1)
    const older = await start({ secrets: { key: KEY } }, '{"name":"added","url":"no address","colour":"red"}')
    expect(older.unused[0].problem).toContain('colour: this setting is unknown')
    const shadowed = await start({
      secrets: { key: KEY },
      backends: [{ name: 'added', url: file.url, api_key: 'secret-of-file' }],
    })
    expect(shadowed.unused[0].problem).toContain('configuration file')
  })

  test('have names of their own', async () => {
    expect((await boss.post(PATH, added({ name: 'file' }))).status).toBe(409)
    expect((await boss.post(PATH, added())).status).toBe(201)
    expect((await boss.post(PATH, added())).status).toBe(409)
    expect((await boss.put(`${PATH}/added`, { name: 'other' })).body.error.fields).toHaveProperty('name')
    expect((await boss.put(`${PATH}/file`, { url: other.url })).status).toBe(400)
  })

  test('are stored by one of two administrators who write at once', async () => {
    const both = await Promise.all([boss.post(PATH, added()), boss.post(PATH, added({ weight: 2 }))])
    expect(both.map(({ status }) => status).sort()).toEqual([201, 409])
    const writes = await Promise.all([1, 2, 3].map((weight) => boss.put(`${PATH}/added`, { weight })))
    for (const { status } of writes) expect(status).toBeOneOf([200, 409])
    expect(writes.some(({ status }) => status === 200)).toBe(true)
  })

  test('are tried step by step, and nothing that the upstream says is told', async () => {
    other.models(['claude-haiku-5'])
    other.answer({ chunks: [messageJson()] })
    const good = await boss.post(`${PATH}/test`, added())
    expect(good.body.steps.map(({ outcome }: { outcome: string }) => outcome)).toEqual([
      'passed',
      'passed',
      'passed',
    ])
    expect(await app.db.select().from(storedBackends)).toEqual([])
    other.models({ status: 401, chunks: [errorJson('authentication_error', 'secret-of-added is wrong')] })
    other.answer({ status: 401, chunks: [errorJson('secret-of-added', 'secret-of-added is wrong')] })
    const bad = await boss.post(`${PATH}/test`, added({ models: ['claude-opus-5-5'] }))
    expect(bad.body.steps).toMatchObject([
      { step: 'credentials', outcome: 'failed' },
      { step: 'models', outcome: 'failed' },
      { step: 'call', outcome: 'failed', message: expect.stringMatching(/^claude-opus-5-5: It refused/) },
    ])
    expect(bad.text).not.toContain('secret-of')
    await boss.post(PATH, added())
    expect((await boss.post(`${PATH}/added/test`)).text).not.toContain('secret-of')
    expect((await boss.post(`${PATH}/nobody/test`)).status).toBe(404)
  })

  test('are tried by a call that is in the usage log as of whoever tried', async () => {
    other.models(['claude-haiku-4-5'])
    other.answer({ chunks: [messageJson({ usage: { input_tokens: 8, output_tokens: 1 } })] })
    await boss.post(PATH, added())
    await boss.post(`${PATH}/test`, added({ name: 'new' }))
    await boss.post(`${PATH}/added/test`)
    await boss.post(`${PATH}/added/test-change`, { weight: 1 })
    other.answer({ status: 529, chunks: [errorJson('overloaded_error')] })
    await boss.post(`${PATH}/added/test`)
    other.answer({ before: 'refuse' })
    await boss.post(`${PATH}/added/test`)
    const seen = async () => (await boss.get('/admin/api/usage')).body.logs
    await expect.poll(async () => (await seen()).length).toBe(4)
    const call = { itcode: 'boss', model: 'claude-haiku-4-5', client: 'gateway', input_tokens: 8 }
    expect(await seen()).toMatchObject([
      { ...call, backend: 'added', status_code: 529, input_tokens: 0, output_tokens: 0, cost_usd: 0 },
      { ...call, backend: 'added', output_tokens: 1, cost_usd: 0.000013 },
      { ...call, backend: 'added', output_tokens: 1 },
      { ...call, backend: 'new', output_tokens: 1, status_code: 200 },
    ])
  })

  test('show their settings without what may hold a secret, and a change of them is tried, not made', async () => {
    await boss.post(PATH, added({ headers: { 'x-team': 'secret-of-header' }, price_multiplier: 0.5 }))
    const shown = await boss.get(`${PATH}/added/settings`)
    expect(shown.body).toEqual({
      settings: { name: 'added', url: other.url, priority: 0, weight: 1e6, price_multiplier: 0.5 },
    })
    expect((await boss.get(`${PATH}/file/settings`)).status).toBe(404)
    const before = await app.db.select().from(storedBackends)
    const tried = (change: object) => boss.post(`${PATH}/added/test-change`, change)
    other.models(['claude-haiku-5'])
    other.answer({ chunks: [messageJson()] })
    expect((await tried({ api_key: 'secret-of-newer' })).body.steps[2].outcome).toBe('passed')
    expect(other.requests.at(-1)?.headers).toMatchObject({
      'x-api-key': 'secret-of-newer',
      'x-team': 'secret-of-header',
    })
    const asked = other.requests.length
    const elsewhere = await tried({ url: `${other.url}/elsewhere` })
    expect(Object.keys(elsewhere.body.error.fields).sort()).toEqual(['api_key', 'headers'])
    expect((await tried({ name: 'other' })).status).toBe(400)
    expect((await boss.post(`${PATH}/file/test-change`, { url: other.url })).status).toBe(400)
    expect((await boss.post(`${PATH}/nobody/test-change`, {})).status).toBe(404)
    expect(other.requests).toHaveLength(asked)
    expect(await app.db.select().from(storedBackends)).toEqual(before)
  })

  test('are audited with all but their secrets', async () => {
    await boss.post(PATH, added({ headers: { 'x-team': 'secret-of-header' } }))
    await boss.put(`${PATH}/added`, { api_key: 'secret-of-later' })
    await boss.put(`${PATH}/added`, { weight: 3 })
    await boss.delete(`${PATH}/added`)
    const events = (await app.audit()).filter(({ action }) => action.startsWith('backend.'))
    expect(events.map(({ action }) => action)).toEqual([
      'backend.create',
      'backend.update',
      'backend.update',
      'backend.delete',
    ])
    expect(events[0]?.after).toContain('"secrets":["api_key","headers"]')
    expect(events[1]?.after).toBe('{"secrets_changed":["api_key"]}')
    expect(events[2]).toMatchObject({
      before: expect.stringContaining('"weight":1000000'),
      after: expect.stringContaining('"weight":3'),
    })
    expect(JSON.stringify([events, app.logs.lines])).not.toContain('secret-of')
  })
})

test('backends cannot be added where nothing encrypts their secrets', async () => {
  const app = await startApp({ backends: inFile() })
  const boss = await app.signIn('boss', 'admin')
  const answer = await boss.post(PATH, added())
  expect([answer.status, answer.body.error.message]).toEqual([409, expect.stringContaining('secrets.key')])
  await app.close()
})

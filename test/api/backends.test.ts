import { sql } from 'drizzle-orm'
import { afterAll, beforeEach, describe, expect, test } from 'vitest'
import { type App, startApp } from '../support/app.ts'
import type { Browser } from '../support/browser.ts'
import { startUpstream } from '../support/upstream.ts'

const [first, second] = [await startUpstream(), await startUpstream()]
afterAll(() => Promise.all([first.stop(), second.stop()]))

describe('backends', () => {
  let app: App
  let boss: Browser
  let secret: string
  beforeEach(async () => {
    first.reset()
    second.reset()
    app = await startApp({
      backends: [
        { name: 'a', url: first.url, api_key: 'secret-of-a', weight: 1000 },
        { name: 'b', url: `${second.url}/relay`, api_key: 'secret-of-b', weight: 1 },
      ],
    })
    boss = await app.signIn('boss', 'admin')
    secret = (await boss.post('/api/keys', { name: 'x' })).body.key.key
    return () => app.close()
  })
  const call = (session = 'one') =>
    app.request('/v1/messages', {
      method: 'POST',
      headers: { 'x-api-key': secret, 'x-claude-code-session-id': session },
      body: '{"model":"claude-opus-5-5","max_tokens":10,"messages":[{"role":"user","content":"hi"}]}',
    })
  const called = () => [first, second].map((upstream) => upstream.requests.length)

  test('are shown with how they are, and never with a credential', async () => {
    const answer = await boss.get('/admin/api/backends')
    expect(answer.body.backends).toEqual([
      {
        name: 'a',
        source: 'file',
        type: 'anthropic',
        url: first.url,
        serves: [],
        weight: 1000,
        priority: 0,
        proxy: null,
        headers: [],
        secrets: ['api_key'],
        enabled: true,
        state: 'healthy',
        reason: '',
        since: null,
        disabled_by: null,
        consecutive_failures: 0,
        retry_at: null,
        in_flight: 0,
        models: [],
      },
      expect.objectContaining({ name: 'b', weight: 1 }),
    ])
    expect(answer.text).not.toContain('secret-of')
  })

  test('are switched off, switched on and drained from the next call on', async () => {
    await call()
    expect(called()).toEqual([1, 0])
    const off = await boss.put('/admin/api/backends/a', { enabled: false })
    expect(off.body.backend).toMatchObject({ enabled: false, state: 'disabled' })
    await call()
    expect(called()).toEqual([1, 1])
    await boss.put('/admin/api/backends/a', { enabled: true })
    await call()
    expect(called()).toEqual([2, 1])
    expect((await boss.put('/admin/api/backends/a', { weight: 0 })).body.backend.weight).toBe(0)
    await call('another')
    expect(called()).toEqual([2, 2])
    // Its prompt caches and thinking blocks live there.
    await call()
    expect(called()).toEqual([3, 2])
    const events = (await app.audit()).filter(({ action }) => action === 'backend.update')
    expect(events[0]).toMatchObject({
      target: 'backend:a',
      before: '{"enabled":true,"weight":1000}',
      after: '{"enabled":false,"weight":1000}',
    })
  })

  test('are not changed where the audit cannot tell of it', async () => {
    await app.db.run(sql`drop table audit_events`)
    expect((await boss.put('/admin/api/backends/a', { enabled: false })).status).toBe(500)
    const { backends } = (await boss.get('/admin/api/backends')).body
    expect(backends[0]).toMatchObject({ name: 'a', enabled: true })
  })

  test('that are all switched off are missing, not the model', async () => {
    for (const name of ['a', 'b']) await boss.put(`/admin/api/backends/${name}`, { enabled: false })
    const answer = await call()
    expect(answer.status).toBe(529)
    expect(answer.headers.get('retry-after')).not.toBeNull()
    expect(answer.headers.get('x-should-retry')).toBe('true')
  })

  test('are checked on request, which gives one a call at once that had refused our credential', async () => {
    first.models({ status: 401, chunks: ['{}'] })
    const bad = await boss.post('/admin/api/backends/a/check')
    expect(bad.body.backend).toMatchObject({
      state: 'disabled',
      disabled_by: 'refused',
      reason: 'refused the credential (401)',
      since: '2026-11-23T12:00:00.000Z',
      retry_at: '2026-11-23T12:01:00.000Z',
    })
    await call('while it is out')
    expect(called()).toEqual([1, 1])
    first.models(['claude-opus-5-5'])
    expect((await boss.post('/admin/api/backends/a/check')).body.backend.state).toBe('half_open')
    await call()
    await app.settled()
    expect((await boss.get('/admin/api/backends')).body.backends[0].state).toBe('healthy')
  })

  test('count what their test cost against the limits of who tested them, at once', async () => {
    const limit = { scope: 'user', period: 'daily', amount_usd: 0.000001 }
    await boss.put('/admin/api/limits', { ...limit, scope_id: (await boss.get('/api/auth/me')).body.user.id })
    await boss.post('/admin/api/backends/a/test')
    await app.settled()
    expect((await call()).text).toContain('Your daily budget is used up')
  })

  test('are shown with each model that is not well there, since when and why', async () => {
    first.answer({
      status: 429,
      headers: { 'content-type': 'application/json', 'retry-after': '20' },
      chunks: ['{"type":"error","error":{"type":"rate_limit_error","message":"m"}}'],
    })
    expect((await call()).status).toBe(200)
    await app.settled()
    expect((await boss.get('/admin/api/backends')).body.backends[0]).toMatchObject({
      state: 'healthy',
      models: [
        {
          model: 'claude-opus-5-5',
          state: 'cooling_down',
          reason: 'answered 429',
          since: '2026-11-23T12:00:00.000Z',
          retry_at: '2026-11-23T12:00:20.000Z',
        },
      ],
    })
  })

  test('that do not exist are not found; bad changes are refused', async () => {
    expect((await boss.put('/admin/api/backends/c', { enabled: true })).status).toBe(404)
    expect((await boss.post('/admin/api/backends/c/check')).status).toBe(404)
    for (const body of [
      { weight: -1 },
      { weight: '1' },
      { enabled: 'yes' },
      { url: 'http://evil.test' },
      { api_key: 'x' },
    ]) {
      expect((await boss.put('/admin/api/backends/a', body)).status).toBe(400)
    }
  })
})

describe('a backend of any kind', () => {
  const PROXY = 'http://someone:secret-of-proxy@127.0.0.1:9'
  const kinds = [
    {
      given: {
        type: 'anthropic',
        url: first.url,
        api_key: 'secret-of-key',
        admin_key: 'secret-of-admin',
        proxy: PROXY,
        headers: { 'X-Team': 'secret-of-header' },
        priority: 3,
        models: ['claude-opus-*'],
      },
      shown: {
        type: 'anthropic',
        url: first.url,
        proxy: 'http://127.0.0.1:9',
        headers: ['x-team'],
        priority: 3,
        serves: ['claude-opus-*'],
        secrets: ['api_key', 'admin_key', 'proxy', 'headers'],
      },
    },
    {
      given: {
        type: 'bedrock',
        region: 'eu-west-1',
        models: [{ id: 'claude-opus-5-5', upstream: 'eu.opus' }],
        credentials: { access_key_id: 'secret-of-id', secret_access_key: 'secret-of-aws' },
      },
      shown: {
        type: 'bedrock',
        url: 'https://bedrock-runtime.eu-west-1.amazonaws.com',
        serves: ['claude-opus-5-5'],
        secrets: ['credentials'],
      },
    },
    {
      given: {
        type: 'foundry',
        resource: 'ours',
        api_key: 'secret-of-foundry',
        models: ['claude-opus-5-5'],
        proxy: 'socks5://127.0.0.1:9',
      },
      shown: { type: 'foundry', proxy: 'socks5://127.0.0.1:9', headers: [], secrets: ['api_key'] },
    },
  ]
  test.each(kinds)('$given.type is shown as it is, and which secrets are set', async ({ given, shown }) => {
    const app = await startApp({ backends: [{ name: 'a', ...given }] })
    const boss = await app.signIn('boss', 'admin')
    const { body, text } = await boss.get('/admin/api/backends')
    expect(body.backends).toMatchObject([shown])
    expect(text).not.toMatch(/secret-of|someone/)
    await app.close()
  })
})

describe('the audit', () => {
  test('is read newest first, by actor, by action, by page', async () => {
    const app = await startApp()
    const boss = await app.signIn('boss', 'admin')
    const ann = await app.signIn('ann')
    for (let i = 0; i < 5; i++) await ann.post('/api/keys', { name: `k${i}` })
    const { body } = await boss.get('/admin/api/audit')
    expect(body.total).toBe(9)
    expect(body.events[0]).toEqual({
      id: 9,
      at: '2026-11-23T12:00:00.000Z',
      actor_id: ann.id,
      actor_itcode: 'ann',
      admin_key_id: null,
      admin_key_name: null,
      action: 'key.create',
      target: expect.stringMatching(/^key:sk-.*…/),
      before: null,
      after: expect.objectContaining({ user_id: ann.id, name: 'k4', expires_at: null }),
      ip: '192.0.2.1',
      request_id: expect.stringMatching(/^req_/),
    })
    const page = await boss.get(`/admin/api/audit?actor=${ann.id}&action=key.create&page=2&page_size=2`)
    expect([page.body.total, page.body.events.map(({ id }: { id: number }) => id)]).toEqual([5, [7, 6]])
    for (const query of ['actor=x', 'page=0', 'from=1']) {
      expect((await boss.get(`/admin/api/audit?${query}`)).status).toBe(400)
    }
    for (const method of ['post', 'put'] as const)
      expect((await boss[method]('/admin/api/audit', {})).status).toBe(405)
    expect((await boss.delete('/admin/api/audit/1')).status).toBe(404)
    await app.close()
  })
})

/** What Claude Code asked a gateway of Anthropic's, asked of ours call by call: answers of the same status, keys and types. */
import { decodeJwt } from 'jose'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import * as recorded from '../cases/recorded-sign-in.ts'
import { type App, ORIGIN, startApp } from '../support/app.ts'
import type { Browser } from '../support/browser.ts'
import { type FakeUpstream, startUpstream } from '../support/upstream.ts'

const DEVICE_GRANT = 'urn:ietf:params:oauth:grant-type:device_code'
const MODEL = 'claude-opus-5-5'
const AGENT = { 'user-agent': 'claude-code/2.1.332' }

/** Keys and types, of lists those of their first element. */
function shapeOf(value: unknown): unknown {
  if (Array.isArray(value)) return value.slice(0, 1).map(shapeOf)
  if (typeof value !== 'object' || value === null) return value === null ? 'null' : typeof value
  const entries = Object.entries(value).map(([key, inner]) => [key, shapeOf(inner)] as const)
  return Object.fromEntries(entries)
}

describe('the recorded exchange', () => {
  let upstream: FakeUpstream
  let app: App
  let admin: Browser & { id: number }
  let ann: Browser & { id: number }
  beforeAll(async () => {
    upstream = await startUpstream()
    app = await startApp({
      server: { public_url: ORIGIN },
      auth: { session_secret: 'b7e1d0c4a96f42358e0d7a1c5f3b9e62d84a', email_domain: 'corp.test' },
      backends: [{ name: 'a', url: upstream.url, api_key: 'k-of-a' }],
    })
    admin = await app.signIn('admin', 'admin')
    ann = await app.signIn('ann')
    const { group } = (await admin.post('/admin/api/groups', { name: 'eng' })).body
    await admin.put(`/admin/api/groups/${group.id}/members/${ann.id}`, { role: 'member' })
  })
  afterAll(async () => {
    await app.close()
    await upstream.stop()
  })
  const form = (path: string, fields: Record<string, string>) =>
    app.request(path, {
      method: 'POST',
      headers: { ...AGENT, 'content-type': 'application/x-www-form-urlencoded' },
      body: new URLSearchParams(fields).toString(),
    })
  const poll = (device_code: string) => form('/oauth/token', { grant_type: DEVICE_GRANT, device_code })
  let token = ''
  let refreshToken = ''
  const get = (path: string, headers: Record<string, string> = {}) =>
    app.request(path, { headers: { ...AGENT, authorization: `Bearer ${token}`, ...headers } })
  const call = (body: object) =>
    app.request('/v1/messages?beta=true', {
      method: 'POST',
      headers: {
        authorization: `Bearer ${token}`,
        'content-type': 'application/json',
        'x-claude-code-request-class': 'auxiliary',
        'anthropic-version': '2023-06-01',
      },
      body: JSON.stringify({ model: MODEL, ...body }),
    })
  const QUOTA = { max_tokens: 1, messages: [{ role: 'user', content: 'quota' }] }

  test('of signing in', async () => {
    const discovery = await app.request('/.well-known/oauth-authorization-server', { headers: AGENT })
    expect([discovery.status, shapeOf(discovery.body)]).toEqual([200, shapeOf(recorded.DISCOVERY)])
    expect(discovery.body.grant_types_supported).toEqual(recorded.DISCOVERY.grant_types_supported)
    const asked = await form('/oauth/device_authorization', { surface: 'claude_code' })
    expect([asked.status, shapeOf(asked.body)]).toEqual([200, shapeOf(recorded.DEVICE_AUTHORIZATION)])
    expect(asked.headers.get('cache-control')).toBe('no-store')
    for (const error of ['authorization_pending', 'slow_down']) {
      const waiting = await poll(asked.body.device_code)
      expect([waiting.status, shapeOf(waiting.body)]).toEqual([400, shapeOf(recorded.OAUTH_ERROR)])
      expect(waiting.body.error).toBe(error)
    }
    await ann.post('/api/device/decide', { user_code: asked.body.user_code, decision: 'approved' })
    app.clock.advance(10_000)
    const tokens = await poll(asked.body.device_code)
    expect([tokens.status, shapeOf(tokens.body)]).toEqual([200, shapeOf(recorded.TOKENS)])
    token = tokens.body.access_token
    refreshToken = tokens.body.refresh_token
    expect(shapeOf(decodeJwt(token))).toEqual({ ...Object(shapeOf(recorded.CLAIMS)), did: 'string' })
  })

  test('of what is asked right after it', async () => {
    const path = '/managed/settings'
    expect((await get(path)).status).toBe(404)
    const { settings } = recorded.MANAGED_SETTINGS
    await admin.post('/admin/api/policies', { name: 'all', settings })
    const given = await get(path)
    expect([given.status, shapeOf(given.body)]).toEqual([200, shapeOf(recorded.MANAGED_SETTINGS)])
    const etag = given.headers.get('etag')
    expect(etag).toBe(`"${given.body.checksum}"`)
    for (const known of [String(etag), '*']) {
      const again = await get(path, { 'if-none-match': known })
      expect([again.status, again.text]).toEqual([304, ''])
    }
    upstream.models([MODEL])
    const models = await get('/v1/models?limit=1000')
    expect([models.status, shapeOf(models.body.data[0]), models.body.has_more]).toEqual([
      200,
      expect.objectContaining(Object(shapeOf(recorded.MODEL))),
      false,
    ])
    expect((await call(QUOTA)).status).toBe(200)
    await app.rows()
  })

  test('of /usage without a limit and with one, and of a limit that is reached', async () => {
    const unlimited = await get('/api/oauth/usage')
    expect([unlimited.status, shapeOf(unlimited.body)]).toEqual([200, shapeOf(recorded.USAGE_WITHOUT_LIMIT)])
    expect(unlimited.headers.get('cache-control')).toBe('no-store')
    await admin.put('/admin/api/limits', {
      scope: 'user',
      scope_id: ann.id,
      period: 'monthly',
      amount_usd: 1,
    })
    await app.deps.keyCache.refresh()
    const limited = await get('/api/oauth/usage')
    expect([limited.status, shapeOf(limited.body)]).toEqual([200, shapeOf(recorded.USAGE)])
    await admin.put('/admin/api/limits', {
      scope: 'user',
      scope_id: ann.id,
      period: 'monthly',
      amount_usd: 0,
    })
    await app.deps.keyCache.refresh()
    const reached = await call(QUOTA)
    expect([reached.status, shapeOf(reached.body)]).toEqual([
      429,
      { ...Object(shapeOf(recorded.REACHED_BODY)), request_id: 'string' },
    ])
    expect(reached.body.error.type).toBe(recorded.REACHED_BODY.error.type)
    for (const [name, pattern] of Object.entries(recorded.REACHED)) {
      expect([name, reached.headers.get(name)]).toEqual([name, expect.stringMatching(pattern)])
    }
    for (const name of recorded.NOT_REACHED) expect(reached.headers.get(name)).toBeNull()
  })

  test.each(['metrics', 'logs', 'traces'])(
    'of telling %s, which is 200 although nobody wants them',
    async (signal) => {
      const answer = await app.request(`/v1/${signal}`, {
        method: 'POST',
        headers: { ...AGENT, authorization: `Bearer ${token}`, 'content-type': 'application/x-protobuf' },
        body: new Uint8Array([0x0a, 0x00]),
      })
      expect([answer.status, answer.text]).toEqual([200, ''])
    },
  )

  test('of refreshing and signing out', async () => {
    const refreshed = await form('/oauth/token', { grant_type: 'refresh_token', refresh_token: refreshToken })
    expect([refreshed.status, shapeOf(refreshed.body)]).toEqual([200, shapeOf(recorded.TOKENS)])
    expect((await form('/oauth/revoke', { token: refreshed.body.access_token })).status).toBe(200)
    const hint = { token: refreshed.body.refresh_token, token_type_hint: 'refresh_token' }
    expect((await form('/oauth/revoke', hint)).status).toBe(200)
    const ended = await form('/oauth/token', {
      grant_type: 'refresh_token',
      refresh_token: refreshed.body.refresh_token,
    })
    expect([ended.status, shapeOf(ended.body)]).toEqual([401, shapeOf(recorded.OAUTH_ERROR)])
    expect(ended.body.error).toBe('invalid_grant')
    const refused = await get('/api/oauth/usage')
    expect([refused.status, refused.headers.get('x-should-retry')]).toEqual([401, 'false'])
  })
})

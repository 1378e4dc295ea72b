/** Claude Code signs in: the device flow, its tokens, and how they end. Facts: core/calls/PROTOCOL.md. */
import { decodeJwt, SignJWT } from 'jose'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { type App, ORIGIN, startApp } from '../support/app.ts'
import type { Browser } from '../support/browser.ts'

const MINUTE = 60_000
const DAY = 24 * 60 * MINUTE
const SECRET = 'b7e1d0c4a96f42358e0d7a1c5f3b9e62d84a'
const SETTINGS = {
  server: { public_url: ORIGIN },
  auth: { session_secret: SECRET, email_domain: 'corp.test' },
}
const DEVICE_GRANT = 'urn:ietf:params:oauth:grant-type:device_code'

let app: App
beforeEach(async () => {
  app = await startApp(SETTINGS)
})
afterEach(() => app.close())

const form = (path: string, fields: Record<string, string>, peer = '192.0.2.1') =>
  app.request(path, {
    method: 'POST',
    headers: { 'content-type': 'application/x-www-form-urlencoded', 'user-agent': 'claude-code/2.1.332' },
    body: new URLSearchParams(fields).toString(),
    peer,
  })
const begin = (peer?: string) => form('/oauth/device_authorization', { surface: 'claude_code' }, peer)
const poll = (device_code: string) => form('/oauth/token', { grant_type: DEVICE_GRANT, device_code })
const refresh = (refresh_token: string) =>
  form('/oauth/token', { grant_type: 'refresh_token', refresh_token })
/** 400 says that the token is good, because nothing is asked for. */
const call = (token: string, on = app) =>
  on.request('/v1/messages/count_tokens', {
    method: 'POST',
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    body: '{}',
  })
const decide = (browser: Browser, user_code: string, decision = 'approved') =>
  browser.post('/api/device/decide', { user_code, decision })
/** Signs a person in on a device. */
const signedIn = async (itcode = 'ann') => {
  const browser = await app.signIn(itcode)
  const { body: asked } = await begin()
  expect((await decide(browser, asked.user_code)).status).toBe(200)
  const { status, body } = await poll(asked.device_code)
  expect(status).toBe(200)
  return { browser, tokens: body }
}

test('what is missing or too long is told in plain words', async () => {
  const said = async (path: string, fields: Record<string, string>) => (await form(path, fields)).body
  const grant_type = 'refresh_token'
  expect(await said('/oauth/token', {})).toEqual({
    error: 'invalid_request',
    error_description: 'grant_type: this is needed',
  })
  expect(await said('/oauth/token', { grant_type, refresh_token: 'x'.repeat(1025) })).toEqual({
    error: 'invalid_request',
    error_description: 'refresh_token: at most 1024 characters are expected',
  })
})

describe('discovery', () => {
  test('names absolute addresses of this gateway only', async () => {
    const { status, body } = await app.request('/.well-known/oauth-authorization-server')
    expect(status).toBe(200)
    expect(body).toMatchObject({
      issuer: ORIGIN,
      token_endpoint: `${ORIGIN}/oauth/token`,
      gateway_protocol_version: 1,
    })
  })

  test('is not there where the gateway does not know its address', async () => {
    const other = await startApp()
    for (const path of ['/.well-known/oauth-authorization-server']) {
      const { status, body } = await other.request(path, { headers: { host: 'evil.test' } })
      expect([status, body.error]).toEqual([404, 'invalid_request'])
    }
    await other.close()
  })
})

describe('a program', () => {
  test('is let in by a person, whom its token then stands for at the price of one use', async () => {
    const { body: asked, headers } = await begin()
    expect(headers.get('cache-control')).toBe('no-store')
    expect(asked).toMatchObject({
      user_code: expect.stringMatching(/^[BCDFGHJKLMNPQRSTVWXZ]{4}-[BCDFGHJKLMNPQRSTVWXZ]{4}$/),
      verification_uri: `${ORIGIN}/device`,
      expires_in: 600,
      interval: 5,
    })
    const waiting = await poll(asked.device_code)
    expect([waiting.status, waiting.body.error]).toEqual([400, 'authorization_pending'])
    const browser = await app.signIn('ann')
    const looked = await browser.post('/api/device/lookup', { user_code: asked.user_code, typed: false })
    expect(looked.body.grant).toMatchObject({ client: 'claude-code/2.1.332', same_address: true })
    await decide(browser, asked.user_code.toLowerCase().replace('-', ' '))
    app.clock.advance(5_000)
    const answers = await Promise.all([poll(asked.device_code), poll(asked.device_code)])
    const good = answers.filter(({ status }) => status === 200)
    expect(good).toHaveLength(1)
    const { access_token, refresh_token, ...rest } = good[0]?.body ?? {}
    expect(rest).toEqual({ token_type: 'Bearer', expires_in: 3600, email: 'ann@corp.test' })
    expect(decodeJwt(access_token)).toMatchObject({
      iss: ORIGIN,
      aud: 'claude-code',
      email: 'ann@corp.test',
      name: 'ann',
      groups: [],
    })
    expect((await call(access_token)).status).toBe(400)
    const { devices } = (await browser.get('/api/devices')).body
    expect(devices).toMatchObject([{ name: 'claude-code/2.1.332', status: 'active' }])
    expect((await browser.get('/api/keys')).body.keys).toEqual([])
    expect(refresh_token).toMatch(/^rt-/)
  })

  test('that asks too often is told to slow down, and that was denied or is late to give up', async () => {
    const { body: first } = await begin()
    await poll(first.device_code)
    expect((await poll(first.device_code)).body.error).toBe('slow_down')
    const browser = await app.signIn('ann')
    await decide(browser, first.user_code, 'denied')
    expect((await poll(first.device_code)).body.error).toBe('access_denied')
    const { body: second } = await begin()
    app.clock.advance(10 * MINUTE)
    expect((await poll(second.device_code)).body.error).toBe('expired_token')
    expect((await decide(browser, second.user_code)).status).toBe(404)
    expect((await poll('nonsense')).body.error).toBe('expired_token')
  })

  test('elsewhere is let in only by a typed code, because a link may be somebody else’s', async () => {
    const { body } = await begin('198.51.100.7')
    const browser = await app.signIn('ann')
    const lookup = (typed: boolean) =>
      browser.post('/api/device/lookup', { user_code: body.user_code, typed })
    expect((await lookup(false)).status).toBe(404)
    expect((await lookup(true)).body.grant).toMatchObject({ ip: '198.51.100.7', same_address: false })
  })

  test('cannot be let in by another page, or by guessing', async () => {
    const { body } = await begin()
    const browser = await app.signIn('ann')
    const cookie = [...browser.cookies].map(([name, value]) => `${name}=${value}`).join('; ')
    const foreign = await app.request('/api/device/decide', {
      method: 'POST',
      headers: { 'content-type': 'application/json', origin: 'https://evil.test', cookie },
      body: JSON.stringify({ user_code: body.user_code, decision: 'approved' }),
    })
    expect(foreign.status).toBe(403)
    const statuses = []
    for (let i = 0; i < 30; i++) statuses.push((await decide(browser, 'BCDF-GHJK')).status)
    expect(statuses.filter((status) => status === 429)).toHaveLength(10)
  })
})

describe('a token', () => {
  test('is refreshed by two terminals that know nothing of each other, over three hours, one idle for two', async () => {
    const { tokens } = await signedIn()
    let [one, other] = [tokens.refresh_token, tokens.refresh_token]
    for (let hour = 0; hour < 3; hour++) {
      app.clock.advance(55 * MINUTE)
      const [a, b] = [await refresh(one), await refresh(other)]
      expect([a.status, b.status]).toEqual([200, 200])
      expect((await call(a.body.access_token)).status).toBe(400)
      one = a.body.refresh_token
      other = b.body.refresh_token
    }
    const idle = one
    app.clock.advance(2 * 60 * MINUTE)
    expect((await refresh(other)).status).toBe(200)
    expect((await refresh(idle)).status).toBe(200)
  })

  test('whose answer was lost works for ten more minutes, and replayed later is refused', async () => {
    const { tokens } = await signedIn()
    expect((await refresh(tokens.refresh_token)).status).toBe(200)
    app.clock.advance(9 * MINUTE)
    expect((await refresh(tokens.refresh_token)).status).toBe(200)
    app.clock.advance(2 * MINUTE)
    const late = await refresh(tokens.refresh_token)
    expect([late.status, late.body.error]).toEqual([401, 'invalid_grant'])
  })

  test('ends after an hour, its device after 30 idle days and after 90 in any case', async () => {
    const { tokens } = await signedIn()
    app.clock.advance(60 * MINUTE)
    const expired = await call(tokens.access_token)
    expect([expired.status, expired.headers.get('x-should-retry')]).toEqual([401, 'false'])
    let token = (await refresh(tokens.refresh_token)).body.refresh_token
    for (let i = 0; i < 3; i++) {
      app.clock.advance(29 * DAY)
      token = (await refresh(token)).body.refresh_token
    }
    app.clock.advance(3 * DAY)
    expect((await refresh(token)).status).toBe(401)
    const { tokens: idle } = await signedIn('bob')
    app.clock.advance(30 * DAY)
    expect((await refresh(idle.refresh_token)).status).toBe(401)
  })

  test.each(['access_token', 'refresh_token'])('is ended by signing out with the %s', async (kind) => {
    const { tokens } = await signedIn()
    expect((await form('/oauth/revoke', { token: tokens[kind] })).status).toBe(200)
    const refused = await call(tokens.access_token)
    expect([refused.status, refused.body.error.message]).toEqual([
      401,
      expect.stringContaining('Sign in again'),
    ])
    expect((await refresh(tokens.refresh_token)).status).toBe(401)
    expect((await form('/oauth/revoke', { token: 'unknown' })).status).toBe(200)
  })

  test('is ended from the dashboard by its person, by an admin, and by leaving', async () => {
    const admin = await app.signIn('admin', 'admin')
    for (const end of [
      async ({ browser, id }: { browser: Browser; id: number }) => browser.delete(`/api/devices/${id}`),
      async ({ id }: { id: number }) => admin.delete(`/admin/api/devices/${id}`),
      async ({ userId }: { userId: number }) =>
        admin.put(`/admin/api/users/${userId}`, { status: 'disabled' }),
    ]) {
      const name = `p${crypto.randomUUID().slice(0, 8)}`
      const { browser, tokens } = await signedIn(name)
      const [device] = (await browser.get('/api/devices')).body.devices
      expect((await call(tokens.access_token)).status).toBe(400)
      expect((await end({ browser, id: device.id, userId: device.user_id })).status).toBe(200)
      expect((await call(tokens.access_token)).status).toBeOneOf([401, 403])
      expect((await refresh(tokens.refresh_token)).status).toBe(401)
    }
  })

  test('is no session, a session is no token, and none of another gateway or maker is taken', async () => {
    const { browser, tokens } = await signedIn()
    const session = browser.cookies.get('session') ?? ''
    expect((await call(session)).status).toBe(401)
    const asSession = await app.request('/api/auth/me', {
      headers: { cookie: `session=${tokens.access_token}` },
    })
    expect(asSession.status).toBe(401)
    const claims = decodeJwt(tokens.access_token)
    const forged = await new SignJWT(claims)
      .setProtectedHeader({ alg: 'HS256', typ: 'at+jwt' })
      .sign(new TextEncoder().encode(SECRET))
    expect((await call(forged)).status).toBe(401)
    const other = await startApp({ ...SETTINGS, server: { public_url: 'https://other.test' } })
    expect((await call(tokens.access_token, other)).status).toBe(401)
    await other.close()
  })

  test('stays with its person: no key list of programs has the device, and it cannot be moved', async () => {
    const { browser, tokens } = await signedIn()
    const [device] = (await browser.get('/api/devices')).body.devices
    const admin = await app.signIn('admin', 'admin')
    const account = { itcode: 'robot', kind: 'service' }
    const group = (await admin.post('/admin/api/groups', { name: 'team' })).body.group
    const { user } = (await admin.post('/admin/api/users', { ...account, billing_group_id: group.id })).body
    const moved = await admin.post(`/admin/api/keys/${device.id}/move`, { user_id: user.id })
    expect(moved.status).toBe(404)
    expect((await admin.get(`/admin/api/users/${device.user_id}/leaving`)).body.keys).toEqual([])
    expect((await admin.delete(`/admin/api/users/${device.user_id}`)).status).toBe(200)
    expect((await call(tokens.access_token)).status).toBeOneOf([401, 403])
    expect((await refresh(tokens.refresh_token)).status).toBe(401)
  })
})

import { eq } from 'drizzle-orm'
import { SignJWT, UnsecuredJWT } from 'jose'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { sessions, users } from '../../core/db/schema.ts'
import { type App, startApp } from '../support/app.ts'
import { type Browser, browserOf } from '../support/browser.ts'
import { memoryStore } from '../support/memory-store.ts'

const SECRET = 'b7e1d0c4a96f42358e0d7a1c5f3b9e62d84a'
const NEXT_SECRET = 'f00dc4a96f42358e0d7a1c5f3b9e62d84ab1'
const AUTH = { session_secret: SECRET }
const HOUR = 3_600_000
const key = (secret: string) => new TextEncoder().encode(secret)

describe('a session', () => {
  let app: App
  beforeEach(async () => {
    app = await startApp({ auth: AUTH })
  })
  afterEach(() => app.close())
  const me = (token: string | undefined) =>
    app.request('/api/auth/me', { headers: { cookie: `session=${token}` } })

  test('A12: role and status are read at each request', async () => {
    const ann = await app.signIn('ann', 'admin')
    expect((await ann.get('/admin/api/users')).status).toBe(200)
    await app.db.update(users).set({ role: 'user' }).where(eq(users.id, ann.id))
    const demoted = await ann.get('/admin/api/users')
    expect([demoted.status, demoted.body.error.code]).toEqual([403, 'admins_only'])
    await app.db.update(users).set({ status: 'disabled' }).where(eq(users.id, ann.id))
    expect((await ann.get('/api/auth/me')).status).toBe(401)
  })

  test('A14: ends after a day, and after half a day without a request', async () => {
    const busy = await app.signIn('busy')
    const idle = await app.signIn('idle')
    for (let hour = 1; hour < 24; hour++) {
      app.clock.advance(HOUR)
      expect((await busy.get('/api/auth/me')).status).toBe(200)
      if (hour === 11) expect((await idle.get('/api/auth/me')).status).toBe(200)
      if (hour === 23) expect((await idle.get('/api/auth/me')).status).toBe(401)
    }
    app.clock.advance(HOUR)
    expect((await busy.get('/api/auth/me')).status).toBe(401)
  })

  test('goes on where nothing can be written, as on a full disk', async () => {
    const ann = await app.signIn('ann', 'admin')
    const { secret } = (await ann.post('/admin/api/admin-keys', { name: 'x', scopes: ['read'] })).body
    const program = () => app.request('/v1/organizations/me', { headers: { 'x-api-key': secret } })
    for (const table of ['sessions', 'admin_keys'])
      await app.db.run(
        `create trigger full_${table} before update on ${table} begin select raise(abort, 'full'); end`,
      )
    app.clock.advance(HOUR)
    expect([(await ann.get('/admin/api/users')).status, (await program()).status]).toEqual([200, 200])
  })

  test('ends everywhere at once when its user says so', async () => {
    const [desk, phone] = [await app.signIn('ann'), await app.signIn('ann')]
    const other = await app.signIn('bob')
    expect((await desk.post('/api/auth/logout-everywhere')).status).toBe(200)
    expect((await phone.get('/api/auth/me')).status).toBe(401)
    expect((await desk.get('/api/auth/me')).status).toBe(401)
    expect((await other.get('/api/auth/me')).status).toBe(200)
  })

  test('A16: only a token that this gateway signed, for this purpose, opens one', async () => {
    const ann = await app.signIn('ann')
    const good = ann.cookies.get('session') ?? ''
    const [header = '', payload = '', signature = ''] = good.split('.')
    const claims = JSON.parse(atob(payload))
    const token = (change: object, secret = SECRET, protectedHeader: object = {}) => {
      const all = Object.entries({ ...claims, ...change }).filter(([, value]) => value !== undefined)
      return new SignJWT(Object.fromEntries(all))
        .setProtectedHeader({ alg: 'HS256', typ: 'JWT', ...protectedHeader })
        .sign(key(secret))
    }
    const now = Math.floor(app.clock.now() / 1000)
    const flip = (text: string) => (text.startsWith('A') ? 'B' : 'A') + text.slice(1)
    const bad = {
      none: new UnsecuredJWT(claims).encode(),
      'another secret': await token({}, NEXT_SECRET),
      HS512: await token({}, SECRET.repeat(2), { alg: 'HS512' }),
      'another type': await token({}, SECRET, { typ: 'at+jwt' }),
      'no type': await token({}, SECRET, { typ: undefined }),
      'no expiry': await token({ exp: undefined }),
      'in the past': await token({ exp: now }),
      'in the future': await token({ nbf: now + 60 }),
      'no issue time': await token({ iat: undefined }),
      'another audience': await token({ aud: 'api' }),
      'another issuer': await token({ iss: 'someone' }),
      'another subject': await token({ sub: '2' }),
      'no session': await token({ sid: undefined }),
      'another session': await token({ sid: 'a'.repeat(32) }),
      'a session that is no text': await token({ sid: 1 }),
      'a changed claim': `${header}.${btoa(JSON.stringify({ ...claims, sub: '2' })).replace(/=+$/, '')}.${signature}`,
      'a changed signature': `${header}.${payload}.${flip(signature)}`,
      'cut off': good.slice(0, -2),
      'two parts': `${header}.${payload}`,
      'ten kilobytes': `${good}${'A'.repeat(10_000)}`,
      'a list': '[]',
      nothing: '',
    }
    for (const [what, text] of Object.entries(bad))
      expect([what, (await me(text)).status]).toEqual([what, 401])
    expect((await me(good)).status).toBe(200)
  })

  test('A26: of a user who is gone is nothing', async () => {
    const ann = await app.signIn('ann')
    await app.db.delete(sessions)
    await app.db.delete(users).where(eq(users.id, ann.id))
    expect((await ann.get('/api/auth/me')).status).toBe(401)
  })

  test('logging out without one is fine', async () => {
    expect((await app.browser().post('/api/auth/logout')).status).toBe(200)
  })
})

test('A17: a new secret signs, the old one still verifies, until it is taken away', async () => {
  const store = await memoryStore()
  const kept = { ...store, close: async () => {} }
  const old = await startApp({ auth: AUTH }, kept)
  const token = (await old.signIn('ann')).cookies.get('session')
  const ask = async (session_secret: string | string[]) => {
    const app = await startApp({ auth: { session_secret } }, kept)
    return (await app.request('/api/auth/me', { headers: { cookie: `session=${token}` } })).status
  }
  expect(await ask([NEXT_SECRET, SECRET])).toBe(200)
  expect(await ask(NEXT_SECRET)).toBe(401)
  await store.close()
})

test('two gateways on ports of one host keep their cookies apart; the names of before are still read', async () => {
  const app = await startApp({ auth: AUTH })
  const at = (host: string) => browserOf(app.request, () => `http://${host}`)
  const one = await app.signIn('ann', 'user', at('localhost:8080'))
  const two = at('localhost:8081')
  await app.signIn('bob', 'user', two)
  expect([...one.cookies.keys(), ...two.cookies.keys()].sort()).toEqual([
    'browser-8080',
    'browser-8081',
    'session-8080',
    'session-8081',
  ])
  // A browser sends both gateways all of them.
  for (const [name, value] of one.cookies) two.cookies.set(name, value)
  expect((await two.get('/api/auth/me')).body.user.itcode).toBe('bob')
  const old = at('localhost:8082')
  old.cookies.set('session', one.cookies.get('session-8080') ?? '')
  expect((await old.get('/api/auth/me')).body.user.itcode).toBe('ann')
  expect((await old.post('/api/auth/logout')).status).toBe(200)
  expect((await one.get('/api/auth/me')).status).toBe(401)
  await app.close()
})

test('on plain http the port of the public address names the cookies, however it is reached', async () => {
  const app = await startApp({ auth: AUTH, server: { public_url: 'http://gateway.test:9000' } })
  const browser = app.browser()
  const headers = { origin: 'http://gateway.test:9000' }
  await browser.post('/api/auth/send-code', { itcode: 'ann' }, { headers })
  expect([...browser.cookies.keys()]).toEqual(['browser-9000'])
  await app.close()
})

test('where the public address is known, changes from any other are refused', async () => {
  const app = await startApp({ auth: AUTH, server: { public_url: 'https://gateway.test' } })
  const send = (origin: string, host: string) =>
    app.browser().post('/api/auth/send-code', { itcode: 'ann' }, { headers: { origin, host } })
  // By DNS anybody's name may lead here.
  for (const name of ['evil.test', 'localhost:8080', '10.0.0.1', 'gateway.test']) {
    const answer = await send(`http://${name}`, name)
    expect([answer.status, answer.body.error?.code]).toEqual([403, 'foreign_origin'])
  }
  expect((await send('https://gateway.test', 'internal:8080')).status).toBe(200)
  await app.close()
})

test('A15: over https the cookies are Secure and of this host alone, and are cleared as they were set', async () => {
  const app = await startApp({ auth: AUTH, server: { public_url: 'https://gateway.test' } })
  const browser = app.browser()
  const headers = { origin: 'https://gateway.test' }
  const sent = await browser.post('/api/auth/send-code', { itcode: 'ann' }, { headers })
  expect(sent.headers.getSetCookie()).toEqual([
    expect.stringMatching(
      /^__Host-browser=[a-z0-9]{32}; Max-Age=31536000; Path=\/; HttpOnly; Secure; SameSite=Lax$/,
    ),
  ])
  await app.settled()
  const answer = await browser.post('/api/auth/login', { itcode: 'ann', code: app.code() }, { headers })
  expect(answer.headers.getSetCookie()).toEqual([
    expect.stringMatching(/^__Host-session=[\w.-]+; Max-Age=86400; Path=\/; HttpOnly; Secure; SameSite=Lax$/),
  ])
  expect(answer.headers.get('strict-transport-security')).toMatch(/max-age=\d{7,}/)
  const out = await browser.post('/api/auth/logout', undefined, { headers })
  expect(out.headers.getSetCookie()).toEqual([
    '__Host-session=; Max-Age=0; Path=/; HttpOnly; Secure; SameSite=Lax',
  ])
  await app.close()
})

describe('a change', () => {
  let app: App
  let ann: Browser
  beforeEach(async () => {
    app = await startApp({ auth: AUTH })
    ann = await app.signIn('ann')
  })
  afterEach(() => app.close())

  test.each([
    ['no origin', { origin: '' }],
    ['the origin null', { origin: 'null' }],
    ['a foreign origin', { origin: 'http://evil.test' }],
    ['a sibling of ours', { origin: 'http://a.gateway.test' }],
    ['our name on another port', { origin: 'http://gateway.test:81' }],
    ['our name as a user', { origin: 'http://gateway.test@evil.test' }],
    ['a foreign site', { 'sec-fetch-site': 'cross-site' }],
    ['a sibling site', { 'sec-fetch-site': 'same-site' }],
    ['no site', { 'sec-fetch-site': 'none' }],
  ])('W01: with %s is refused and changes nothing', async (_what, headers) => {
    const answer = await ann.post('/api/keys', { name: 'x' }, { headers })
    expect([answer.status, answer.body.error.code]).toEqual([403, 'foreign_origin'])
    expect((await ann.get('/api/keys')).body.keys).toEqual([])
  })

  test('that the browser calls same-origin needs no Origin; a script without cookies neither', async () => {
    const headers = { origin: '', 'sec-fetch-site': 'same-origin' }
    expect((await ann.post('/api/keys', { name: 'x' }, { headers })).status).toBe(201)
    const bare = await app.request('/api/auth/send-code', {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: '{"itcode":"bob"}',
    })
    expect(bare.status).toBe(200)
  })

  test.each([
    'text/plain',
    'application/x-www-form-urlencoded',
    'multipart/form-data; boundary=x',
    'application/json; charset=utf-16',
    'application/jsonp',
    '',
  ])('W02: as %j is refused', async (type) => {
    const answer = await ann.post('/api/keys', '{"name":"x"}', { headers: { 'content-type': type } })
    expect([answer.status, answer.body.error.code]).toEqual([415, 'unsupported_media_type'])
  })

  test.each([{ 'content-length': '7' }, { 'transfer-encoding': 'chunked' }])(
    'W02: as text is refused also where no body is read, by %o',
    async (framing) => {
      const { id } = (await ann.post('/api/keys', { name: 'x' })).body.key
      const path = `/api/keys/${id}/disable`
      const text = await ann.put(path, 'so what', { headers: { 'content-type': 'text/plain', ...framing } })
      expect([text.status, text.body.error?.code]).toEqual([415, 'unsupported_media_type'])
      expect((await ann.get('/api/keys')).body.keys[0].status).toBe('active')
      expect((await ann.put(path, {}, { headers: framing })).status).toBe(200)
      expect((await ann.put(path, undefined, { headers: { 'content-length': '0' } })).status).toBe(200)
    },
  )

  test.each([
    ['not JSON', '{"name":'],
    ['two values', '{"name":"x"}{"name":"y"}'],
    ['broken UTF-8', '{"name":"\xff'],
    ['a prototype', '{"name":"x","__proto__":{"role":"admin"}}'],
    ['a constructor', '{"name":"x","constructor":{"prototype":{"x":1}}}'],
    ['depth', `${'['.repeat(10_000)}${']'.repeat(10_000)}`],
    ['infinity', '{"name":1e400}'],
    ['a list', '[]'],
    ['null', 'null'],
  ])('I07: with %s is a 400', async (_what, body) => {
    expect((await ann.post('/api/keys', body)).status).toBe(400)
    expect(Reflect.get({}, 'role')).toBeUndefined()
  })

  test('over 64 KB is too large', async () => {
    expect((await ann.post('/api/keys', { name: 'x'.repeat(70_000) })).status).toBe(413)
  })
})

describe('every answer', () => {
  test('W03, W04, W05: grants no other origin anything, is not stored, and binds the browser', async () => {
    const app = await startApp({ auth: AUTH })
    const ann = await app.signIn('ann')
    const foreign = { headers: { origin: 'http://evil.test' } }
    const answers = [
      await ann.get('/api/auth/me', foreign),
      await ann.get('/api/keys', foreign),
      await ann.get('/api/nothing', foreign),
      await ann.post('/api/keys', {}, {}),
      await app.request('/api/keys', { method: 'OPTIONS', headers: { origin: 'http://evil.test' } }),
      await app.request('/v1/nothing', foreign),
    ]
    for (const { headers } of answers) {
      expect([...headers.keys()].filter((name) => name.startsWith('access-control'))).toEqual([])
      expect(Object.fromEntries(headers)).toMatchObject({
        'cache-control': 'no-store',
        'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
        'x-content-type-options': 'nosniff',
        'referrer-policy': 'same-origin',
        'cross-origin-opener-policy': 'same-origin',
        'cross-origin-resource-policy': 'same-origin',
        'permissions-policy': expect.any(String),
        'request-id': expect.stringMatching(/^req_/),
      })
    }
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 404, 400, 405, 404])
    await app.close()
  })
})

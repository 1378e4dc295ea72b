/** Every route for every kind of caller, made from the route table: a route that is added is in it. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { COMMAND_LINE } from '../../core/audit/record.ts'
import { sessions } from '../../core/db/schema.ts'
import { updateUser } from '../../core/users/manage.ts'
import { functions } from '../../functions/gateway.ts'
import type { Route, Tier } from '../../functions/route.ts'
import { type App, ORIGIN, startApp } from '../support/app.ts'
import type { Browser } from '../support/browser.ts'

type Who =
  | 'anonymous'
  | 'a user'
  | 'an admin'
  | 'a disabled user'
  | 'a demoted admin'
  | 'a revoked session'
  | 'an API key'
  | 'a session as a key'

/** What each tier answers to each of them; undefined: they get in. */
const EXPECTED: Record<Tier, Record<Who, number | undefined>> = {
  public: {
    anonymous: undefined,
    'a user': undefined,
    'an admin': undefined,
    'a disabled user': undefined,
    'a demoted admin': undefined,
    'a revoked session': undefined,
    'an API key': undefined,
    'a session as a key': undefined,
  },
  monitor: {
    anonymous: 401,
    'a user': 401,
    'an admin': 401,
    'a disabled user': 401,
    'a demoted admin': 401,
    'a revoked session': 401,
    'an API key': 401,
    'a session as a key': 401,
  },
  key: {
    anonymous: 401,
    'a user': 401,
    'an admin': 401,
    'a disabled user': 401,
    'a demoted admin': 401,
    'a revoked session': 401,
    'an API key': undefined,
    'a session as a key': 401,
  },
  session: {
    anonymous: 401,
    'a user': undefined,
    'an admin': undefined,
    'a disabled user': 401,
    'a demoted admin': undefined,
    'a revoked session': 401,
    'an API key': 401,
    'a session as a key': 401,
  },
  admin: {
    anonymous: 401,
    'a user': 403,
    'an admin': undefined,
    'a disabled user': 401,
    'a demoted admin': 403,
    'a revoked session': 401,
    'an API key': 401,
    'a session as a key': 401,
  },
}
const WHO = Object.keys(EXPECTED.public) as Who[]

/** The tiers as the contract names them: what a route declares must agree. */
function contractTier(path: string): Tier {
  if (path.startsWith('/admin/api/')) return 'admin'
  if (path.startsWith('/v1/')) return 'key'
  if (path === '/metrics') return 'monitor'
  const open =
    /^\/(healthz|readyz|openapi\.json|docs.*|api\/hello|api\/auth\/(config|send-code|login|logout))$/
  return open.test(path) ? 'public' : 'session'
}

const routes: Route[] = Object.values(functions).flat()

describe('the route table', () => {
  test.each(routes)('declares the tier that the contract has for $method $path', ({ path, tier }) => {
    expect(tier).toBe(contractTier(path))
  })

  test('Z01: holds every route of the contract', () => {
    const known = new Set(routes.map(({ method, path }) => `${method} ${path.replace(/:\w+/g, '{}')}`))
    const contract = `
      POST /v1/messages | POST /v1/messages/count_tokens | GET /v1/models | GET /v1/models/{} | HEAD /api/hello
      GET /api/auth/config | POST /api/auth/send-code | POST /api/auth/login | POST /api/auth/logout | GET /api/auth/me
      GET /api/keys | POST /api/keys | PUT /api/keys/{} | PUT /api/keys/{}/disable | PUT /api/keys/{}/enable
      DELETE /api/keys/{} | GET /api/models | POST /api/applications | GET /api/applications
      DELETE /api/applications/{} | GET /admin/api/applications | PUT /admin/api/applications/{}/review
      DELETE /admin/api/grants/{} | GET /admin/api/users | GET /admin/api/users/{} | POST /admin/api/users
      PUT /admin/api/users/{} | GET /admin/api/keys | PUT /admin/api/keys/{}/disable | PUT /admin/api/keys/{}/enable
      GET /admin/api/backends | PUT /admin/api/backends/{} | POST /admin/api/backends/{}/check | GET /admin/api/audit
      GET /api/usage | GET /api/usage/daily | GET /api/usage/hourly | GET /api/usage/summary | GET /api/usage/export
      GET /admin/api/usage | GET /admin/api/usage/daily | GET /admin/api/usage/hourly | GET /admin/api/usage/summary
      GET /admin/api/usage/export | GET /admin/api/backends/stats | GET /healthz | GET /readyz`
    const wanted = contract.split(/\s*[|\n]\s*/).filter(Boolean)
    expect(wanted.map((route) => route.trim()).filter((route) => !known.has(route))).toEqual([])
  })
})

describe('authorisation', () => {
  let app: App
  const headers = new Map<Who, Record<string, string>>()
  beforeAll(async () => {
    app = await startApp({
      backends: [{ name: 'a', url: 'http://127.0.0.1:9', api_key: 'k-of-a' }],
      metrics: { token: 'a-token-of-nobody' },
    })
    const cookieOf = ({ cookies }: Browser) => ({
      origin: ORIGIN,
      cookie: [...cookies].map(([name, value]) => `${name}=${value}`).join('; '),
    })
    const parts = { ...app.deps, actor: COMMAND_LINE }
    const admin = await app.signIn('admin', 'admin')
    const user = await app.signIn('user')
    const disabled = await app.signIn('disabled')
    const demoted = await app.signIn('demoted', 'admin')
    await updateUser(parts, disabled.id, { status: 'disabled' })
    await updateUser(parts, demoted.id, { role: 'user' })
    const revoked = await app.signIn('revoked', 'admin')
    const gone = cookieOf(revoked)
    await revoked.post('/api/auth/logout')
    const { key } = (await user.post('/api/keys', { name: 'x' })).body.key
    headers.set('anonymous', {})
    headers.set('a user', cookieOf(user))
    headers.set('an admin', cookieOf(admin))
    headers.set('a disabled user', cookieOf(disabled))
    headers.set('a demoted admin', cookieOf(demoted))
    headers.set('a revoked session', gone)
    headers.set('an API key', { authorization: `Bearer ${key}`, 'x-api-key': key })
    headers.set('a session as a key', { authorization: `Bearer ${user.cookies.get('session')}` })
  })
  afterAll(() => app.close())

  /** Nothing in it is right, so that whoever gets in changes nothing: a 400 or 404 says that the door was open. */
  const knock = async ({ method, path }: Route, who: Who) => {
    const answer = await app.open(path.replace(/:\w+/g, '999999'), {
      method,
      headers: { 'content-type': 'application/json', host: new URL(ORIGIN).host, ...headers.get(who) },
      ...(method === 'POST' || method === 'PUT' ? { body: '{"nothing":"known"}' } : {}),
    })
    // Some answers do not end.
    await answer.body?.cancel()
    return answer
  }

  const guarded = routes.filter(({ path }) => !/^\/api\/auth\/logout/.test(path))
  test.each(guarded)('Z01: $method $path', async (route) => {
    for (const who of WHO) {
      const { status, headers: given } = await knock(route, who)
      const expected = EXPECTED[route.tier][who]
      if (expected === undefined) expect([who, status]).not.toEqual([who, expect.toBeOneOf([401, 403])])
      else {
        expect([who, status]).toEqual([who, expected])
        expect(given.get('cache-control')).toBe('no-store')
      }
    }
  })

  test('Z09: and whoever was turned away changed nothing', async () => {
    const dump = async () =>
      JSON.stringify([
        await app.db.query.users.findMany(),
        await app.db.query.apiKeys.findMany(),
        await app.db.query.applications.findMany(),
        await app.db.query.grants.findMany(),
        (await app.db.select().from(sessions)).map(({ id, revokedAt }) => [id, revokedAt]),
        await app.audit(),
      ])
    const before = await dump()
    for (const route of guarded) {
      for (const who of WHO) if (EXPECTED[route.tier][who] !== undefined) await knock(route, who)
    }
    expect(await dump()).toBe(before)
  })

  test('I10: every path answers other methods with 405 and the ones it knows', async () => {
    for (const path of new Set(routes.map((route) => route.path))) {
      // What is there to be got may also be asked for its head.
      const methods = routes
        .filter((route) => route.path === path)
        .flatMap(({ method }) => (method === 'GET' ? ['GET', 'HEAD'] : [method as string]))
      const address = path.replace(/:\w+/g, '1')
      const also = routes.filter(({ path }) =>
        new RegExp(`^${path.replace(/:\w+/g, '[^/]+')}$`).test(address),
      )
      const other =
        ['GET', 'PATCH', 'DELETE'].find((name) => also.every(({ method }) => method !== name)) ?? 'PATCH'
      const answer = await app.request(address, { method: other })
      expect([path, answer.status, answer.headers.get('allow')]).toEqual([path, 405, methods.join(', ')])
    }
  })

  test.each([
    '/admin%2fapi/users',
    '//admin/api/users',
    '/admin/api/users/',
    '/ADMIN/api/users',
    '/api/keys;x',
    '/api/keys%00',
    '/%61pi/keys',
    '/api/keys.',
  ])('I08: %s leads nowhere', async (path) => {
    const answer = await app.request(path, { headers: headers.get('an admin') ?? {} })
    expect(answer.status).toBe(404)
    expect(answer.text).not.toContain('itcode')
  })
})

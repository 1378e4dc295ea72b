/** Every route for every kind of caller, made from the route table: a route that is added is in it. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { COMMAND_LINE } from '../../core/audit/record.ts'
import { sessions } from '../../core/db/schema.ts'
import { ADMIN_SCOPES, type AdminScope, createAdminKey } from '../../core/keys/admin-keys.ts'
import { createGroup } from '../../core/organisation/groups.ts'
import { setMember } from '../../core/organisation/members.ts'
import { updateUser } from '../../core/users/manage.ts'
import { runReport } from '../../functions/reports.ts'
import type { ReportDeps, Route, Tier } from '../../functions/route.ts'
import { functions } from '../../functions/table.ts'
import { type App, ORIGIN, startApp } from '../support/app.ts'
import type { Browser } from '../support/browser.ts'

type Who =
  | 'anonymous'
  | 'a user'
  | 'a lead'
  | 'an accountant'
  | 'an auditor'
  | 'an admin'
  | 'a disabled user'
  | 'a demoted admin'
  | 'a revoked session'
  | 'an API key'
  | 'a session as a key'
  | Program
type Program = `a program that may ${AdminScope}`
const PROGRAMS = ADMIN_SCOPES.map((scope): Program => `a program that may ${scope}`)

function everybody(status: number | undefined): Record<Who, number | undefined> {
  return {
    anonymous: status,
    'a user': status,
    'a lead': status,
    'an accountant': status,
    'an auditor': status,
    'an admin': status,
    'a disabled user': status,
    'a demoted admin': status,
    'a revoked session': status,
    'an API key': status,
    'a session as a key': status,
    ...programs(status),
  }
}

function programs(status: number | undefined): Record<Program, number | undefined> {
  // The cast holds because PROGRAMS has all of them.
  return Object.fromEntries(PROGRAMS.map((one) => [one, status])) as Record<Program, number | undefined>
}

function among(...who: Who[]): Partial<Record<Who, undefined>> {
  return Object.fromEntries(who.map((one) => [one, undefined]))
}

const NOT_SIGNED_IN = {
  anonymous: 401,
  'a disabled user': 401,
  'a revoked session': 401,
  'an API key': 401,
  'a session as a key': 401,
  ...programs(401),
}
/** What each tier answers to each of them; undefined: they get in. */
const EXPECTED: Record<Exclude<Tier, 'admin-key'>, Record<Who, number | undefined>> = {
  public: everybody(undefined),
  device: everybody(undefined),
  monitor: everybody(401),
  key: { ...everybody(401), 'an API key': undefined },
  session: { ...everybody(undefined), ...NOT_SIGNED_IN },
  billing: { ...everybody(403), ...NOT_SIGNED_IN, ...among('an accountant', 'an auditor', 'an admin') },
  auditor: { ...everybody(403), ...NOT_SIGNED_IN, ...among('an auditor', 'an admin') },
  admin: { ...everybody(403), ...NOT_SIGNED_IN, ...among('an admin') },
}
/** Which scopes open a route of the tier admin-key. */
const OPENS: Record<AdminScope, readonly AdminScope[]> = {
  read: ['read', 'write'],
  write: ['write'],
  usage: ['usage', 'read', 'write'],
  scim: ['scim'],
}
function expectedOf({ tier, scope, method }: Route): Record<Who, number | undefined> {
  if (tier !== 'admin-key') return EXPECTED[tier]
  const opened = OPENS[scope ?? (method === 'GET' ? 'read' : 'write')]
  const open = opened.map((one): Program => `a program that may ${one}`)
  return { ...everybody(401), ...programs(403), ...among(...open) }
}
const WHO = Object.keys(EXPECTED.public) as Who[]

/** The tiers as the contract names them: what a route declares must agree. */
function contractTier(method: string, path: string): Tier {
  if (/^\/admin\/api\/(usage|groups|limits|reports|reconciliation|backends\/stats)/.test(path))
    return method === 'GET' ? 'billing' : 'admin'
  if (path.startsWith('/admin/api/')) return method === 'GET' ? 'auditor' : 'admin'
  if (/^\/(v1\/organizations|scim)\//.test(path)) return 'admin-key'
  if (
    path.startsWith('/v1/') ||
    path === '/api/oauth/usage' ||
    /^\/(managed\/settings|user\/bootstrap)$/.test(path)
  )
    return 'key'
  if (/^\/(oauth|\.well-known)\//.test(path)) return 'device'
  if (path === '/metrics') return 'monitor'
  const open =
    /^\/(healthz|readyz|openapi.*|api\/hello|api\/connect.*|api\/auth\/(config|invitation|send-code|login|logout|oidc\/.*|ldap))$/
  return open.test(path) ? 'public' : 'session'
}

const NOTHING = {} as unknown as ReportDeps // what is not there fails
const routes: Route[] = Object.values(functions).flat()

describe('the route table', () => {
  test.each(routes)('declares the tier that the contract has for $method $path', ({ method, path, tier }) => {
    expect(tier).toBe(contractTier(method, path))
  })

  test('has every report where reports run', async () => {
    const call = {
      caller: undefined,
      params: {},
      query: {},
      id: '',
      actor: { id: null, ip: '', requestId: '' },
    }
    for (const { path } of routes.filter(({ report }) => report)) {
      // Without a database none gets far.
      const failed = await runReport(NOTHING, path, call).catch(String)
      expect(failed).not.toContain('no report')
    }
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
    const accountant = await app.signIn('accountant', 'billing')
    const auditor = await app.signIn('auditor', 'auditor')
    const lead = await app.signIn('lead')
    const team = await createGroup(parts, { name: 'team', leadsAdd: true, leadMaxMicros: 1_000_000 })
    await setMember(parts, team.id, lead.id, 'lead')
    const user = await app.signIn('user')
    const disabled = await app.signIn('disabled')
    const demoted = await app.signIn('demoted', 'admin')
    await updateUser(parts, disabled.id, { status: 'disabled' })
    await updateUser(parts, demoted.id, { role: 'user' })
    const revoked = await app.signIn('revoked', 'admin')
    const gone = cookieOf(revoked)
    await revoked.post('/api/auth/logout')
    const { key } = (await user.post('/api/keys', { name: 'x' })).body.key
    for (const scope of ADMIN_SCOPES) {
      const wanted = { name: scope, scopes: [scope], expiresAt: null }
      const { secret } = await createAdminKey({ ...parts, sha256: app.deps.sha256 }, wanted)
      headers.set(`a program that may ${scope}`, { 'x-api-key': secret })
    }
    headers.set('anonymous', {})
    headers.set('a user', cookieOf(user))
    headers.set('a lead', cookieOf(lead))
    headers.set('an accountant', cookieOf(accountant))
    headers.set('an auditor', cookieOf(auditor))
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
      ...(['POST', 'PUT', 'PATCH'].includes(method) ? { body: '{"nothing":"known"}' } : {}),
    })
    // Some answers do not end.
    await answer.body?.cancel()
    return answer
  }

  const guarded = routes.filter(({ path }) => !/^\/api\/auth\/logout/.test(path))
  test.each(guarded)('Z01: $method $path', async (route) => {
    for (const who of WHO) {
      const { status, headers: given } = await knock(route, who)
      const expected = expectedOf(route)[who]
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
        await app.db.query.groups.findMany(),
        await app.db.query.groupMembers.findMany(),
        await app.db.query.spendLimits.findMany(),
        await app.db.query.increaseRequests.findMany(),
        (await app.db.select().from(sessions)).map(({ id, revokedAt }) => [id, revokedAt]),
        await app.audit(),
      ])
    const before = await dump()
    for (const route of guarded) {
      for (const who of WHO) if (expectedOf(route)[who] !== undefined) await knock(route, who)
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
        ['GET', 'PATCH', 'DELETE', 'POST'].find((name) => also.every(({ method }) => method !== name)) ??
        'PATCH'
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

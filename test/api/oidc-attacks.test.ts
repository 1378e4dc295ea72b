/** Somebody tries to sign in as another, or to lead somebody away, by what comes back from a provider. */
import { eq } from 'drizzle-orm'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { COMMAND_LINE } from '../../core/audit/record.ts'
import { groupMembers, groups, identities, users } from '../../core/db/schema.ts'
import { registerUser } from '../../core/users/manage.ts'
import { type App, ORIGIN, startApp } from '../support/app.ts'
import { CLIENT, type OidcServer, signInAt, startOidc } from '../support/oidc.ts'

let okta: OidcServer
let other: OidcServer
let app: App

beforeAll(async () => {
  const callback = (name: string) => `${ORIGIN}/api/auth/oidc/${name}/callback`
  // The other one is told addresses of the first as well, as an attacker who runs it could.
  okta = await startOidc({ redirectUris: [callback('okta')] })
  other = await startOidc({ redirectUris: [callback('other'), callback('okta')] })
})
afterAll(async () => {
  await okta.stop()
  await other.stop()
})
beforeEach(async () => {
  for (const server of [okta, other]) server.people.clear()
  app = await open()
  return () => app.close()
})

const open = (rules: object = {}, given: object = {}) =>
  startApp({
    server: { public_url: ORIGIN },
    ...given,
    oidc: {
      providers: [
        { name: 'okta', issuer: okta.issuer, ...CLIENT, groups_claim: 'groups', ...rules },
        { name: 'other', issuer: other.issuer, ...CLIENT },
      ],
    },
  })

function someone(server: OidcServer, subject: string, claims: object = {}) {
  server.who = subject
  server.people.set(subject, { claims: { email: `${subject}@example.com`, email_verified: true, ...claims } })
}
const account = (itcode: string, given: object = {}) =>
  registerUser({ ...app.deps, actor: COMMAND_LINE }, { itcode, role: 'user', quotaTokens: 0, ...given })
const problem = (answer: { headers: Headers }) =>
  /^\/login\?problem=(\w+)$/.exec(answer.headers.get('location') ?? '')?.[1]
const people = async () => (await app.db.select().from(users)).map(({ itcode }) => itcode)

describe('an answer of a provider is worth nothing', () => {
  test('in a browser that did not begin the sign-in', async () => {
    someone(okta, 'ann')
    const start = await app.browser().get('/api/auth/oidc/okta/start')
    const back = await okta.visit(start.headers.get('location') ?? '')
    const victim = app.browser()
    const refused = await victim.get(back.pathname + back.search)
    expect(problem(refused)).toBe('expired')
    expect((await victim.get('/api/auth/me')).status).toBe(401)
  })

  test('in a browser that began another sign-in', async () => {
    someone(okta, 'ann')
    const start = await app.browser().get('/api/auth/oidc/okta/start')
    const back = await okta.visit(start.headers.get('location') ?? '')
    const victim = app.browser()
    await victim.get('/api/auth/oidc/okta/start')
    expect(problem(await victim.get(back.pathname + back.search))).toBe('failed')
    expect(await people()).toEqual([])
  })

  test('a second time', async () => {
    someone(okta, 'ann')
    const browser = app.browser()
    const start = await browser.get('/api/auth/oidc/okta/start')
    const kept = new Map(browser.cookies)
    const back = await okta.visit(start.headers.get('location') ?? '')
    expect((await browser.get(back.pathname + back.search)).headers.get('location')).toBe('/')
    expect(problem(await browser.get(back.pathname + back.search))).toBe('expired')
    // Nor with the cookie that the browser has given back.
    const thief = app.browser()
    for (const [name, value] of kept) thief.cookies.set(name, value)
    expect(problem(await thief.get(back.pathname + back.search))).toBe('failed')
  })

  test('after ten minutes', async () => {
    someone(okta, 'ann')
    const browser = app.browser()
    const start = await browser.get('/api/auth/oidc/okta/start')
    const back = await okta.visit(start.headers.get('location') ?? '')
    app.clock.advance(600_000)
    expect(problem(await browser.get(back.pathname + back.search))).toBe('expired')
  })

  test('with another nonce than the one of this sign-in', async () => {
    someone(okta, 'ann')
    const browser = app.browser()
    const start = await browser.get('/api/auth/oidc/okta/start')
    const address = new URL(start.headers.get('location') ?? '')
    address.searchParams.set('nonce', 'of-somebody-else')
    const back = await okta.visit(address.href)
    expect(problem(await browser.get(back.pathname + back.search))).toBe('failed')
    expect(await people()).toEqual([])
  })

  test('with a code that was given for another challenge', async () => {
    someone(okta, 'ann')
    const browser = app.browser()
    const start = await browser.get('/api/auth/oidc/okta/start')
    const address = new URL(start.headers.get('location') ?? '')
    address.searchParams.set('code_challenge', 'E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM')
    const back = await okta.visit(address.href)
    expect(problem(await browser.get(back.pathname + back.search))).toBe('failed')
  })

  test('if it comes from another provider than the one that was asked', async () => {
    someone(other, 'ann')
    const browser = app.browser()
    const start = await browser.get('/api/auth/oidc/okta/start')
    const asked = new URL(start.headers.get('location') ?? '')
    // The person was led to the attacker's provider with everything that the first one was to get.
    const back = await other.visit(`${other.issuer}/auth${asked.search}`)
    expect(problem(await browser.get(back.pathname + back.search))).toBe('failed')
    // And so if its answer is taken to where the attacker's own is expected.
    const moved = back.search
    await browser.get('/api/auth/oidc/okta/start')
    expect(problem(await browser.get(`/api/auth/oidc/other/callback${moved}`))).toBe('expired')
    expect(await people()).toEqual([])
  })

  test('if the person did not agree', async () => {
    const browser = app.browser()
    const start = await browser.get('/api/auth/oidc/okta/start')
    const state = new URL(start.headers.get('location') ?? '').searchParams.get('state')
    const iss = encodeURIComponent(okta.issuer)
    const answer = await browser.get(
      `/api/auth/oidc/okta/callback?error=access_denied&state=${state}&iss=${iss}`,
    )
    expect(problem(answer)).toBe('failed')
  })
})

describe('nobody is led away', () => {
  test.each([
    'https://evil.test/',
    '//evil.test/',
    '/\\evil.test/',
    '/\u00a0/evil.test/',
    'javascript:alert(1)',
    '/api/auth/logout',
    'keys',
  ])('to %j', async (next) => {
    someone(okta, 'ann')
    expect((await signInAt(okta, app.browser(), 'okta', next)).headers.get('location')).toBe('/')
  })

  test('to what the Host header says', async () => {
    const start = await app.browser().get('/api/auth/oidc/okta/start', { headers: { host: 'evil.test' } })
    const location = new URL(start.headers.get('location') ?? '')
    expect(location.searchParams.get('redirect_uri')).toBe(`${ORIGIN}/api/auth/oidc/okta/callback`)
  })

  test('without server.public_url, because the gateway does not know its address', async () => {
    const { close, browser } = await open({}, { server: {} })
    expect((await browser().get('/api/auth/config')).body.providers).toEqual([])
    expect((await browser().get('/api/auth/oidc/okta/start')).status).toBe(404)
    await close()
  })
})

describe('an address', () => {
  test('that the provider verified opens the account of somebody without rights', async () => {
    const made = await account('ann@example.com')
    someone(okta, 'ann')
    await signInAt(okta, app.browser(), 'okta')
    expect(await app.db.select().from(identities)).toMatchObject([{ userId: made?.id, subject: 'ann' }])
  })

  test.each([
    ['an administrator', { role: 'admin' }],
    ['an auditor', { role: 'auditor' }],
    ['a service account', { kind: 'service' }],
  ])('never opens that of %s', async (_, given) => {
    await account('ann@example.com', given)
    someone(okta, 'ann')
    expect(problem(await signInAt(okta, app.browser(), 'okta'))).toBe('address_taken')
    expect(await app.db.select().from(identities)).toEqual([])
  })

  test('that an account is called, but which has left it, does not open it', async () => {
    const address = { email: 'ann.lee@example.com', confirmed: true }
    const ann = await account('ann@example.com', { address })
    someone(okta, 'new', { email: 'ann@example.com' })
    expect(problem(await signInAt(okta, app.browser(), 'okta'))).toBe('address_taken')
    someone(okta, 'ann', { email: 'ann.lee@example.com' })
    await signInAt(okta, app.browser(), 'okta')
    expect(await app.db.select().from(identities)).toMatchObject([{ userId: ann?.id, subject: 'ann' }])
  })

  test('never opens that of a lead', async () => {
    const ann = await account('ann@example.com')
    await app.db
      .insert(groups)
      .values({ id: 7, name: 'R', source: 'direct', bills: true, createdAt: 1, updatedAt: 1 })
    await app.db.insert(groupMembers).values({ groupId: 7, userId: ann?.id ?? 0, role: 'lead', createdAt: 1 })
    someone(okta, 'ann')
    expect(problem(await signInAt(okta, app.browser(), 'okta'))).toBe('address_taken')
  })

  test('that somebody new has got at the provider does not open the account of who had it', async () => {
    someone(okta, 'ann')
    await signInAt(okta, app.browser(), 'okta')
    someone(okta, 'new', { email: 'ann@example.com' })
    expect(problem(await signInAt(okta, app.browser(), 'okta'))).toBe('address_taken')
    expect(await people()).toEqual(['ann@example.com'])
  })

  test.each([
    ['says that it is not', { email_verified: false }],
    ['says nothing of it, as Entra', { email_verified: undefined }],
  ])('opens nothing if the provider %s verified, and codes for it go elsewhere', async (_, claims) => {
    await account('ann@example.com')
    someone(okta, 'ann', { ...claims, name: 'Ann' })
    const browser = app.browser()
    await signInAt(okta, browser, 'okta')
    const { user } = (await browser.get('/api/auth/me')).body
    expect(user.itcode).toMatch(/^okta-[a-z0-9]{12}$/)
    const [row] = await app.db.select().from(users).where(eq(users.id, user.id))
    expect([row?.name, row?.email]).toEqual(['Ann', null])
  })

  test('of a domain that the operator trusts is believed', async () => {
    await app.close()
    app = await open({ trust_email_of: ['example.com'] })
    someone(okta, 'ann', { email_verified: undefined })
    await signInAt(okta, app.browser(), 'okta')
    expect(await people()).toEqual(['ann@example.com'])
  })
})

describe('who may come', () => {
  test('only members of allowed groups, also of those whose groups are not told', async () => {
    await app.close()
    app = await open({ allowed_groups: ['staff'] })
    for (const claims of [{ groups: ['guests'] }, { groups: [] }, {}]) {
      someone(okta, 'ann', claims)
      expect(problem(await signInAt(okta, app.browser(), 'okta'))).toBe('not_allowed')
    }
    someone(okta, 'ann', { groups: ['staff'] })
    expect(problem(await signInAt(okta, app.browser(), 'okta'))).toBeUndefined()
  })

  test('only people with an account where the provider makes none, and only of allowed domains', async () => {
    await app.close()
    app = await open(
      { register: false },
      { auth: { session_secret: SECRET, allowed_domains: ['corp.test', '公司.cn'] } },
    )
    someone(okta, 'ann')
    expect(problem(await signInAt(okta, app.browser(), 'okta'))).toBe('no_account')
    someone(other, 'ann')
    expect(problem(await signInAt(other, app.browser(), 'other'))).toBe('no_account')
    for (const email of ['bob@corp.test', 'bob@公司.cn']) {
      someone(other, email, { email })
      expect(problem(await signInAt(other, app.browser(), 'other'))).toBeUndefined()
    }
  })

  test('nobody whose account is disabled', async () => {
    const ann = await account('ann@example.com')
    await app.db
      .update(users)
      .set({ status: 'disabled' })
      .where(eq(users.id, ann?.id ?? 0))
    someone(okta, 'ann')
    expect(problem(await signInAt(okta, app.browser(), 'okta'))).toBe('account_disabled')
  })
})

const SECRET = '9f1c07be52d84a63b1e7c05d4f8a92e6d3b7'

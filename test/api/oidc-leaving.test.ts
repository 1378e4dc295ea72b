/** What happens here when somebody leaves, or changes groups, at their provider. */
import { eq } from 'drizzle-orm'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { COMMAND_LINE } from '../../core/audit/record.ts'
import { handOverCode } from '../../core/auth/codes.ts'
import { groupMembers, groups, identities, notices, users } from '../../core/db/schema.ts'
import { renewTokens } from '../../core/identity/manage.ts'
import { askProviders } from '../../core/identity/refresh.ts'
import { type App, ORIGIN, startApp } from '../support/app.ts'
import type { Browser } from '../support/browser.ts'
import { memoryStore, type OpenedStore } from '../support/memory-store.ts'
import { CLIENT, type OidcServer, signInAt, startOidc } from '../support/oidc.ts'

const HOUR = 3_600_000
const SECRET = '9f1c07be52d84a63b1e7c05d4f8a92e6d3b7'
let okta: OidcServer
let app: App

beforeAll(async () => {
  okta = await startOidc({ redirectUris: [`${ORIGIN}/api/auth/oidc/okta/callback`] })
})
afterAll(() => okta.stop())

async function start(given: object = {}, store?: OpenedStore) {
  const file = {
    server: { public_url: ORIGIN },
    secrets: { key: SECRET },
    auth: { session_secret: SECRET, session_max_age: 31_536_000, session_idle: '300d' },
    ...given,
    oidc: {
      providers: [
        {
          name: 'okta',
          label: 'Okta',
          issuer: okta.issuer,
          ...CLIENT,
          groups_claim: 'groups',
          admin_groups: ['admins'],
        },
      ],
    },
  }
  app = await startApp(file, store)
  return app
}
beforeEach(() => {
  okta.people.clear()
  okta.asked.length = 0
  okta.fails = undefined
  return () => app.close()
})

/** A person who is signed in and has a key. */
async function person(subject: string, groupsThere: string[] = []) {
  okta.people.set(subject, {
    claims: { email: `${subject}@example.com`, email_verified: true, groups: groupsThere },
  })
  okta.who = subject
  const browser = app.browser()
  await signInAt(okta, browser, 'okta')
  const { user } = (await browser.get('/api/auth/me')).body
  const made = await browser.post('/api/keys', { name: 'laptop' })
  return { browser, id: user.id as number, key: made.body.key.key as string }
}

const leave = (subject: string) => Object.assign(okta.people.get(subject) ?? {}, { gone: true })
const statusOf = async (browser: Browser) => (await browser.get('/api/auth/me')).status
const call = (key: string) => app.request('/v1/models', { headers: { 'x-api-key': key } })
const pausedOf = async (id: number) =>
  (await app.db.select({ at: users.pausedAt }).from(users).where(eq(users.id, id)))[0]?.at
/** An hour goes by, and providers are asked. */
async function anHour() {
  app.clock.advance(HOUR)
  await askProviders(app.deps)
}

describe('somebody who leaves at their provider', () => {
  test('is paused: their session ends, and their key says that they have to sign in', async () => {
    await start()
    const ann = await person('ann')
    leave('ann')
    await askProviders(app.deps)
    expect(await statusOf(ann.browser)).toBe(200)
    await anHour()
    expect(await statusOf(ann.browser)).toBe(401)
    const refused = await call(ann.key)
    expect(refused.status).toBe(401)
    expect(refused.body.error.message).toContain('Sign in to the gateway again')
    expect(refused.headers.get('x-should-retry')).toBe('false')
    expect((await app.audit()).filter(({ action }) => action === 'user.pause')).toMatchObject([
      { target: `user:${ann.id}`, after: '{"reason":"refused"}' },
    ])
  })

  test('goes on where they left off when they sign in again', async () => {
    await start()
    const ann = await person('ann')
    leave('ann')
    await anHour()
    Object.assign(okta.people.get('ann') ?? {}, { gone: false })
    const browser = app.browser()
    await signInAt(okta, browser, 'okta')
    expect(await statusOf(browser)).toBe(200)
    // There is no backend, which only a valid key learns.
    expect((await call(ann.key)).status).toBe(529)
  })

  test('cannot go on with a mailed code, but with one that an administrator hands over', async () => {
    await start()
    const ann = await person('ann')
    leave('ann')
    await anHour()
    const browser = app.browser()
    await browser.post('/api/auth/send-code', { itcode: 'ann@example.com' })
    await app.settled()
    const login = await browser.post('/api/auth/login', { itcode: 'ann@example.com', code: app.code() })
    expect([login.status, login.body.error.code]).toEqual([403, 'provider_required'])
    expect(await pausedOf(ann.id)).not.toBeNull()

    const itcode = 'ann@example.com'
    const parts = { ...app.deps, auth: app.deps.settings.auth }
    const { code } = await handOverCode(parts, { itcode, actor: COMMAND_LINE })
    expect((await browser.post('/api/auth/login', { itcode, code })).status).toBe(200)
    expect(await pausedOf(ann.id)).toBeNull()
  })
})

test('a group that is taken away at the provider is taken away here, with its role, at the next refresh', async () => {
  await start()
  await app.db.insert(groups).values({
    id: 7,
    name: 'R',
    source: 'oidc',
    externalId: 'research',
    bills: true,
    createdAt: 1,
    updatedAt: 1,
  })
  await app.signIn('root', 'admin')
  const ann = await person('ann', ['research', 'admins'])
  const standing = async () => {
    const [user] = await app.db.select().from(users).where(eq(users.id, ann.id))
    const mine = await app.db.select().from(groupMembers).where(eq(groupMembers.userId, ann.id))
    return [user?.role, mine.map(({ groupId }) => groupId)]
  }
  expect(await standing()).toEqual(['admin', [7]])
  Object.assign(okta.people.get('ann')?.claims ?? {}, { groups: [] })
  await anHour()
  expect(await standing()).toEqual(['user', []])
})

test('the last administrator stays one, whatever the provider says', async () => {
  await start()
  const ann = await person('ann', ['admins'])
  Object.assign(okta.people.get('ann')?.claims ?? {}, { groups: [] })
  await anHour()
  const [user] = await app.db.select().from(users).where(eq(users.id, ann.id))
  expect(user?.role).toBe('admin')
})

describe('a provider that does not tell groups any more', () => {
  test.each([
    ['for somebody with too many of them, as Entra', { groups: undefined, _claim_names: { groups: 'src1' } }],
    ['in a form that cannot be read', { groups: { research: true } }],
  ])('changes none of them: %s', async (_, claims) => {
    await start()
    await app.db.insert(groups).values({
      id: 7,
      name: 'R',
      source: 'oidc',
      externalId: 'research',
      bills: true,
      createdAt: 1,
      updatedAt: 1,
    })
    const ann = await person('ann', ['research'])
    Object.assign(okta.people.get('ann')?.claims ?? {}, claims)
    await anHour()
    const mine = await app.db.select().from(groupMembers).where(eq(groupMembers.userId, ann.id))
    expect(mine.map(({ groupId }) => groupId)).toEqual([7])
    const warned = app.logs.lines.filter(({ event }) => event === 'identity.groups_unknown')
    expect(warned).toHaveLength(1)
  })
})

describe('a provider that is away', () => {
  test.each([503, 'invalid_client'] as const)(
    'changes nothing for twelve hours, then pauses: %s',
    async (how) => {
      await start()
      const ann = await person('ann')
      okta.fails = how
      for (let hours = 0; hours < 12; hours++) await anHour()
      expect(await statusOf(ann.browser)).toBe(200)
      await anHour()
      expect(await statusOf(ann.browser)).toBe(401)
    },
  )

  test('and comes back has changed nothing', async () => {
    await start()
    const ann = await person('ann')
    okta.fails = 503
    for (let hours = 0; hours < 8; hours++) await anHour()
    okta.fails = undefined
    await anHour()
    okta.fails = 503
    for (let hours = 0; hours < 8; hours++) await anHour()
    expect(await statusOf(ann.browser)).toBe(200)
  })
})

test('without secrets.key no token is kept, and a sign-in holds for thirty days', async () => {
  await start({ secrets: { key: null } })
  const ann = await person('ann')
  expect((await app.db.select().from(identities))[0]?.refreshToken).toBeNull()
  leave('ann')
  app.clock.advance(30 * 24 * HOUR - 1)
  await askProviders(app.deps)
  expect(await pausedOf(ann.id)).toBeNull()
  app.clock.advance(1)
  await askProviders(app.deps)
  expect(await pausedOf(ann.id)).not.toBeNull()
  expect(okta.asked).toEqual(['authorization_code'])
})

test('two processes that ask at the same time use a token once, and keep the new one', async () => {
  await start()
  const ann = await person('ann')
  const token = async () => (await app.db.select().from(identities))[0]?.refreshToken
  const first = await token()
  app.clock.advance(HOUR)
  await Promise.all([askProviders(app.deps), askProviders(app.deps)])
  expect(okta.asked.filter((grant) => grant === 'refresh_token')).toHaveLength(1)
  expect(await token()).not.toBe(first)
  // The new one works.
  await anHour()
  expect(await pausedOf(ann.id)).toBeNull()
})

test('a provider that refuses many at once pauses five, and administrators are told', async () => {
  await start()
  const people: { id: number }[] = []
  for (let i = 0; i < 9; i++) people.push(await person(`person${i}`))
  okta.people.clear()
  await anHour()
  const paused = async () =>
    (await Promise.all(people.map(({ id }) => pausedOf(id)))).filter((at) => at !== null)
  expect(await paused()).toHaveLength(5)
  expect(await app.db.select().from(notices)).toMatchObject([{ event: 'people.paused', data: '{"count":5}' }])
  for (let hours = 0; hours < 11; hours++) await anHour()
  expect(await paused()).toHaveLength(5)
  for (let hours = 0; hours < 2; hours++) await anHour()
  expect(await paused()).toHaveLength(9)
})

test('every process refuses keys and sessions of somebody who left within a second', async () => {
  const store = await memoryStore()
  const kept = { ...store, close: async () => {} }
  const first = await start({}, kept)
  const ann = await person('ann')
  const second = await start({}, kept)
  app = first
  const elsewhere = () => second.request('/v1/models', { headers: { 'x-api-key': ann.key } })
  expect((await elsewhere()).status).toBe(529)
  leave('ann')
  await anHour()
  expect((await call(ann.key)).body.error.message).toContain('Sign in')
  // Its key cache is a second old at most.
  second.clock.advance(1_001)
  expect((await elsewhere()).status).toBe(401)
  const cookie = [...ann.browser.cookies].map(([name, value]) => `${name}=${value}`).join('; ')
  expect((await second.request('/api/auth/me', { headers: { cookie } })).status).toBe(401)
  await second.close()
  await store.close()
})

test('tokens that an older key encrypted are encrypted anew by the daily task', async () => {
  const store = await memoryStore()
  const kept = { ...store, close: async () => {} }
  await start({}, kept)
  const ann = await person('ann')
  await app.close()
  const key = 'e01d7c9ab4463f58d2a90b7c6e1f84a35d92'
  await start({ secrets: { key: [key, SECRET] } }, kept)
  expect([await renewTokens(app.deps), await renewTokens(app.deps)]).toEqual([1, 0])
  await app.close()
  // The older key is gone, and the token still works.
  await start({ secrets: { key } }, kept)
  await anHour()
  expect(okta.asked).toEqual(['authorization_code', 'refresh_token'])
  expect(await pausedOf(ann.id)).toBeNull()
  await app.close()
  await store.close()
  await start()
})

test('an administrator joins an identity to an account with rights, and parts it again', async () => {
  await start()
  const root = await app.signIn('root@example.com', 'admin')
  okta.people.set('r1', { claims: { email: 'root@example.com', email_verified: true } })
  okta.who = 'r1'
  expect((await signInAt(okta, app.browser(), 'okta')).headers.get('location')).toBe(
    '/login?problem=address_taken',
  )
  const at = `/admin/api/users/${root.id}/identities`
  const joined = await root.post(at, { issuer: okta.issuer, subject: 'r1' })
  expect(joined.body.identities).toMatchObject([{ issuer: okta.issuer, subject: 'r1' }])
  const browser = app.browser()
  await signInAt(okta, browser, 'okta')
  expect((await browser.get('/api/auth/me')).body.user.id).toBe(root.id)
  expect((await root.post(at, { issuer: okta.issuer, subject: 'r1' })).status).toBe(409)
  const parted = await root.delete(`${at}/${joined.body.identities[0].id}`)
  expect(parted.body.identities).toEqual([])
  const actions = (await app.audit()).map(({ action }) => action)
  expect(actions).toEqual(expect.arrayContaining(['identity.join', 'identity.part']))
})

/** How devices end: every process refuses their tokens within a second, whoever ends them and why. */
import { eq } from 'drizzle-orm'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { COMMAND_LINE } from '../../core/audit/record.ts'
import { apiKeys, auditEvents, notices, refreshTokens } from '../../core/db/schema.ts'
import { pauseUser } from '../../core/identity/pause.ts'
import { createTaskRunner } from '../../core/tasks.ts'
import { eraseUser } from '../../core/users/erase.ts'
import { updateUser } from '../../core/users/manage.ts'
import { type App, ORIGIN, startApp } from '../support/app.ts'
import type { Browser } from '../support/browser.ts'
import { deviceClient } from '../support/devices.ts'
import { directoryOf, oktaUser } from '../support/directory.ts'
import { memoryStore, type OpenedStore } from '../support/memory-store.ts'

const SETTINGS = {
  server: { public_url: ORIGIN },
  auth: { session_secret: 'b7e1d0c4a96f42358e0d7a1c5f3b9e62d84a', email_domain: 'corp.test' },
}

const MINUTE = 60_000
const DAY = 24 * 60 * MINUTE

let store: OpenedStore
let app: App
let elsewhere: App
let admin: Browser
beforeEach(async () => {
  store = await memoryStore()
  const kept = { ...store, close: async () => {} }
  app = await startApp(SETTINGS, kept)
  elsewhere = await startApp(SETTINGS, kept)
  admin = await app.signIn('admin', 'admin')
})
afterEach(async () => {
  await app.close()
  await elsewhere.close()
  await store.close()
})
const { begin, call, decide, form, letIn, poll, refresh, signedIn } = deviceClient(() => app)

interface Held {
  browser: Browser & { id: number }
  device: { id: number }
  tokens: { access_token: string; refresh_token: string }
}
const WAYS: Record<string, (held: Held) => Promise<unknown>> = {
  'its person': ({ browser, device }) => browser.delete(`/api/devices/${device.id}`),
  'its person, who signs out everywhere': ({ browser }) => browser.post('/api/auth/logout-everywhere'),
  'an administrator': ({ device }) => admin.delete(`/admin/api/devices/${device.id}`),
  'an administrator, who disables the person': ({ browser }) =>
    admin.put(`/admin/api/users/${browser.id}`, { status: 'disabled' }),
  'an administrator, who deletes the person': ({ browser }) => admin.delete(`/admin/api/users/${browser.id}`),
  'the command line, which disables the person': ({ browser }) =>
    updateUser({ ...app.deps, actor: COMMAND_LINE }, browser.id, { status: 'disabled' }),
  'a provider that refuses the person': ({ browser }) => pauseUser(app.deps, browser.id, 'refused'),
  'itself, with its access token': ({ tokens }) => form('/oauth/revoke', { token: tokens.access_token }),
  'itself, with its refresh token': ({ tokens }) => form('/oauth/revoke', { token: tokens.refresh_token }),
}

test.each(Object.entries(WAYS))(
  'a device is ended by %s in every process within a second',
  async (_, end) => {
    const held = await signedIn()
    const { devices } = (await held.browser.get('/api/devices')).body
    const token = held.tokens.access_token
    expect([(await call(token)).status, (await call(token, elsewhere)).status]).toEqual([400, 400])
    await end({ ...held, device: devices[0] })
    elsewhere.clock.advance(1_001)
    const refused = await call(token, elsewhere)
    expect([refused.status, refused.headers.get('x-should-retry')]).toEqual([401, 'false'])
    const late = await refresh(held.tokens.refresh_token)
    expect([late.status, late.body.error]).toEqual([401, 'invalid_grant'])
    // Nothing is left that could come back, whatever becomes of the person.
    expect(await app.db.select().from(refreshTokens)).toEqual([])
    const rows = await app.db.select().from(apiKeys).where(eq(apiKeys.kind, 'device'))
    expect(rows.map(({ deletedAt }) => deletedAt === null)).toEqual([false])
  },
)

test.each(['active: false', 'DELETE'])(
  'a directory ends devices with %s, and keys alone come back',
  async (how) => {
    const okta = await directoryOf(app.db, app.open)
    const { id } = (await okta.post('/Users', oktaUser('ann@corp.test'))).body
    const active = (value: boolean) => okta.patch(`/Users/${id}`, { op: 'replace', value: { active: value } })
    const { browser, tokens } = await signedIn('ann@corp.test')
    const key = (await browser.post('/api/keys', { name: 'x' })).body.key.key
    await (how === 'DELETE' ? okta.delete(`/Users/${id}`) : active(false))
    elsewhere.clock.advance(1_001)
    expect((await call(tokens.access_token, elsewhere)).status).toBe(401)
    expect((await refresh(tokens.refresh_token)).status).toBe(401)
    expect((await call(key)).status).toBeOneOf([401, 403])
    if (how === 'DELETE') return
    await active(true)
    await app.deps.keyCache.refresh()
    expect([(await call(key)).status, (await call(tokens.access_token)).status]).toEqual([400, 401])
    expect((await refresh(tokens.refresh_token)).status).toBe(401)
  },
)

describe('somebody who may not go on', () => {
  test('is not let in by what they approved before', async () => {
    const browser = await app.signIn('ann')
    const { body: asked } = await begin()
    await decide(browser, asked.user_code)
    await admin.put(`/admin/api/users/${browser.id}`, { status: 'disabled' })
    expect((await poll(asked.device_code)).body.error).toBe('expired_token')
    await admin.put(`/admin/api/users/${browser.id}`, { status: 'active' })
    expect((await poll(asked.device_code)).body.error).toBe('expired_token')
  })

  test('and is erased leaves neither addresses nor names of machines', async () => {
    const { browser, tokens } = await signedIn()
    await refresh(tokens.refresh_token, '198.51.100.7')
    await refresh(tokens.refresh_token, '198.51.100.8')
    const [device] = (await browser.get('/api/devices')).body.devices
    await browser.put(`/api/devices/${device.id}`, { name: "ann's laptop" })
    await form('/oauth/revoke', { token: tokens.access_token })
    await admin.delete(`/admin/api/users/${browser.id}`)
    await eraseUser({ ...app.deps, actor: COMMAND_LINE }, browser.id)
    const left = JSON.stringify([
      await app.db.select().from(refreshTokens),
      await app.db.select().from(notices),
      await app.db
        .select()
        .from(auditEvents)
        .where(eq(auditEvents.target, `key:${device.id}`)),
    ])
    expect(left).not.toContain('198.51.100')
    expect(left).not.toMatch(/"ip":"/)
  })
})

test('nobody ends the device of another, and no key by the address of a device', async () => {
  const { browser: ann } = await signedIn()
  const [device] = (await ann.get('/api/devices')).body.devices
  const bob = await app.signIn('bob')
  const { id } = (await bob.post('/api/keys', { name: 'x' })).body.key
  expect((await bob.delete(`/api/devices/${device.id}`)).status).toBe(404)
  expect((await bob.delete(`/api/devices/${id}`)).status).toBe(404)
  expect((await admin.delete(`/admin/api/devices/${id}`)).status).toBe(404)
  expect((await ann.get('/api/devices')).body.devices).toHaveLength(1)
  expect(await letIn(bob)).toMatchObject({ token_type: 'Bearer' })
})

test('neither its person nor an administrator moves the time by which a device has to sign in again', async () => {
  const { browser } = await signedIn()
  const [device] = (await browser.get('/api/devices')).body.devices
  for (const expires_at of ['2099-01-01T00:00:00Z', null]) {
    const answers = [
      await browser.put(`/api/keys/${device.id}`, { expires_at }),
      await admin.put(`/admin/api/keys/${device.id}`, { expires_at }),
    ]
    for (const { status, body } of answers) {
      expect([status, Object.keys(body.error.fields)]).toEqual([400, ['expires_at']])
    }
  }
  expect((await browser.get('/api/devices')).body.devices).toEqual([device])
  const limited = await browser.put(`/api/keys/${device.id}`, { requests_per_minute: 5 })
  expect([limited.status, limited.body.key.requests_per_minute]).toEqual([200, 5])
})

test('whoever has a hundred devices is told so when they let another in; those that nobody can use any more do not count', async () => {
  const ann = await app.signIn('ann')
  for (let i = 0; i < 100; i++) {
    app.clock.advance(MINUTE)
    await letIn(ann)
  }
  app.clock.advance(MINUTE)
  const refused = await decide(ann, (await begin()).body.user_code)
  expect([refused.status, refused.body.error.message]).toEqual([409, expect.stringContaining('100 devices')])
  const { body: unwanted } = await begin()
  expect((await decide(ann, unwanted.user_code, 'denied')).status).toBe(200)
  // Their tokens are over: each of them has to sign in again, which makes another device.
  app.clock.advance(30 * DAY)
  await createTaskRunner(() => app.deps)()
  const again = await app.signIn('ann')
  expect((await again.get('/api/devices')).body.devices).toEqual([])
  expect(await letIn(again)).toMatchObject({ token_type: 'Bearer' })
})

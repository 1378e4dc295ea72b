/** The provider is asked when a device refreshes: who left there, or lost a group, loses it here with the next token. */

import { eq } from 'drizzle-orm'
import { decodeJwt } from 'jose'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { groupMembers, groups, scimUsers, users } from '../../core/db/schema.ts'
import { type App, ORIGIN, startApp } from '../support/app.ts'
import { deviceClient } from '../support/devices.ts'
import { memoryStore, type OpenedStore } from '../support/memory-store.ts'
import { CLIENT, type OidcServer, signInAt, startOidc } from '../support/oidc.ts'

const MINUTE = 60_000
const SECRET = '9f1c07be52d84a63b1e7c05d4f8a92e6d3b7'
let okta: OidcServer
let app: App

beforeAll(async () => {
  okta = await startOidc({ redirectUris: [`${ORIGIN}/api/auth/oidc/okta/callback`] })
})
afterAll(() => okta.stop())

async function start(store?: OpenedStore) {
  const provider = { name: 'okta', label: 'Okta', issuer: okta.issuer, ...CLIENT, groups_claim: 'groups' }
  return startApp(
    {
      server: { public_url: ORIGIN },
      secrets: { key: SECRET },
      auth: { session_secret: SECRET },
      oidc: { providers: [provider] },
    },
    store,
  )
}
beforeEach(async () => {
  okta.people.clear()
  okta.asked.length = 0
  okta.fails = undefined
  okta.hold = undefined
  app = await start()
  return () => app.close()
})
const { call, letIn, refresh } = deviceClient(() => app)

/** Signed in there, and here on a device. */
async function person(subject = 'ann', groupsThere: string[] = []) {
  okta.people.set(subject, {
    claims: { email: `${subject}@example.com`, email_verified: true, groups: groupsThere },
  })
  okta.who = subject
  const browser = app.browser()
  await signInAt(okta, browser, 'okta')
  const { user } = (await browser.get('/api/auth/me')).body
  return { id: Number(user.id), browser, tokens: await letIn(browser) }
}
const change = (subject: string, to: object) => Object.assign(okta.people.get(subject) ?? {}, to)
const asked = () => okta.asked.filter((grant) => grant === 'refresh_token').length
const isPaused = async (id: number) =>
  (await app.db.select({ at: users.pausedAt }).from(users).where(eq(users.id, id)))[0]?.at !== null

test('who left at their provider gets no further token, and their device, sessions and keys end at once', async () => {
  const ann = await person()
  const key = (await ann.browser.post('/api/keys', { name: 'x' })).body.key.key
  change('ann', { gone: true })
  app.clock.advance(55 * MINUTE)
  const refused = await refresh(ann.tokens.refresh_token)
  expect([refused.status, refused.body.error]).toEqual([401, 'invalid_grant'])
  expect((await call(ann.tokens.access_token)).status).toBe(401)
  expect((await call(key)).status).toBe(401)
  expect((await ann.browser.get('/api/auth/me')).status).toBe(401)
  expect(await isPaused(ann.id)).toBe(true)
  // They come back: keys work again, the device has to sign in.
  change('ann', { gone: false })
  const browser = app.browser()
  await signInAt(okta, browser, 'okta')
  expect((await call(key)).status).toBe(400)
  expect((await refresh(ann.tokens.refresh_token)).status).toBe(401)
  expect((await call((await letIn(browser)).access_token)).status).toBe(400)
})

test('a group that is lost there is lost here, and gone from the next token', async () => {
  const [made] = await app.db
    .insert(groups)
    .values({ name: 'R', source: 'oidc', externalId: 'research', bills: true, createdAt: 1, updatedAt: 1 })
    .returning()
  const ann = await person('ann', ['research'])
  expect(decodeJwt(ann.tokens.access_token)['groups']).toEqual(['R'])
  change('ann', { claims: { email: 'ann@example.com', email_verified: true, groups: [] } })
  app.clock.advance(55 * MINUTE)
  const { status, body } = await refresh(ann.tokens.refresh_token)
  expect([status, decodeJwt(body.access_token)['groups']]).toEqual([200, []])
  expect(
    await app.db
      .select()
      .from(groupMembers)
      .where(eq(groupMembers.groupId, made?.id ?? 0)),
  ).toEqual([])
})

test('a person is asked about once in five minutes, however many terminals refresh, also in several processes', async () => {
  const store = await memoryStore()
  const kept = { ...store, close: async () => {} }
  await app.close()
  const second = await start(kept)
  app = await start(kept)
  const ann = await person()
  for (const one of [app, second]) one.clock.advance(55 * MINUTE)
  const there = deviceClient(() => second)
  const answers = await Promise.all([
    ...Array.from({ length: 3 }, () => refresh(ann.tokens.refresh_token)),
    ...Array.from({ length: 3 }, () => there.refresh(ann.tokens.refresh_token)),
  ])
  expect(answers.map(({ status }) => status)).toEqual(Array(6).fill(200))
  expect(asked()).toBe(1)
  app.clock.advance(4 * MINUTE)
  const next = await refresh(answers[0]?.body.refresh_token)
  expect([next.status, asked()]).toEqual([200, 1])
  app.clock.advance(2 * MINUTE)
  expect((await refresh(next.body.refresh_token)).status).toBe(200)
  expect(asked()).toBe(2)
  await second.close()
  await store.close()
})

test('a provider that is slow keeps nobody waiting for more than four seconds, and its answer holds when it comes', async () => {
  const ann = await person()
  change('ann', { gone: true })
  const held = Promise.withResolvers<void>()
  okta.hold = held.promise
  app.clock.advance(55 * MINUTE)
  let answered = false
  const refreshing = refresh(ann.tokens.refresh_token).finally(() => {
    answered = true
  })
  const startedAt = app.clock.now()
  while (!answered) {
    await new Promise((resolve) => setTimeout(resolve, 5))
    app.clock.advance(100)
  }
  expect(app.clock.now() - startedAt).toBeGreaterThanOrEqual(4_000)
  const { status, body } = await refreshing
  expect(status).toBe(200)
  expect((await call(body.access_token)).status).toBe(400)
  held.resolve()
  await app.settled()
  expect((await call(body.access_token)).status).toBe(401)
  expect((await refresh(body.refresh_token)).status).toBe(401)
})

test('a provider that is away changes nothing for as long as the grace lasts', async () => {
  const ann = await person()
  okta.fails = 503
  let token = ann.tokens.refresh_token
  for (let hour = 0; hour < 12; hour++) {
    app.clock.advance(60 * MINUTE)
    const { status, body } = await refresh(token)
    expect([hour, status]).toEqual([hour, 200])
    token = body.refresh_token
  }
  app.clock.advance(61 * MINUTE)
  expect((await refresh(token)).status).toBe(401)
})

test('of many who are refused at once only five lose their devices, because that is rather a mistake there', async () => {
  const people = []
  for (let i = 0; i < 9; i++) people.push(await person(`p${i}`))
  okta.people.clear()
  app.clock.advance(55 * MINUTE)
  const statuses = []
  for (const { tokens } of people) statuses.push((await refresh(tokens.refresh_token)).status)
  expect(statuses).toEqual([...Array(5).fill(401), ...Array(4).fill(200)])
})

test('whom a directory keeps, only the directory takes away, so that their provider is not asked', async () => {
  const ann = await person()
  const times = { createdAt: 1, updatedAt: 1 }
  const name = {
    userName: 'ann@example.com',
    userNameKey: 'ann@example.com',
    externalId: 'x',
    attributes: '{}',
  }
  await app.db.insert(scimUsers).values({ userId: ann.id, ...name, active: true, ...times })
  change('ann', { gone: true })
  app.clock.advance(55 * MINUTE)
  expect((await refresh(ann.tokens.refresh_token)).status).toBe(200)
  expect(asked()).toBe(0)
})

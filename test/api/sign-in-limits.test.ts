import { eq } from 'drizzle-orm'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { COMMAND_LINE } from '../../core/audit/record.ts'
import { handOverCode } from '../../core/auth/codes.ts'
import { loginCodes } from '../../core/db/schema.ts'
import { type App, startApp } from '../support/app.ts'
import type { Browser } from '../support/browser.ts'

const AUTH = { session_secret: 'b7e1d0c4a96f42358e0d7a1c5f3b9e62d84a' }
const MINUTE = 60_000
const HOUR = 60 * MINUTE
/** Addresses without end: no limit of one address is met. */
let next = 0
const elsewhere = () => ({ peer: `203.0.${Math.floor(next / 250) % 250}.${next++ % 250}` })

const ask = (browser: Browser, itcode = 'ann') => browser.post('/api/auth/send-code', { itcode }, elsewhere())
const enter = (browser: Browser, code: string, itcode = 'ann') =>
  browser.post('/api/auth/login', { itcode, code }, elsewhere())

let app: App
beforeEach(async () => {
  app = await startApp({ auth: AUTH })
})
afterEach(() => app.close())
const codeFor = async (browser: Browser, itcode = 'ann') => {
  expect((await ask(browser, itcode)).status).toBe(200)
  await app.settled()
  return app.code()
}
const failures = async () =>
  (await app.audit())
    .filter(({ action }) => action === 'login.failed')
    .map(({ target, after }) => [target, JSON.parse(after ?? '').count])

describe('refused sign-ins', () => {
  test('are counted in one audit row per account and hour', async () => {
    await app.signIn('ann')
    await app.signIn('bob')
    const first = app.clock.now()
    await Promise.all(Array.from({ length: 12 }, () => enter(app.browser(), 'BBBBBBBB')))
    for (let i = 0; i < 3; i++) await enter(app.browser(), 'BBBBBBBB', 'bob')
    expect(await failures()).toEqual([
      ['user:ann', 12],
      ['user:bob', 3],
    ])
    app.clock.advance(HOUR)
    await enter(app.browser(), 'BBBBBBBB')
    expect(await failures()).toEqual([
      ['user:ann', 12],
      ['user:bob', 3],
      ['user:ann', 1],
    ])
    const [row] = (await app.audit()).filter(({ action }) => action === 'login.failed')
    expect(row).toMatchObject({ at: first, actorId: null, ip: expect.stringMatching(/^203/) })
    const admin = await app.signIn('boss', 'admin')
    const { events } = (await admin.get('/admin/api/audit?action=login.failed')).body
    expect(events[0]).toMatchObject({
      target: 'user:ann',
      after: { count: 1, last_at: new Date(app.clock.now()).toISOString() },
    })
  })

  test('of names that nobody has are counted together, whatever the names', async () => {
    for (let i = 0; i < 40; i++) {
      const name = `${'x'.repeat(100)}${i}@${'y'.repeat(100)}.com`
      expect((await enter(app.browser(), 'BBBBBBBB', name)).status).toBe(401)
    }
    expect(await failures()).toEqual([['user:', 40]])
    expect(await app.db.select().from(loginCodes)).toEqual([])
  })
})

describe('guesses without a code', () => {
  test('are limited per account, leave nothing behind, and do not keep anybody else out', async () => {
    const own = app.browser()
    await app.signIn('ann', 'user', own)
    const waiting = app.browser()
    const theirs = await codeFor(waiting)
    const statuses = []
    for (let i = 0; i < 40; i++) statuses.push((await enter(app.browser(), 'BBBBBBBB')).status)
    expect(statuses).toEqual([...Array(30).fill(401), ...Array(10).fill(429)])
    expect(await failures()).toEqual([['user:ann', 30]])
    const refused = await enter(app.browser(), 'BBBBBBBB')
    expect([refused.body.error.code, refused.headers.get('retry-after')]).toEqual(['too_many_attempts', '20'])
    // Who has a code, right or wrong, and whom the account knows, is not among them.
    expect((await enter(waiting, 'BBBBBBBB')).status).toBe(401)
    expect((await enter(waiting, theirs)).status).toBe(200)
    app.clock.advance(MINUTE)
    expect((await enter(own, await codeFor(own))).status).toBe(200)
    expect((await enter(app.browser(), 'BBBBBBBB', 'bob')).status).toBe(401)
  })

  test('are limited for all strangers together, but for browsers that an account knows', async () => {
    const own = app.browser()
    await app.signIn('ann', 'user', own)
    let passed = 0
    for (; passed < 3_000; passed++) {
      if ((await enter(app.browser(), 'BBBBBBBB', `p${passed}`)).status === 429) break
    }
    // One of the two thousand was the first sign-in here.
    expect(passed).toBe(1_999)
    expect((await ask(app.browser(), 'newcomer')).status).toBe(429)
    app.clock.advance(MINUTE)
    expect((await enter(own, await codeFor(own))).status).toBe(200)
    expect((await ask(app.browser(), 'newcomer')).status).toBe(200)
  })
})

test('one address may do so much and no more, on every route that is open and writes, before a body is read', async () => {
  const peer = '2001:db8:0:1::7'
  const paths = ['/api/auth/login', '/api/auth/send-code', '/api/auth/logout']
  for (let i = 0; i < 300; i++) {
    const answer = await app.browser().post(paths[i % 3] ?? '', 'not JSON', { peer })
    expect(answer.status).toBe(i % 3 === 2 ? 200 : 400)
  }
  for (const path of paths) {
    const answer = await app.browser().post(path, 'x'.repeat(100_000), { peer: '2001:db8:0:1::8' })
    expect([answer.status, answer.body.error.code, answer.headers.get('retry-after')]).toEqual([
      429,
      'rate_limited',
      '2',
    ])
  }
  expect((await app.browser().get('/api/auth/config', { peer })).status).toBe(200)
  expect((await app.browser().post('/api/auth/logout', undefined, { peer: '2001:db8:0:2::1' })).status).toBe(
    200,
  )
  app.clock.advance(2_000)
  expect((await app.browser().post('/api/auth/logout', undefined, { peer })).status).toBe(200)
})

describe('a name that strangers have locked', () => {
  /** Twenty codes, a minute apart. */
  const lock = async () => {
    await app.signIn('ann')
    app.clock.advance(HOUR)
    for (let i = 0; i < 19; i++) {
      expect((await ask(app.browser())).status).toBe(200)
      app.clock.advance(MINUTE)
    }
    await app.settled()
  }

  test('tells when the next code really can be asked for', async () => {
    await lock()
    const browser = app.browser()
    const refused = await ask(browser)
    const wait = Number(refused.headers.get('retry-after'))
    // The oldest of the twenty was that of the sign-in.
    expect([refused.status, wait]).toEqual([429, 24 * 3600 - 3600 - 19 * 60])
    app.clock.advance((wait - 1) * 1_000)
    expect((await ask(browser)).status).toBe(429)
    app.clock.advance(1_000)
    expect((await ask(browser)).status).toBe(200)
  })

  test('is opened by a code that an administrator hands over: once, from any browser, whatever strangers do', async () => {
    await lock()
    const parts = { db: app.db, clock: app.clock, auth: app.deps.settings.auth }
    const handOver = () => handOverCode(parts, { itcode: 'ann', actor: COMMAND_LINE })
    const { code: old } = await handOver()
    const { code } = await handOver()
    expect(code).toMatch(/^[BCDFGHJKLMNPQRSTVWXZ]{16}$/)
    for (let i = 0; i < 60; i++) await enter(app.browser(), 'BBBBBBBBBBBBBBBB')
    const browser = app.browser()
    expect((await enter(app.browser(), old)).status).toBe(429)
    expect((await enter(browser, code, 'bob')).status).toBe(401)
    const answer = await enter(browser, `${code.slice(0, 8).toLowerCase()}-${code.slice(8)}`)
    expect([answer.status, answer.body.user?.itcode]).toEqual([200, 'ann'])
    expect((await enter(app.browser(), code)).status).toBe(429)
    // From here on the account knows the browser.
    expect((await ask(browser)).status).toBe(200)
    const audit = (await app.audit()).filter(({ action }) => action === 'login.code_handed_over')
    expect(audit).toMatchObject([{ target: 'user:ann', actorId: null }, { target: 'user:ann' }])
    expect(JSON.stringify([audit, await app.db.select().from(loginCodes)])).not.toContain(code)
  })

  test('such a code is good for half an hour and for an account that is in force', async () => {
    const { id } = await app.signIn('ann')
    const admin = await app.signIn('boss', 'admin')
    const parts = { db: app.db, clock: app.clock, auth: app.deps.settings.auth }
    const late = await handOverCode(parts, { itcode: 'ann', actor: COMMAND_LINE })
    expect(late.expiresAt).toBe(app.clock.now() + 30 * MINUTE)
    app.clock.advance(30 * MINUTE)
    expect((await enter(app.browser(), late.code)).status).toBe(401)
    const dead = await handOverCode(parts, { itcode: 'ann', actor: COMMAND_LINE })
    await admin.put(`/admin/api/users/${id}`, { status: 'disabled' })
    await admin.put(`/admin/api/users/${id}`, { status: 'active' })
    expect((await enter(app.browser(), dead.code)).status).toBe(401)
    const twice = await handOverCode(parts, { itcode: 'ann', actor: COMMAND_LINE })
    const both = await Promise.all([enter(app.browser(), twice.code), enter(app.browser(), twice.code)])
    expect(both.map(({ status }) => status).toSorted()).toEqual([200, 401])
    expect(await app.db.select().from(loginCodes).where(eq(loginCodes.browserHash, ''))).toHaveLength(2)
  })
})

test('a program that goes on with a wrong admin key is slowed down, and keeps nobody at its address from signing in', async () => {
  const headers = { 'x-api-key': `sk-admin-${'A'.repeat(40)}` }
  const statuses = new Set<number>()
  for (let i = 0; i < 320; i++) statuses.add((await app.request('/v1/organizations/me', { headers })).status)
  expect([...statuses]).toEqual([401, 429])
  expect((await app.browser().post('/api/auth/send-code', { itcode: 'ann' })).status).toBe(200)
})

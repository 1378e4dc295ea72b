import { eq, sql } from 'drizzle-orm'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { loginCodes, sessions, users } from '../../core/db/schema.ts'
import { createTaskRunner } from '../../core/tasks.ts'
import { type App, startApp } from '../support/app.ts'
import type { Browser } from '../support/browser.ts'

const AUTH = { session_secret: 'b7e1d0c4a96f42358e0d7a1c5f3b9e62d84a' }
const MINUTE = 60_000
const HOUR = 60 * MINUTE
const DAY = 24 * HOUR

const ask = (browser: Browser, itcode = 'ann', more: object = {}) =>
  browser.post('/api/auth/send-code', { itcode, ...more })
const enter = (browser: Browser, code: string, itcode = 'ann') =>
  browser.post('/api/auth/login', { itcode, code })

describe('login', () => {
  let app: App
  beforeEach(async () => {
    app = await startApp({ auth: { ...AUTH, email_domain: 'corp.test' } })
  })
  afterEach(() => app.close())
  /** Asks for a code and answers it. */
  const codeFor = async (browser: Browser, itcode = 'ann') => {
    expect((await ask(browser, itcode)).status).toBe(200)
    await app.settled()
    return app.code()
  }

  test('sends 8 unmistakable letters, in Chinese and English, as one run, to the address of the account', async () => {
    await codeFor(app.browser())
    const [mail] = app.mails
    expect(mail?.to).toBe('ann@corp.test')
    expect(mail?.code).toMatch(/^[BCDFGHJKLMNPQRSTVWXZ]{8}$/)
    expect(mail?.html).toContain(`>${mail?.code}<`)
    expect(mail?.html.match(/\b[A-Z0-9]{6,}\b/g)).toEqual([mail?.code])
    expect(mail?.text).toContain(mail?.code)
    expect(mail?.html).toMatch(/验证码.*The code is good for 5 minutes/s)
  })

  test('makes an account, role user, and a session; logging out kills the token at once', async () => {
    const browser = app.browser()
    const code = await codeFor(browser)
    const answer = await enter(browser, ` ${code.slice(0, 4).toLowerCase()}-${code.slice(4)} `, ' ＡＮＮ ')
    expect(answer.status).toBe(200)
    expect(answer.body.user).toMatchObject({ itcode: 'ann', role: 'user', status: 'active' })
    expect(answer.headers.getSetCookie()[0]).toMatch(
      /^session=[\w.-]+; Max-Age=86400; Path=\/; HttpOnly; SameSite=Lax$/,
    )
    expect((await browser.get('/api/auth/me')).body.user.itcode).toBe('ann')
    const token = browser.cookies.get('session')
    expect((await browser.post('/api/auth/logout')).body).toEqual({ message: 'logged out' })
    expect(browser.cookies.has('session')).toBe(false)
    const old = await app.request('/api/auth/me', { headers: { cookie: `session=${token}` } })
    expect(old.status).toBe(401)
    expect(old.body.error.code).toBe('not_signed_in')
  })

  test('A18: 50 parallel logins with one code open one session and make one account', async () => {
    const browser = app.browser()
    const code = await codeFor(browser)
    const answers = await Promise.all(Array.from({ length: 50 }, () => enter(browser, code)))
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(1)
    expect(answers.filter(({ status }) => status === 401)).toHaveLength(49)
    expect(await app.db.select().from(sessions)).toHaveLength(1)
    expect(await app.db.select().from(users)).toHaveLength(1)
  })

  test('A01: five wrong guesses burn a code, also when they come at once', async () => {
    const browser = app.browser()
    const code = await codeFor(browser)
    const guesses = Array.from({ length: 8 }, () => enter(browser, 'BBBBBBBB'))
    for (const { status, body } of await Promise.all(guesses)) {
      expect([status, body.error.code]).toEqual([401, 'invalid_code'])
    }
    expect((await enter(browser, code)).status).toBe(401)
    const [row] = await app.db.select().from(loginCodes)
    expect(row).toMatchObject({ attempts: 5, usedAt: null })
  })

  test('four wrong guesses leave a code in force; it is good once', async () => {
    const browser = app.browser()
    const code = await codeFor(browser)
    for (let i = 0; i < 4; i++) expect((await enter(browser, 'BBBBBBBB')).status).toBe(401)
    expect((await enter(browser, code)).status).toBe(200)
    expect((await enter(browser, code)).status).toBe(401)
  })

  test('A19: a code is good for five minutes, not longer', async () => {
    const [early, late] = [app.browser(), app.browser()]
    const first = await codeFor(early)
    const second = await codeFor(late)
    app.clock.advance(5 * MINUTE - 1)
    expect((await enter(early, first)).status).toBe(200)
    app.clock.advance(1)
    expect((await enter(late, second)).status).toBe(401)
  })

  test('A05: a new code kills the old one, may be asked for after a minute, and is for this browser alone', async () => {
    const browser = app.browser()
    const first = await codeFor(browser)
    const tooSoon = await ask(browser)
    expect([tooSoon.status, tooSoon.headers.get('retry-after')]).toEqual([429, '60'])
    const other = app.browser()
    expect((await enter(other, first)).status).toBe(401)
    const theirs = await codeFor(other)
    app.clock.advance(MINUTE)
    const second = await codeFor(browser)
    expect((await enter(browser, first)).status).toBe(401)
    expect((await enter(browser, theirs)).status).toBe(401)
    expect((await enter(browser, second)).status).toBe(200)
    expect((await enter(other, theirs)).status).toBe(200)
  })

  test('A02: an account has 20 codes a day for strangers; a browser that signed in before is not locked out by them', async () => {
    const own = app.browser()
    await app.signIn('ann', 'user', own)
    const strangers = Array.from({ length: 30 }, (_, i) =>
      app.browser().post('/api/auth/send-code', { itcode: 'ann' }, { peer: `198.51.100.${i}` }),
    )
    const statuses = (await Promise.all(strangers)).map(({ status }) => status)
    expect(statuses.filter((status) => status === 200)).toHaveLength(19)
    expect(statuses.filter((status) => status === 429)).toHaveLength(11)
    expect((await ask(own)).status).toBe(200)
    app.clock.advance(DAY)
    expect((await ask(app.browser())).status).toBe(200)
  })

  test('A03: an address has 100 codes an hour for strangers; IPv6 counts by /64, and nobody can claim another', async () => {
    const from = (peer: string, i: number, headers = {}) =>
      app.browser().post('/api/auth/send-code', { itcode: `p${i}` }, { peer, headers })
    for (let i = 0; i < 100; i++) expect((await from(`2001:db8:0:1::${i + 1}`, i)).status).toBe(200)
    const refused = await from('2001:db8:0:1:ffff::9', 101, { 'x-forwarded-for': '203.0.113.9' })
    expect([refused.status, refused.headers.get('retry-after')]).toEqual([429, '3600'])
    expect((await from('2001:db8:0:2::1', 102)).status).toBe(200)
  })

  test('A06: nothing tells whether an account exists or is disabled', async () => {
    const parts = { auth: { ...AUTH, auto_register: false } }
    const closed = await startApp(parts)
    await closed.signIn('known')
    const off = await closed.signIn('off')
    await closed.db.update(users).set({ status: 'disabled' }).where(eq(users.id, off.id))
    const before = closed.mails.length
    const answers = await Promise.all(['known', 'off', 'nobody'].map((name) => ask(closed.browser(), name)))
    await closed.settled()
    expect(new Set(closed.mails.slice(before).map(({ to }) => to))).toEqual(new Set(['known', 'off']))
    const shapes = answers.map(({ status, body, headers }) => [status, body, [...headers.keys()]])
    expect(shapes[1]).toEqual(shapes[0])
    expect(shapes[2]).toEqual(shapes[0])
    const wrong = await Promise.all(
      ['known', 'off', 'nobody'].map((name) => enter(closed.browser(), 'X', name)),
    )
    expect(new Set(wrong.map(({ status, body }) => `${status} ${body.error.message}`)).size).toBe(1)
    await closed.close()
  })

  test('a disabled account hears of it only after a right code', async () => {
    const browser = app.browser()
    const { id } = await app.signIn('ann')
    await app.db.update(users).set({ status: 'disabled' }).where(eq(users.id, id))
    const code = await codeFor(browser)
    expect((await enter(browser, 'BBBBBBBB')).body.error.code).toBe('invalid_code')
    const answer = await enter(browser, code)
    expect([answer.status, answer.body.error.code]).toEqual([403, 'account_disabled'])
  })

  test('A20: codes are kept as keyed hashes, and never logged', async () => {
    const code = await codeFor(app.browser())
    const rows = JSON.stringify(await app.db.select().from(loginCodes))
    expect(rows).not.toContain(code)
    expect(rows).not.toContain(app.deps.sha256(code))
    expect(JSON.stringify(app.logs.lines)).not.toContain(code)
  })

  test('is written to the audit: right, wrong, with address and request', async () => {
    const browser = app.browser()
    const code = await codeFor(browser)
    await enter(browser, 'BBBBBBBB')
    const { headers } = await enter(browser, code)
    expect(await app.audit()).toMatchObject([
      { action: 'login.failed', actorId: null, target: 'user:ann', ip: '192.0.2.1' },
      { action: 'user.create', target: 'user:ann' },
      { action: 'login.ok', actorId: 1, requestId: headers.get('request-id') },
    ])
  })

  test('opens no session that the audit cannot tell of', async () => {
    const browser = app.browser()
    const code = await codeFor(browser)
    expect((await enter(browser, code)).status).toBe(200)
    app.clock.advance(MINUTE)
    const next = await codeFor(browser)
    await app.db.run(sql`drop table audit_events`)
    expect((await enter(browser, next)).status).toBe(500)
    expect(await app.db.select().from(sessions)).toMatchObject([{ revokedAt: null }])
  })

  test('A13: logging in again ends the session that the browser had', async () => {
    const browser = app.browser()
    await app.signIn('ann', 'user', browser)
    const first = browser.cookies.get('session')
    await app.signIn('ann', 'user', browser)
    expect(browser.cookies.get('session')).not.toBe(first)
    const old = await app.request('/api/auth/me', { headers: { cookie: `session=${first}` } })
    expect(old.status).toBe(401)
  })

  test.each([
    ['two at signs', 'a@b@corp.test'],
    ['a line break', 'ann\r\nbcc: x@y.test'],
    ['a space inside', 'an n'],
    ['a null', 'ann\0'],
    ['half a surrogate', 'ann\ud800'],
    ['nothing', ' '],
    ['far too much', 'a'.repeat(300)],
    ['angle brackets', '<ann@corp.test>'],
    ['a comma', 'ann@corp.test,eve@evil.test'],
  ])('A07: an account name with %s is refused by name', async (_what, itcode) => {
    const answer = await ask(app.browser(), itcode)
    expect([answer.status, Object.keys(answer.body.error.fields)]).toEqual([400, ['itcode']])
    expect(app.mails).toEqual([])
  })

  test('the name with and without the company domain is one account; tags and strange domains make none', async () => {
    await app.signIn('ann')
    await app.signIn('bob@corp.test')
    for (const [name, user] of [
      ['Ann@Corp.test', 'ann'],
      ['bob', 'bob@corp.test'],
    ] as const) {
      const browser = app.browser()
      const code = await codeFor(browser, name)
      expect((await enter(browser, code, name)).body.user.itcode).toBe(user)
    }
    expect(await app.db.select().from(users)).toHaveLength(2)
    const before = app.mails.length
    await ask(app.browser(), 'ann+2')
    await app.settled()
    expect(app.mails).toHaveLength(before)
  })

  test('a domain as it is read and as DNS has it is one account, in whichever form it is kept', async () => {
    const inDns = new URL('http://文件.example').hostname
    const { id } = await app.signIn('ann@bücher.example')
    await app.signIn('old@keep.test')
    // As accounts were kept before.
    await app.db.update(users).set({ itcode: 'old@文件.example' }).where(eq(users.itcode, 'old@keep.test'))
    for (const [name, itcode] of [
      ['ann@bücher.example', 'ann@xn--bcher-kva.example'],
      ['Ann@XN--BCHER-KVA.example', 'ann@xn--bcher-kva.example'],
      ['old@文件.example', 'old@文件.example'],
      [`old@${inDns}`, 'old@文件.example'],
    ] as const) {
      const browser = app.browser()
      app.clock.advance(MINUTE)
      const code = await codeFor(browser, name)
      expect((await enter(browser, code, name)).body.user?.itcode).toBe(itcode)
    }
    expect(await app.db.select().from(users)).toHaveLength(2)
    const admin = await app.signIn('boss', 'admin')
    for (const itcode of ['ann@bücher.example', `old@${inDns}`]) {
      expect((await admin.post('/admin/api/users', { itcode })).status).toBe(409)
    }
    expect((await admin.get(`/admin/api/users/${id}`)).status).toBe(200)
  })

  test.each([
    ['Cyrillic among Latin letters', '\u0430nn'],
    ['Greek among Latin letters', 'b\u03bfss'],
    ['Cyrillic that looks all Latin', '\u0441\u0435\u043e'],
    ['Greek that looks all Latin', '\u03bf\u03c1\u03b1'],
    ['a Greek letter among Chinese', '王\u03bf'],
    ['an i without its dot', 'adm\u0131n'],
    ['a phonetic letter', '\u0251nn'],
    ['digits of another script', 'ann\u0ce6'],
    ['Cyrillic before a plain domain', '\u0430nn@corp.test'],
  ])('a name with %s can be taken by nobody', async (_what, itcode) => {
    const answer = await ask(app.browser(), itcode)
    expect([answer.status, Object.keys(answer.body.error.fields)]).toEqual([400, ['itcode']])
    expect((await enter(app.browser(), 'BBBBBBBB', itcode)).status).toBe(400)
    const admin = await app.signIn('boss', 'admin')
    expect((await admin.post('/admin/api/users', { itcode })).status).toBe(400)
    // Whoever has it keeps it.
    await app.db.update(users).set({ itcode }).where(eq(users.itcode, 'boss'))
    const browser = app.browser()
    expect((await enter(browser, await codeFor(browser, itcode), itcode)).status).toBe(200)
  })

  test.each([
    'ann.o-neill_2',
    'ünal',
    'łukasz',
    '王小明',
    '王xiaoming',
    'たなかtaro',
    '김철수',
    'ирина',
    'егор',
    'νίκος',
    'דוד',
    'محمد',
    'สมชาย',
  ])('%s is a name', async (itcode) => {
    expect((await ask(app.browser(), itcode)).status).toBe(200)
  })

  test.each([
    ['ned', 'ned@corp.test', 'ned@corp.test'],
    ['Ned@Corp.test', 'NED', 'ned'],
    ['ned@corp.test', 'ned@corp.test', 'ned@corp.test'],
  ])('someone new who asks for a code as %s may sign in as %s', async (asked, entered, itcode) => {
    const browser = app.browser()
    const code = await codeFor(browser, asked)
    expect(app.mails.at(-1)?.to).toBe('ned@corp.test')
    expect((await enter(browser, code, entered)).body.user?.itcode).toBe(itcode)
    // It is one account, under either name.
    const again = await enter(browser, await codeFor(browser, 'ned'), 'ned')
    expect(again.body.user?.itcode).toBe(itcode)
  })
})

describe('who may register', () => {
  test('A22, A23: newcomers only with the invite code, only from allowed domains', async () => {
    const auth = { ...AUTH, invite_code: 'open sesame 7', allowed_domains: ['corp.test'] }
    const app = await startApp({ auth })
    expect((await app.browser().get('/api/auth/config')).body).toEqual({
      invite_required: true,
      code_length: 8,
      languages: ['zh-CN', 'en'],
      providers: [],
    })
    const wrong = await ask(app.browser(), 'ann@corp.test', { invite_code: 'open sesame 8' })
    expect([wrong.status, wrong.body.error.code]).toEqual([403, 'invalid_invite_code'])
    for (const invite_code of [undefined, null, '']) {
      expect((await ask(app.browser(), 'ann@corp.test', { invite_code })).status).toBe(200)
    }
    const right = { invite_code: 'open sesame 7' }
    expect((await ask(app.browser(), 'ann@evil.test', right)).status).toBe(200)
    expect((await ask(app.browser(), 'ann', right)).status).toBe(200)
    await app.settled()
    expect(app.mails).toEqual([])
    const browser = app.browser()
    expect((await ask(browser, 'ann@corp.test', right)).status).toBe(200)
    await app.settled()
    expect((await enter(browser, app.code(), 'ann@corp.test')).status).toBe(200)
    // Whoever has an account is asked for nothing.
    const known = app.browser()
    expect((await ask(known, 'ann@corp.test')).status).toBe(200)
    await app.settled()
    expect((await enter(known, app.code(), 'ann@corp.test')).status).toBe(200)
    await app.close()
  })

  test('wrong invite codes are counted against their address', async () => {
    const app = await startApp({ auth: { ...AUTH, invite_code: 'open sesame 7' } })
    const wrong = Array.from({ length: 120 }, (_, i) => ask(app.browser(), `p${i}`, { invite_code: 'x' }))
    const statuses = (await Promise.all(wrong)).map(({ status }) => status)
    expect(statuses.filter((status) => status === 403)).toHaveLength(100)
    expect(statuses.filter((status) => status === 429)).toHaveLength(20)
    await app.close()
  })

  test('six digits are there for those who want them', async () => {
    const app = await startApp({ auth: { ...AUTH, code_style: 'digits' } })
    await app.signIn('ann')
    expect(app.code()).toMatch(/^\d{6}$/)
    await app.close()
  })
})

describe('old codes and sessions', () => {
  test('are forgotten in time, and known browsers are remembered', async () => {
    const app = await startApp({ auth: AUTH })
    await app.signIn('ann')
    await ask(app.browser(), 'bob')
    const rows = async () => ({
      codes: (await app.db.select().from(loginCodes)).length,
      sessions: (await app.db.select().from(sessions)).length,
    })
    expect(await rows()).toEqual({ codes: 2, sessions: 1 })
    const runTasks = createTaskRunner(() => app.deps)
    app.clock.advance(2 * DAY + 1)
    await runTasks()
    expect(await rows()).toEqual({ codes: 1, sessions: 0 })
    app.clock.advance(180 * DAY)
    await runTasks()
    expect(await rows()).toEqual({ codes: 0, sessions: 0 })
    await app.close()
  })
})

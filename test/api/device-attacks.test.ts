/** Who tries to get a sign-in of Claude Code that is not theirs, and what they get. */
import { decodeJwt } from 'jose'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { deviceGrants } from '../../core/db/schema.ts'
import { askForGrant } from '../../core/devices/authorize.ts'
import { type App, ORIGIN, startApp } from '../support/app.ts'
import type { Answer, Browser } from '../support/browser.ts'
import { deviceClient, HOME } from '../support/devices.ts'

const MINUTE = 60_000
const SECRET = 'b7e1d0c4a96f42358e0d7a1c5f3b9e62d84a'
const SETTINGS = {
  server: { public_url: ORIGIN },
  auth: { session_secret: SECRET, email_domain: 'corp.test' },
}
const ELSEWHERE = '198.51.100.7'

let app: App
beforeEach(async () => {
  app = await startApp(SETTINGS)
})
afterEach(() => app.close())
const { begin, poll, call, decide } = deviceClient(() => app)

describe('a code', () => {
  test('that another person approves signs their own account in, which the program shows, and nobody else’s', async () => {
    const [ann, bob] = [await app.signIn('ann'), await app.signIn('bob')]
    const { body: asked } = await begin()
    await ann.post('/api/device/lookup', { user_code: asked.user_code, typed: false })
    expect((await decide(bob, asked.user_code)).status).toBe(200)
    expect((await decide(ann, asked.user_code)).status).toBe(404)
    const { body } = await poll(asked.device_code)
    expect([body.email, decodeJwt(body.access_token).sub]).toEqual(['bob@corp.test', `user_${bob.id}`])
    expect((await ann.get('/api/devices')).body.devices).toEqual([])
    expect((await poll(asked.device_code)).body.error).toBe('expired_token')
  })

  test('of one program is worth nothing to another that waits', async () => {
    const [first, second] = [(await begin()).body, (await begin()).body]
    await decide(await app.signIn('ann'), first.user_code)
    expect((await poll(second.device_code)).body.error).toBe('authorization_pending')
    expect((await poll(first.user_code)).body.error).toBe('expired_token')
  })

  test('in an address approves nothing by being opened, nor by a form that submits itself', async () => {
    const { body: asked } = await begin()
    const ann = await app.signIn('ann')
    await ann.get(`/device?user_code=${asked.user_code}`)
    const cookie = [...ann.cookies].map(([name, value]) => `${name}=${value}`).join('; ')
    const fields = { user_code: asked.user_code, decision: 'approved' }
    const submit = (headers: Record<string, string>, body: string) =>
      app.request('/api/device/decide', { method: 'POST', headers: { cookie, ...headers }, body })
    const json = { 'content-type': 'application/json' }
    const formType = { 'content-type': 'application/x-www-form-urlencoded' }
    const refusals = [
      await submit({ ...json, origin: 'https://evil.test' }, JSON.stringify(fields)),
      await submit({ ...json, 'sec-fetch-site': 'cross-site' }, JSON.stringify(fields)),
      await submit({ ...json, 'sec-fetch-site': 'same-site' }, JSON.stringify(fields)),
      await submit(json, JSON.stringify(fields)),
      await submit({ ...formType, origin: 'null' }, new URLSearchParams(fields).toString()),
      await submit({ ...formType, origin: ORIGIN }, new URLSearchParams(fields).toString()),
      await submit({ 'content-type': 'text/plain', origin: ORIGIN }, JSON.stringify(fields)),
      await ann.get(`/api/device/decide?${new URLSearchParams(fields)}`),
    ]
    expect(refusals.map(({ status }) => status)).toEqual([403, 403, 403, 403, 403, 415, 415, 405])
    expect((await poll(asked.device_code)).body.error).toBe('authorization_pending')
    // Nobody is asked within a frame of another page.
    const page = await app.request('/api/device/decide', { method: 'POST', headers: { cookie } })
    expect(page.headers.get('content-security-policy')).toContain("frame-ancestors 'none'")
  })

  test('is not taken by its letters in another program’s name, and nobody without a session may ask', async () => {
    const { body: asked } = await begin()
    const stranger = app.browser()
    expect((await decide(stranger, asked.user_code)).status).toBe(401)
    expect(
      (await stranger.post('/api/device/lookup', { user_code: asked.user_code, typed: true })).status,
    ).toBe(401)
    expect((await poll(asked.device_code)).body.error).toBe('authorization_pending')
  })

  test('is guessed at most twenty times at once, by lookups and decisions together', async () => {
    await begin()
    const ann = await app.signIn('ann')
    const guesses = []
    for (let i = 0; i < 15; i++) {
      guesses.push(await ann.post('/api/device/lookup', { user_code: 'BCDF-GHJK', typed: true }))
      guesses.push(await decide(ann, 'BCDF-GHJK'))
    }
    expect(guesses.filter(({ status }) => status === 404)).toHaveLength(20)
    expect(guesses.at(-1)?.headers.get('retry-after')).toBe('30')
    app.clock.advance(10 * MINUTE)
    expect((await decide(ann, 'BCDF-GHJK')).status).toBe(404)
  })
})

describe('one address', () => {
  /** The answer, and how far the clock had to be moved for it. */
  const slowly = async (peer: string) => {
    const startedAt = app.clock.now()
    let answer: Answer | undefined
    const asking = begin(peer).then((given) => {
      answer = given
    })
    while (!answer) {
      await new Promise((resolve) => setTimeout(resolve, 1))
      app.clock.advance(100)
    }
    await asking
    return { status: answer.status, waitedMs: app.clock.now() - startedAt }
  }
  const fill = (count: number) => {
    const now = app.clock.now()
    const waiting = Array.from({ length: count }, (_, i) => ({
      deviceCodeHash: `hash ${i}`,
      userCode: `CODE${i}`,
      client: 'flood',
      ip: ELSEWHERE,
      status: 'pending' as const,
      intervalMs: 5_000,
      createdAt: now,
      expiresAt: now + 10 * MINUTE,
    }))
    return app.db.insert(deviceGrants).values(waiting)
  }

  test('has thirty programs that wait at once, more are slow, past 600 none, and others notice nothing', async () => {
    for (let i = 0; i < 30; i++) expect((await begin(ELSEWHERE)).status).toBe(200)
    const { status, waitedMs } = await slowly(ELSEWHERE)
    expect(status).toBe(200)
    expect(waitedMs).toBeGreaterThanOrEqual(1_000)
    await fill(568)
    expect((await askForGrant(app.deps, { client: 'x', ip: ELSEWHERE })).delayMs).toBe(5_000)
    const refused = await begin(ELSEWHERE)
    expect([refused.status, refused.body.error, refused.headers.get('retry-after')]).toEqual([
      429,
      'slow_down',
      '5',
    ])
    expect((await begin(HOME)).status).toBe(200)
    app.clock.advance(10 * MINUTE)
    expect((await begin(ELSEWHERE)).status).toBe(200)
  })

  test('has 600 that wait, however many ask at the same moment', async () => {
    await fill(595)
    const asked = Array.from({ length: 20 }, () => askForGrant(app.deps, { client: 'x', ip: ELSEWHERE }))
    const settled = await Promise.allSettled(asked)
    expect(settled.filter(({ status }) => status === 'fulfilled')).toHaveLength(5)
  })

  test('may be that of 3,000 people, who let their programs in within an hour, of which these are twenty minutes', async () => {
    const people = []
    for (let i = 0; i < 30; i++) people.push(await app.signIn(`p${i}`))
    const waiting: { browser: Browser; asked: { user_code: string; device_code: string } }[] = []
    for (let i = 0; i < 1_000; i++) {
      app.clock.advance(1_200)
      const browser = people[i % people.length]
      const { body: asked, status } = await begin(HOME)
      expect([i, status]).toEqual([i, 200])
      if (browser) waiting.push({ browser, asked })
      // Each takes half a minute.
      const next = waiting.length > 25 ? waiting.shift() : undefined
      if (!next) continue
      expect((await decide(next.browser, next.asked.user_code)).status).toBe(200)
      const { body } = await poll(next.asked.device_code)
      if (i % 100 === 0) expect((await call(body.access_token)).status).toBe(400)
    }
    expect(waiting).toHaveLength(25)
  }, 60_000)
})

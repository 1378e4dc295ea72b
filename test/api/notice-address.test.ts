/** The address that people choose for notices, beside the one that signs them in. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { noticeRow } from '../../core/notices/outbox.ts'
import { type App, startApp } from '../support/app.ts'
import type { Browser } from '../support/browser.ts'
import { MINIMAL } from '../unit/config/settings.ts'

const PATH = '/api/notices/address'
const TEAM = 'team@corp.test'
let app: App
let ann: Browser & { id: number }

beforeEach(async () => {
  app = await startApp({ auth: { ...MINIMAL.auth, allowed_domains: ['corp.test'], auto_register: false } })
  ann = await app.signIn('ann@corp.test', 'admin')
  app.mails.length = 0
})
afterEach(() => app.close())

async function codeFor(email: string, who = ann) {
  const asked = await who.post(PATH, { email })
  expect(asked.status).toBe(200)
  await app.settled()
  return app.mails.at(-1)?.code ?? ''
}
/** To whom a notice goes. */
async function told(notice: Parameters<typeof noticeRow>[1]) {
  app.mails.length = 0
  await noticeRow(app.db, notice)
  await app.deps.courier.run()
  await app.settled()
  return app.mails.map(({ to }) => to)
}
const isOut = (key: string) =>
  told({
    event: 'backend.out',
    key,
    at: app.clock.now(),
    data: { backend: 'main', state: 'ejected', reason: 'no answer' },
  })
const isJoined = () =>
  told({
    event: 'identity.joined',
    key: '1',
    at: app.clock.now(),
    data: { user_id: ann.id, issuer: 'https://login.test' },
  })

describe('an address for notices', () => {
  test('is one that its code was mailed to; what is about signing in goes to the account’s own', async () => {
    expect((await ann.get(PATH)).body).toEqual({ email: 'ann@corp.test', is_chosen: false })
    const code = await codeFor(' Team@Corp.test ')
    expect(app.mails).toMatchObject([{ to: TEAM, subject: expect.stringContaining('Confirm your address') }])
    expect(await isOut('1')).toEqual(['ann@corp.test'])
    app.mails.length = 0
    expect((await ann.put(PATH, { email: TEAM, code })).body).toEqual({ email: TEAM, is_chosen: true })
    await app.settled()
    expect(app.mails).toMatchObject([{ to: 'ann@corp.test', text: expect.stringContaining(TEAM) }])
    expect(await isOut('2')).toEqual([TEAM])
    expect(await isJoined()).toEqual(['ann@corp.test'])
    expect((await app.audit()).at(-1)).toMatchObject({
      action: 'user.notice_address',
      actorId: ann.id,
      target: `user:${ann.id}`,
      before: '{"email":null}',
      after: `{"email":"${TEAM}"}`,
    })
  })

  test('signs nobody in, and given up it is told that notices go elsewhere', async () => {
    await ann.put(PATH, { email: TEAM, code: await codeFor(TEAM) })
    await app.settled()
    app.mails.length = 0
    const stranger = app.browser()
    await stranger.post('/api/auth/send-code', { itcode: 'ann@corp.test' })
    await stranger.post('/api/auth/send-code', { itcode: TEAM })
    await app.settled()
    expect(app.mails.map(({ to }) => to)).toEqual(['ann@corp.test'])
    app.mails.length = 0
    expect((await ann.delete(PATH)).body).toEqual({ email: 'ann@corp.test', is_chosen: false })
    await app.settled()
    expect(app.mails.map(({ to }) => to)).toEqual([TEAM])
  })

  test('takes its own code only: not one of another address, of another session, of signing in, or guessed', async () => {
    const code = await codeFor(TEAM)
    const refused = async (who: Browser, email: string, given: string) => {
      const answer = await who.put(PATH, { email, code: given })
      expect([answer.status, answer.body.error.code]).toEqual([401, 'invalid_code'])
    }
    const elsewhere = await app.signIn('ann@corp.test', 'admin')
    const signIn = app.mails.at(-1)?.code ?? ''
    await refused(elsewhere, TEAM, code)
    await refused(ann, 'other@corp.test', code)
    await refused(ann, TEAM, signIn)
    for (const guess of ['A', 'B', 'C']) await refused(ann, TEAM, guess)
    // Five guesses used it up.
    await refused(ann, TEAM, code)
    expect((await ann.get(PATH)).body.is_chosen).toBe(false)
  })

  test('is at a domain that is allowed, and codes are as rare as those of signing in', async () => {
    for (const [email, problem] of [
      ['ann@home.test', 'an address at a domain that is allowed here is expected'],
      ['ann', 'an e-mail address is expected'],
    ] as const) {
      const answer = await ann.post(PATH, { email })
      expect([answer.status, answer.body.error.fields.email]).toEqual([400, problem])
    }
    expect(app.mails).toEqual([])
    await codeFor(TEAM)
    // However many addresses are named, because each mail is one that somebody may not want.
    const again = await ann.post(PATH, { email: 'other@corp.test' })
    expect([again.status, again.headers.get('retry-after')]).toEqual([429, '60'])
    for (let i = 1; i < 20; i++) {
      app.clock.advance(61_000)
      await codeFor(`a${i}@corp.test`)
    }
    app.clock.advance(61_000)
    expect((await ann.post(PATH, { email: TEAM })).status).toBe(429)
  })
})

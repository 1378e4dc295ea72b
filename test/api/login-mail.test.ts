/** The mail that a person waits for to sign in. */
import { afterEach, beforeEach, expect, test } from 'vitest'
import { loginCodes } from '../../core/db/schema.ts'
import { type App, startApp } from '../support/app.ts'
import type { Browser } from '../support/browser.ts'

let app: App
beforeEach(async () => {
  const session_secret = 'b7e1d0c4a96f42358e0d7a1c5f3b9e62d84a'
  app = await startApp({ auth: { session_secret, email_domain: 'corp.test' } })
})
afterEach(() => app.close())

const ask = (browser: Browser) => browser.post('/api/auth/send-code', { itcode: 'ann' })
/** Lets so much time pass once another try is waited for. */
function tryAgain() {
  const before = app.clock.timers()
  return async (ms: number) => {
    await expect.poll(() => app.clock.timers()).toBe(before + 1)
    app.clock.advance(ms)
  }
}

test('A08: a code that could not be delivered is dead, and the answer is the same', async () => {
  app.failMail(true)
  const again = tryAgain()
  expect((await ask(app.browser())).body).toEqual({ message: 'code sent', expires_in: 300 })
  await again(1_000)
  await again(5_000)
  await app.settled()
  expect(await app.db.select().from(loginCodes)).toMatchObject([{ consumedAt: expect.any(Number) }])
  expect(app.logs.lines).toContainEqual(expect.objectContaining({ event: 'code.not_sent' }))
})

test('a code arrives also where the mail server is busy for a moment', async () => {
  const browser = app.browser()
  const again = tryAgain()
  app.failMail(true)
  await ask(browser)
  await again(1_000)
  app.failMail(false)
  await again(5_000)
  await app.settled()
  expect(app.mails).toHaveLength(1)
  expect((await browser.post('/api/auth/login', { itcode: 'ann', code: app.code() })).status).toBe(200)
  expect(app.logs.lines.filter(({ event }) => event === 'code.not_sent')).toEqual([])
})

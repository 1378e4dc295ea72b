import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { DAY_MS } from '../../core/units.ts'
import { type App, startApp } from '../support/app.ts'

describe.each([
  ['back', -DAY_MS],
  ['forward', DAY_MS],
])('a clock that jumps %s a day', (_, jump) => {
  let app: App
  beforeEach(async () => {
    app = await startApp()
  })
  afterEach(() => app.close())

  test('locks nobody out of signing in', async () => {
    const browser = app.browser()
    const ask = async () => (await browser.post('/api/auth/send-code', { itcode: 'ann' })).status
    expect([await ask(), await ask()]).toEqual([200, 429])
    app.clock.set(jump)
    expect(await ask()).toBe(200)
    await app.settled()
    expect((await browser.post('/api/auth/login', { itcode: 'ann', code: app.code() })).status).toBe(200)
  })

  test('locks no session out that is used once it is right again', async () => {
    const ann = await app.signIn('ann')
    app.clock.set(jump)
    app.clock.set(-jump)
    expect((await ann.get('/api/auth/me')).status).toBe(200)
  })
})

/** What people and administrators do must hold on every database: conditions on changes(), batches, unique indexes. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type App, startApp } from '../support/app.ts'
import type { Browser } from '../support/browser.ts'
import { STORES } from '../support/stores.ts'

describe.each(Object.entries(STORES))('accounts on %s', (_name, open) => {
  let app: App
  let boss: Browser & { id: number }
  let ann: Browser & { id: number }
  beforeAll(async () => {
    const models = { rules: [{ match: 'claude-opus-*', access: 'approval' }] }
    app = await startApp({ models }, await open())
    boss = await app.signIn('boss', 'admin')
    ann = await app.signIn('ann')
  }, 60_000)
  afterAll(() => app?.close())
  const audit = async (action: string) =>
    (await app.audit()).filter((event) => event.action === action).length

  test('a code signs in once, also when it is used ten times at once', async () => {
    const browser = app.browser()
    await browser.post('/api/auth/send-code', { itcode: 'carl' })
    await app.settled()
    const code = app.code()
    const logins = await Promise.all(
      Array.from({ length: 10 }, () => browser.post('/api/auth/login', { itcode: 'carl', code })),
    )
    expect(logins.map(({ status }) => status).filter((status) => status === 200)).toHaveLength(1)
    expect((await browser.get('/api/auth/me')).body.user.itcode).toBe('carl')
  })

  test('a key is made, changed and deleted, each with one audit row', async () => {
    const { key } = (await ann.post('/api/keys', { name: 'x' })).body
    expect((await ann.put(`/api/keys/${key.id}`, { name: 'y' })).body.key.name).toBe('y')
    expect((await boss.put(`/admin/api/keys/${key.id}/disable`)).body.key.disabled_by).toBe('admin')
    expect((await ann.put(`/api/keys/${key.id}/enable`)).status).toBe(403)
    expect((await ann.delete(`/api/keys/${key.id}`)).status).toBe(200)
    expect((await ann.delete(`/api/keys/${key.id}`)).status).toBe(404)
    const counts = [await audit('key.create'), await audit('key.update'), await audit('key.delete')]
    expect(counts).toEqual([1, 1, 1])
  })

  test('of two decisions at once one holds, and only an approval makes a grant', async () => {
    const other = await app.signIn('other', 'admin')
    const asked = await ann.post('/api/applications', { model: 'claude-opus-5-5', reason: 'x' })
    const path = `/admin/api/applications/${asked.body.application.id}/review`
    const answers = await Promise.all([
      boss.put(path, { status: 'approved' }),
      other.put(path, { status: 'approved' }),
    ])
    expect(answers.map(({ status }) => status).toSorted()).toEqual([200, 409])
    expect(await app.db.query.grants.findMany()).toHaveLength(1)
    expect(await audit('application.approve')).toBe(1)
    await boss.put(`/admin/api/users/${other.id}`, { role: 'user' })
  })

  test('an account is made once, and the last administrator stays', async () => {
    const made = await Promise.all(
      Array.from({ length: 5 }, () => boss.post('/admin/api/users', { itcode: 'dora' })),
    )
    expect(made.map(({ status }) => status).toSorted()).toEqual([201, 409, 409, 409, 409])
    expect((await boss.put(`/admin/api/users/${boss.id}`, { role: 'user' })).status).toBe(409)
    expect((await boss.get('/admin/api/users?q=do')).body.users).toMatchObject([{ itcode: 'dora' }])
  })

  test('usage is read', async () => {
    for (const path of ['', '/daily', '/hourly', '/summary', '/export']) {
      expect([path, (await ann.get(`/api/usage${path}`)).status]).toEqual([path, 200])
      expect([path, (await boss.get(`/admin/api/usage${path}`)).status]).toEqual([path, 200])
    }
    expect((await boss.get('/admin/api/backends/stats')).status).toBe(200)
  })
})

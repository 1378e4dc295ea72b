/** Everybody's devices, as administrators find them. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type App, ORIGIN, startApp } from '../support/app.ts'
import type { Browser } from '../support/browser.ts'

const CHECKSUM = 'x-claude-code-managed-settings-checksum'
const OLD = `sha256:${'1'.repeat(64)}`

let app: App
let admin: Browser & { id: number }
let bob: Browser & { id: number }
beforeAll(async () => {
  app = await startApp({ server: { public_url: ORIGIN } })
  admin = await app.signIn('admin', 'admin')
  const ann = await app.signIn('ann')
  bob = await app.signIn('bob')
  await admin.post('/admin/api/policies', { name: 'all', settings: { cleanupPeriodDays: 7 } })
  await deviceOf(ann, 'ann-laptop')
  await call(await deviceOf(bob, 'bob-laptop'), 'current')
  app.clock.advance(60_000)
  await call(await deviceOf(bob, 'Bob-desktop'), 'old')
})
afterAll(() => app?.close())

const form = (path: string, fields: Record<string, string>) =>
  app.request(path, {
    method: 'POST',
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
    body: new URLSearchParams(fields).toString(),
  })
async function deviceOf(browser: Browser, name: string): Promise<string> {
  const { body } = await form('/oauth/device_authorization', {})
  await browser.post('/api/device/decide', { user_code: body.user_code, decision: 'approved' })
  const grant_type = 'urn:ietf:params:oauth:grant-type:device_code'
  const tokens = (await form('/oauth/token', { grant_type, device_code: body.device_code })).body
  const { devices } = (await browser.get('/api/devices')).body
  await browser.put(`/api/devices/${devices.at(-1).id}`, { name })
  return tokens.access_token
}
async function call(token: string, which: 'current' | 'old') {
  const authorization = `Bearer ${token}`
  const { checksum } = (await app.request('/managed/settings', { headers: { authorization } })).body
  const headers = {
    authorization,
    'content-type': 'application/json',
    [CHECKSUM]: which === 'old' ? OLD : checksum,
  }
  await app.request('/v1/messages', { method: 'POST', headers, body: '{}' })
  await app.settled()
}
async function found(query: string) {
  const { body } = await admin.get(`/admin/api/devices${query}`)
  return [body.total, ...body.devices.map(({ name }: { name: string }) => name)]
}

test.each([
  ['', [3, 'ann-laptop', 'bob-laptop', 'Bob-desktop']],
  ['?sort=name&order=desc', [3, 'bob-laptop', 'Bob-desktop', 'ann-laptop']],
  ['?sort=itcode&order=asc&page=2&page_size=2', [3, 'Bob-desktop']],
  ['?sort=created_at&order=desc&page_size=1', [3, 'Bob-desktop']],
  ['?q=DESK', [1, 'Bob-desktop']],
  ['?q=ann', [1, 'ann-laptop']],
  ['?q=%25', [0]],
  ['?settings=current', [1, 'bob-laptop']],
  ['?settings=old', [1, 'Bob-desktop']],
  ['?settings=silent', [1, 'ann-laptop']],
])('%s finds %j', async (query, names) => {
  expect(await found(query)).toEqual(names)
})

test("one person's devices are found, and one that was signed out is not", async () => {
  const mine = await found(`?user_id=${bob.id}`)
  expect(mine).toEqual([2, 'bob-laptop', 'Bob-desktop'])
  const { devices } = (await admin.get('/admin/api/devices?q=bob-laptop')).body
  await admin.delete(`/admin/api/devices/${devices[0].id}`)
  expect([await found('?q=bob'), await found('?settings=current')]).toEqual([[1, 'Bob-desktop'], [0]])
})

test('last use sorts those that were used before those that were not', async () => {
  expect((await found('?sort=last_used_at&order=asc&q=laptop'))[1]).toBe('ann-laptop')
})

test.each(['?settings=new', '?sort=status', '?page=0'])('%s is refused', async (query) => {
  expect((await admin.get(`/admin/api/devices${query}`)).status).toBe(400)
})

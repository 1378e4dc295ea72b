/** Which devices run on old managed settings, as they say it with each call. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { deviceSettings } from '../../core/db/schema.ts'
import { type App, ORIGIN, startApp } from '../support/app.ts'
import type { Browser } from '../support/browser.ts'

const CHECKSUM = 'x-claude-code-managed-settings-checksum'

describe('a device that says which settings it runs with', () => {
  let app: App
  let admin: Browser & { id: number }
  let ann: Browser & { id: number }
  let token: string
  let policy: number
  beforeEach(async () => {
    app = await startApp({ server: { public_url: ORIGIN } })
    admin = await app.signIn('admin', 'admin')
    ann = await app.signIn('ann')
    token = await deviceOf(ann)
    const made = await admin.post('/admin/api/policies', { name: 'all', settings: { cleanupPeriodDays: 7 } })
    policy = made.body.policy.id
  })
  afterEach(() => app.close())

  const form = (path: string, fields: Record<string, string>) =>
    app.request(path, {
      method: 'POST',
      headers: { 'content-type': 'application/x-www-form-urlencoded' },
      body: new URLSearchParams(fields).toString(),
    })
  const deviceOf = async (browser: Browser) => {
    const { body } = await form('/oauth/device_authorization', {})
    await browser.post('/api/device/decide', { user_code: body.user_code, decision: 'approved' })
    const grant_type = 'urn:ietf:params:oauth:grant-type:device_code'
    return (await form('/oauth/token', { grant_type, device_code: body.device_code })).body.access_token
  }
  const call = async (checksum: string, key = token) => {
    const headers = {
      authorization: `Bearer ${key}`,
      'content-type': 'application/json',
      [CHECKSUM]: checksum,
    }
    await app.request('/v1/messages', { method: 'POST', headers, body: '{}' })
    await app.settled()
  }
  const checksumNow = async () => {
    const headers = { authorization: `Bearer ${token}` }
    return (await app.request('/managed/settings', { headers })).body.checksum
  }
  const shown = async () => (await admin.get('/admin/api/devices')).body.devices[0].settings

  test('is shown to run on old ones until it has the new', async () => {
    expect(await shown()).toBeNull()
    const first = await checksumNow()
    await call(first)
    const since = new Date(app.clock.now()).toISOString()
    expect(await shown()).toEqual({ is_current: true, since })
    await admin.put(`/admin/api/policies/${policy}`, { settings: { cleanupPeriodDays: 9 } })
    expect(await shown()).toEqual({ is_current: false, since })
    app.clock.advance(1_800_000)
    await call(first)
    expect(await shown()).toEqual({ is_current: false, since })
    await call(await checksumNow())
    expect(await shown()).toMatchObject({ is_current: true })
    await admin.delete(`/admin/api/policies/${policy}`)
    expect(await shown()).toMatchObject({ is_current: false })
    expect((await ann.get('/api/devices')).body.devices[0]).not.toHaveProperty('settings')
  })

  test('has the settings of its groups, with the models that its person may use', async () => {
    const { group } = (await admin.post('/admin/api/groups', { name: 'research' })).body
    await admin.put(`/admin/api/groups/${group.id}/members/${ann.id}`, { role: 'member' })
    const settings = { model: 'sonnet', desktop: {} }
    await admin.post('/admin/api/policies', { name: 'research', group_ids: [group.id], settings })
    await call(await checksumNow())
    expect(await shown()).toMatchObject({ is_current: true })
  })

  test('is written at most once a minute, whatever its terminals say by turns, and what is no checksum never', async () => {
    const [one, other] = [`sha256:${'1'.repeat(64)}`, `sha256:${'2'.repeat(64)}`]
    const stored = async () => (await app.db.select().from(deviceSettings)).map(({ checksum }) => checksum)
    await call('what I like')
    expect(await stored()).toEqual([])
    for (const checksum of [one, other, one, other]) await call(checksum)
    expect(await stored()).toEqual([one])
    app.clock.advance(60_000)
    await call(other)
    expect(await stored()).toEqual([other])
    const key = (await ann.post('/api/keys', { name: 'x' })).body.key.key
    await call(one, key)
    expect(await stored()).toEqual([other])
  })
})

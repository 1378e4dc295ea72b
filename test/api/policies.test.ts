/** What people run Claude Code with: policies, and the settings that a device fetches. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { COMMAND_LINE } from '../../core/audit/record.ts'
import { createGroup } from '../../core/organisation/groups.ts'
import { setMember } from '../../core/organisation/members.ts'
import { type App, ORIGIN, startApp } from '../support/app.ts'
import type { Browser } from '../support/browser.ts'

describe('policies', () => {
  let app: App
  let admin: Browser & { id: number }
  let ann: Browser & { id: number }
  let token: string
  beforeEach(async () => {
    app = await startApp({ server: { public_url: ORIGIN } })
    admin = await app.signIn('admin', 'admin')
    ann = await app.signIn('ann')
    token = await deviceOf(ann)
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
  const settings = (headers: Record<string, string> = {}) =>
    app.request('/managed/settings', { headers: { authorization: `Bearer ${token}`, ...headers } })
  const call = (model: string) =>
    app.request('/v1/messages', {
      method: 'POST',
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
      body: JSON.stringify({ model, max_tokens: 1, messages: [] }),
    })

  test('reach a device by checksum, and change by version, and back', async () => {
    expect((await settings()).status).toBe(404)
    const made = await admin.post('/admin/api/policies', { name: 'all', settings: { cleanupPeriodDays: 7 } })
    expect([made.status, made.body.policy.warnings]).toEqual([201, []])
    const { id } = made.body.policy
    const first = await settings()
    expect(first.body).toMatchObject({
      settings: { cleanupPeriodDays: 7 },
      checksum: expect.stringMatching(/^sha256:/),
    })
    const etag = first.headers.get('etag') ?? ''
    expect((await settings({ 'if-none-match': etag })).status).toBe(304)
    expect((await settings({ 'if-none-match': '*' })).status).toBe(304)
    await admin.put(`/admin/api/policies/${id}`, { settings: { cleanupPeriodDays: 9 } })
    expect((await settings({ 'if-none-match': etag })).body.settings).toEqual({ cleanupPeriodDays: 9 })
    const { versions } = (await admin.get(`/admin/api/policies/${id}/versions`)).body
    expect(versions).toHaveLength(2)
    await admin.post(`/admin/api/policies/${id}/rollback`, { version: versions[1].id })
    expect((await settings({ 'if-none-match': etag })).status).toBe(304)
    await admin.delete(`/admin/api/policies/${id}`)
    expect((await settings()).status).toBe(404)
  })

  test('give Claude Desktop its configuration only where they say so, and Claude Code none of it', async () => {
    const bootstrap = () => app.request('/user/bootstrap', { headers: { authorization: `Bearer ${token}` } })
    expect((await bootstrap()).status).toBe(404)
    const common = {
      availableModels: ['claude-opus-5-5'],
      permissions: { deny: ['WebSearch', 'Bash(curl *)'] },
      sandbox: { network: { allowedDomains: ['*.corp.test'] } },
      env: { OTEL_EXPORTER_OTLP_ENDPOINT: ORIGIN },
    }
    const { policy } = (await admin.post('/admin/api/policies', { name: 'all', settings: common })).body
    expect((await bootstrap()).status).toBe(404)
    const before = (await settings()).body.checksum
    const desktop = { disableAutoUpdates: true, otlpEndpoint: 'https://otel.corp.test' }
    const changed = await admin.put(`/admin/api/policies/${policy.id}`, { settings: { ...common, desktop } })
    expect(changed.body.policy.warnings).toEqual(policy.warnings)
    expect((await bootstrap()).body).toEqual({
      inferenceModels: ['claude-opus-5-5'],
      disabledBuiltinTools: ['WebSearch'],
      coworkEgressAllowedHosts: ['*.corp.test'],
      ...desktop,
    })
    expect((await settings()).body).toMatchObject({ checksum: before, settings: common })
    expect((await settings()).body.settings).not.toHaveProperty('desktop')
  })

  test('are previewed for a person, by the groups that they are in', async () => {
    const parts = { ...app.deps, actor: COMMAND_LINE }
    const group = await createGroup(parts, { name: 'research' })
    await admin.post('/admin/api/policies', { name: 'all', settings: { model: 'opus' } })
    await admin.post('/admin/api/policies', {
      name: 'research',
      group_ids: [group.id],
      settings: { model: 'sonnet' },
    })
    const preview = async () => (await admin.get(`/admin/api/policies-preview?user_id=${ann.id}`)).body
    expect(await preview()).toEqual({ policies: ['all'], settings: { model: 'opus' } })
    await setMember(parts, group.id, ann.id, 'member')
    expect(await preview()).toEqual({ policies: ['research', 'all'], settings: { model: 'sonnet' } })
  })

  test('narrow the models of devices, and of nothing else', async () => {
    const answerTo = async (model: string) => (await call(model)).body.error.message
    expect(await answerTo('claude-opus-5-5')).not.toContain('settings of Claude Code')
    await admin.post('/admin/api/policies', { name: 'all', settings: { availableModels: ['haiku'] } })
    await app.deps.keyCache.refresh()
    const refused = await call('claude-opus-5-5')
    expect([refused.status, refused.body.error.type]).toEqual([400, 'invalid_request_error'])
    expect(refused.body.error.message).toContain('Your settings of Claude Code do not have')
    expect(await answerTo('claude-haiku-4-5')).not.toContain('settings of Claude Code')
    token = (await ann.post('/api/keys', { name: 'key' })).body.key.key
    await app.deps.keyCache.refresh()
    expect(await answerTo('claude-opus-5-5')).not.toContain('settings of Claude Code')
  })

  test('that Claude Code would not take change nothing', async () => {
    const wrong = await admin.post('/admin/api/policies', {
      name: 'all',
      settings: { mcpServers: {}, model: 1 },
    })
    expect([wrong.status, Object.keys(wrong.body.error.fields)]).toEqual([
      400,
      ['settings.mcpServers', 'settings.model'],
    ])
    expect((await admin.get('/admin/api/policies')).body.policies).toEqual([])
    await admin.post('/admin/api/policies', { name: 'all', settings: {} })
    expect((await admin.post('/admin/api/policies', { name: 'all', settings: {} })).status).toBe(409)
    // An empty document is a policy, too.
    expect((await settings()).status).toBe(200)
  })
})

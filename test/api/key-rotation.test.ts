import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { apiKeys } from '../../core/db/schema.ts'
import { type App, startApp } from '../support/app.ts'
import type { Browser } from '../support/browser.ts'
import { type FakeUpstream, startUpstream } from '../support/upstream.ts'

const HOUR = 3_600_000
const DAY = 24 * HOUR
const ASK = { model: 'claude-opus-5-5', max_tokens: 10, messages: [{ role: 'user', content: 'hi' }] }

describe('a key that is rotated', () => {
  let upstream: FakeUpstream
  let app: App
  let ann: Browser & { id: number }
  let bob: Browser & { id: number }
  let boss: Browser & { id: number }
  beforeAll(async () => {
    upstream = await startUpstream()
  })
  afterAll(() => upstream.stop())
  beforeEach(async () => {
    app = await startApp({ backends: [{ name: 'a', url: upstream.url, api_key: 'k-of-a' }] })
    ann = await app.signIn('ann')
    bob = await app.signIn('bob')
    boss = await app.signIn('boss', 'admin')
    return () => app.close()
  })
  const make = async (body: object = {}) => (await ann.post('/api/keys', { name: 'ci', ...body })).body.key
  const rotate = async (id: number, body: object = {}) =>
    (await ann.post(`/api/keys/${id}/rotate`, body)).body.key
  const call = async (secret: string) => {
    const body = JSON.stringify(ASK)
    return app.request('/v1/messages', { method: 'POST', headers: { 'x-api-key': secret }, body })
  }
  const statusOf = async (...secrets: string[]) => {
    const answers = []
    for (const secret of secrets) answers.push((await call(secret)).status)
    return answers
  }
  const at = (ms: number) => new Date(ms).toISOString()

  test('stays what it was with a new secret, and the old one works for a day', async () => {
    const { key: old, ...before } = await make({ requests_per_minute: 9, models: ['claude-*'] })
    const { key: secret, ...after } = await rotate(before.id)
    expect(after).toEqual({
      ...before,
      prefix: secret.slice(0, 7),
      last4: secret.slice(-4),
      previous: {
        prefix: before.prefix,
        last4: before.last4,
        ends_at: at(app.clock.now() + DAY),
        last_used_at: null,
      },
    })
    expect((await ann.get('/api/keys')).body.keys).toEqual([after])
    expect(await statusOf(old, secret)).toEqual([200, 200])
    app.clock.advance(DAY - 1)
    expect(await statusOf(old)).toEqual([200])
    app.clock.advance(1)
    expect(await statusOf(old, secret)).toEqual([401, 200])
    const refused = await call(old)
    expect(refused.text).toContain('was replaced by a new one')
    expect(refused.headers.get('x-gateway-error')).toBe('key_expired')
    const rows = await app.rows()
    expect(new Set(rows.map(({ apiKeyId }) => apiKeyId))).toEqual(new Set([before.id]))
  })

  test('tells when its old secret was used last, and nothing of the one before that', async () => {
    const { key: first, id } = await make()
    const { key: second } = await rotate(id)
    const usedAt = async () => {
      await app.settled()
      return (await ann.get('/api/keys')).body.keys[0].previous.last_used_at
    }
    await call(second)
    expect(await usedAt()).toBeNull()
    const firstCall = app.clock.now()
    await call(first)
    expect(await usedAt()).toBe(at(firstCall))
    app.clock.advance(59_000)
    await call(first)
    expect(await usedAt()).toBe(at(firstCall))
    app.clock.advance(1_000)
    await call(first)
    expect(await usedAt()).toBe(at(firstCall + 60_000))
    await rotate(id)
    expect(await usedAt()).toBeNull()
    await call(second)
    expect(await usedAt()).toBe(at(firstCall + 60_000))
  })

  test('counts both secrets against its limits, so that rotating gives nobody more', async () => {
    const { key: old, id } = await make({ requests_per_minute: 2 })
    expect(await statusOf(old)).toEqual([200])
    const { key: secret } = await rotate(id)
    expect(await statusOf(secret, old, secret)).toEqual([200, 429, 429])
  })

  test('ends the old secret at once if that is wanted, and on a second rotation the one before', async () => {
    const { key: first, id } = await make()
    const { key: second } = await rotate(id, { overlap_hours: 0 })
    expect(await statusOf(first, second)).toEqual([401, 200])
    const { key: third } = await rotate(id, { overlap_hours: 168 })
    const { key: fourth } = await rotate(id)
    expect(await statusOf(first, second, third, fourth)).toEqual([401, 401, 200, 200])
  })

  test('lends the old secret no more time than it has itself', async () => {
    const expires_at = at(app.clock.now() + HOUR)
    const { key: old, id } = await make({ expires_at })
    const rotated = await rotate(id)
    expect(rotated.previous.ends_at).toBe(expires_at)
    app.clock.advance(HOUR)
    expect(await statusOf(old, rotated.key)).toEqual([401, 401])
    ann = await app.signIn('ann')
    await ann.put(`/api/keys/${id}`, { expires_at: null })
    expect(await statusOf(old, rotated.key)).toEqual([401, 200])
  })

  test('ends with both secrets where it is switched off, deleted, or may not be used from there', async () => {
    const { key: old, id } = await make()
    const { key: secret } = await rotate(id)
    await ann.put(`/api/keys/${id}`, { networks: ['10.0.0.0/8'] })
    expect(await statusOf(old, secret)).toEqual([403, 403])
    await ann.put(`/api/keys/${id}`, { networks: null })
    await ann.put(`/api/keys/${id}/disable`)
    expect(await statusOf(old, secret)).toEqual([401, 401])
    await ann.put(`/api/keys/${id}/enable`)
    expect(await statusOf(old, secret)).toEqual([200, 200])
    await ann.delete(`/api/keys/${id}`)
    expect(await statusOf(old, secret)).toEqual([401, 401])
  })

  test('loses the old secret early where its owner or an administrator ends it, once', async () => {
    for (const [who, path] of [
      [ann, '/api/keys'],
      [boss, '/admin/api/keys'],
    ] as const) {
      const { key: old, id } = await make()
      const { key: secret } = await rotate(id)
      const ended = await who.delete(`${path}/${id}/previous`)
      expect(ended.body.key.previous.ends_at).toBe(at(app.clock.now()))
      expect(await statusOf(old, secret)).toEqual([401, 200])
      expect((await who.delete(`${path}/${id}/previous`)).status).toBe(404)
    }
  })

  test('has to work: one that is switched off or has expired is refused', async () => {
    const off = await make()
    await ann.put(`/api/keys/${off.id}/disable`)
    const over = await make({ expires_at: at(app.clock.now() + 1) })
    app.clock.advance(1)
    for (const { id } of [off, over]) {
      const answer = await ann.post(`/api/keys/${id}/rotate`, {})
      expect([answer.status, answer.body.error.code]).toEqual([409, 'conflict'])
    }
    for (const overlap_hours of [-1, 0.5, 169, '1', null]) {
      const answer = await ann.post(`/api/keys/${off.id}/rotate`, { overlap_hours })
      expect([answer.status, Object.keys(answer.body.error.fields)]).toEqual([400, ['overlap_hours']])
    }
  })

  test('is its owner’s alone to rotate: whoever has its secret calls in their name', async () => {
    const { id, key: secret } = await make()
    for (const who of [bob, boss]) {
      expect((await who.post(`/api/keys/${id}/rotate`, {})).status).toBe(404)
      expect((await who.delete(`/api/keys/${id}/previous`)).status).toBe(404)
      expect((await who.post(`/api/service-accounts/${ann.id}/keys/${id}/rotate`, {})).status).toBe(404)
    }
    expect((await bob.delete(`/admin/api/keys/${id}/previous`)).status).toBe(403)
    expect(await statusOf(secret)).toEqual([200])
  })

  test('of a service account is rotated by administrators and by nobody else', async () => {
    const { user } = (await boss.post('/admin/api/users', { itcode: 'robot', kind: 'service' })).body
    await boss.put('/admin/api/limits', {
      scope: 'user',
      scope_id: user.id,
      period: 'monthly',
      amount_usd: 5,
    })
    const path = `/api/service-accounts/${user.id}/keys`
    const { key: old, id } = (await boss.post(path, { name: 'x' })).body.key
    expect((await ann.post(`${path}/${id}/rotate`, {})).status).toBe(404)
    const { key: secret } = (await boss.post(`${path}/${id}/rotate`, {})).body.key
    expect(await statusOf(old, secret)).toEqual([200, 200])
    expect((await ann.delete(`${path}/${id}/previous`)).status).toBe(404)
    expect((await boss.delete(`${path}/${id}/previous`)).status).toBe(200)
    expect(await statusOf(old, secret)).toEqual([401, 200])
    await boss.put(`/admin/api/users/${user.id}`, { status: 'disabled' })
    expect((await boss.post(`${path}/${id}/rotate`, {})).status).toBe(409)
  })

  test('has one new secret however many rotate it at once', async () => {
    const { key: old, id } = await make()
    const answers = await Promise.all(
      Array.from({ length: 8 }, () => ann.post(`/api/keys/${id}/rotate`, { overlap_hours: 1 })),
    )
    const made = answers.flatMap(({ status, body }) => (status === 200 ? [body.key.key] : []))
    const works = [old, ...made].filter(Boolean)
    const found = await statusOf(...works)
    expect(found.filter((status) => status === 200)).toHaveLength(2)
    expect(answers.every(({ status }) => status === 200 || status === 409)).toBe(true)
  })

  test('is found by how its old secret began, and is in the audit without a secret', async () => {
    const { key: old, id, prefix, last4 } = await make()
    const { key: secret } = await rotate(id)
    await ann.delete(`/api/keys/${id}/previous`)
    const found = await boss.get(`/admin/api/keys?q=${prefix}`)
    expect(found.body.keys).toMatchObject([{ id, itcode: 'ann', owner_kind: 'person' }])
    const events = (await app.audit()).filter(({ target }) => target === `key:${id}`)
    expect(events).toMatchObject([
      { action: 'key.rotate', actorId: ann.id },
      { action: 'key.end_previous', actorId: ann.id },
    ])
    expect(JSON.parse(events[0]?.after ?? '')).toEqual({
      previous_key: `${prefix}…${last4}`,
      previous_ends_at: at(app.clock.now() + DAY),
    })
    const dump = JSON.stringify([await app.db.select().from(apiKeys), await app.audit()])
    for (const one of [old, secret]) expect(dump).not.toContain(one)
  })
})

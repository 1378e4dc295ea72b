import { eq } from 'drizzle-orm'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { apiKeys } from '../../core/db/schema.ts'
import { createKey } from '../../core/keys/manage.ts'
import { type App, startApp } from '../support/app.ts'
import type { Browser } from '../support/browser.ts'
import { type FakeUpstream, startUpstream } from '../support/upstream.ts'

const DAY = 86_400_000
const ASK = { model: 'claude-opus-5-5', max_tokens: 10, messages: [{ role: 'user', content: 'hi' }] }

describe('keys', () => {
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
  const make = async (browser: Browser, body: object = { name: 'laptop' }) =>
    (await browser.post('/api/keys', body)).body.key
  const call = async (secret: string) => {
    const answer = await app.request('/v1/messages', {
      method: 'POST',
      headers: { 'x-api-key': secret },
      body: JSON.stringify(ASK),
    })
    return answer.status
  }

  test('have limits of their own, which hold from the next call on', async () => {
    const limits = { quota_tokens: 7, budget_usd: 0.5, requests_per_minute: 1, concurrent_requests: 3 }
    const limited = await make(ann, { name: 'ci', ...limits })
    expect(limited).toMatchObject(limits)
    expect([await call(limited.key), await call(limited.key)]).toEqual([200, 429])
    const free = await make(ann)
    expect([await call(free.key), await call(free.key)]).toEqual([200, 200])
    const changed = await ann.put(`/api/keys/${free.id}`, { requests_per_minute: 2 })
    expect(changed.body.key).toMatchObject({ name: 'laptop', requests_per_minute: 2, quota_tokens: 0 })
    expect([await call(free.key), await call(free.key), await call(free.key)]).toEqual([200, 200, 429])
    await ann.put(`/api/keys/${free.id}`, { requests_per_minute: 0 })
    expect(await call(free.key)).toBe(200)
  })

  test('K01, K02: a secret is in one answer, and neither in the list nor in the database', async () => {
    const answer = await ann.post('/api/keys', { name: ' laptop ', expires_at: null })
    expect(answer.status).toBe(201)
    expect(answer.headers.get('cache-control')).toBe('no-store')
    const { key } = answer.body
    expect(key).toEqual({
      id: expect.any(Number),
      user_id: ann.id,
      name: 'laptop',
      prefix: key.key.slice(0, 7),
      last4: key.key.slice(-4),
      status: 'active',
      disabled_by: null,
      expires_at: null,
      previous: null,
      quota_tokens: 0,
      budget_usd: 0,
      requests_per_minute: 0,
      tokens_per_minute: 0,
      concurrent_requests: 0,
      billing_group_id: null,
      models: null,
      networks: null,
      created_at: '2026-11-23T12:00:00.000Z',
      last_used_at: null,
      requests: 0,
      cost_usd: 0,
      key: expect.stringMatching(/^sk-[A-Za-z0-9]{40}$/),
    })
    const { key: secret, ...shown } = key
    expect((await ann.get('/api/keys')).body).toEqual({ keys: [shown] })
    const dump = JSON.stringify([await app.db.select().from(apiKeys), await app.audit()])
    expect(dump).not.toContain(secret)
  })

  test('a new key works at once, and its use is counted', async () => {
    const { key: secret, id } = await make(ann)
    expect(await call(secret)).toBe(200)
    const [row] = await app.rows()
    expect(row).toMatchObject({ apiKeyId: id, userId: ann.id })
    const [listed] = (await ann.get('/api/keys')).body.keys
    expect(listed).toMatchObject({ requests: 1, last_used_at: '2026-11-23T12:00:00.000Z' })
    expect(listed.cost_usd).toBe((row?.costMicros ?? 0) / 1e6)
  })

  test('switching off, switching on and deleting hold from the next call on; usage stays', async () => {
    const { key: secret, id } = await make(ann)
    expect(await call(secret)).toBe(200)
    expect((await ann.put(`/api/keys/${id}/disable`)).body.key).toMatchObject({
      status: 'disabled',
      disabled_by: 'owner',
    })
    expect(await call(secret)).toBe(401)
    expect((await ann.put(`/api/keys/${id}/enable`)).body.key).toMatchObject({ status: 'active' })
    expect(await call(secret)).toBe(200)
    expect((await ann.delete(`/api/keys/${id}`)).body).toEqual({ message: 'deleted' })
    expect(await call(secret)).toBe(401)
    expect((await ann.get('/api/keys')).body.keys).toEqual([])
    expect((await ann.delete(`/api/keys/${id}`)).status).toBe(404)
    expect(await app.rows()).toHaveLength(2)
  })

  test('K06: a key ends at its time, to the millisecond', async () => {
    const expires_at = new Date(app.clock.now() + DAY).toISOString()
    const { key: secret, ...shown } = await make(ann, { name: 'x', expires_at })
    expect(shown.expires_at).toBe(expires_at)
    app.clock.advance(DAY - 1)
    expect(await call(secret)).toBe(200)
    app.clock.advance(1)
    expect(await call(secret)).toBe(401)
    ann = await app.signIn('ann')
    expect((await ann.put(`/api/keys/${shown.id}`, { expires_at: null, name: 'y' })).body.key).toMatchObject({
      name: 'y',
      expires_at: null,
    })
    expect(await call(secret)).toBe(200)
  })

  test('K09: what an administrator switched off stays off until an administrator switches it on', async () => {
    const { key: secret, id } = await make(ann)
    await ann.put(`/api/keys/${id}/disable`)
    expect((await boss.put(`/admin/api/keys/${id}/disable`)).body.key.disabled_by).toBe('admin')
    for (const path of [`/api/keys/${id}/enable`, `/api/keys/${id}`]) {
      const answer = await ann.put(path, path.endsWith('enable') ? undefined : { status: 'active' })
      expect([answer.status, answer.body.error.code]).toEqual([403, 'disabled_by_admin'])
    }
    expect((await ann.put(`/api/keys/${id}/disable`)).body.key.disabled_by).toBe('admin')
    expect((await ann.put(`/api/keys/${id}`, { name: 'still mine' })).status).toBe(200)
    expect(await call(secret)).toBe(401)
    expect((await boss.put(`/admin/api/keys/${id}/enable`)).body.key).toMatchObject({
      status: 'active',
      disabled_by: null,
    })
    expect(await call(secret)).toBe(200)
  })

  test("Z02: somebody else's key is as unknown as one that does not exist", async () => {
    const { id } = await make(ann)
    for (const ask of [
      (key: number | string) => bob.put(`/api/keys/${key}`, { name: 'mine now' }),
      (key: number | string) => bob.put(`/api/keys/${key}/disable`),
      (key: number | string) => bob.put(`/api/keys/${key}/enable`),
      (key: number | string) => bob.delete(`/api/keys/${key}`),
    ]) {
      const [theirs, none] = [await ask(id), await ask(999_999)]
      expect(theirs.status).toBe(404)
      expect({ ...theirs.body, request_id: '' }).toEqual({ ...none.body, request_id: '' })
    }
    expect((await bob.get('/api/keys')).body.keys).toEqual([])
    expect((await ann.get('/api/keys')).body.keys).toMatchObject([{ name: 'laptop', status: 'active' }])
  })

  test.each(['0', '-1', '01', '1e3', '１', '9007199254740993', 'x', '1.0', ' 1', '%31'])(
    'I12: the id %j is unknown',
    async (id) => expect((await ann.put(`/api/keys/${id}/disable`)).status).toBe(404),
  )

  test.each([
    ['no name', {}, 'name'],
    ['an empty name', { name: ' ' }, 'name'],
    ['a number as a name', { name: 7 }, 'name'],
    ['a name with a line break', { name: 'a\nb' }, 'name'],
    ['a name with half a surrogate', { name: 'a\ud800' }, 'name'],
    ['a long name', { name: 'a'.repeat(101) }, 'name'],
    ['a time that is over', { name: 'x', expires_at: '2026-11-23T12:00:00Z' }, 'expires_at'],
    ['a day that is none', { name: 'x', expires_at: '2027-02-30T00:00:00Z' }, 'expires_at'],
    ['a date without a time', { name: 'x', expires_at: '2027-02-03' }, 'expires_at'],
    ['a number as a time', { name: 'x', expires_at: 1_800_000_000 }, 'expires_at'],
    ['an owner', { name: 'x', user_id: 1 }, 'user_id'],
    ['a hash', { name: 'x', key_hash: 'a' }, 'key_hash'],
  ])('Z05, I01: a key with %s is refused by the name of the field', async (_what, body, field) => {
    const answer = await ann.post('/api/keys', body)
    expect([answer.status, Object.keys(answer.body.error.fields)]).toEqual([400, [field]])
    expect((await ann.get('/api/keys')).body.keys).toEqual([])
  })

  test('K11, Q07: a user has at most 100 keys, also when 130 are made at once', async () => {
    const answers = await Promise.all(
      Array.from({ length: 130 }, (_, i) => ann.post('/api/keys', { name: `k${i}` })),
    )
    expect(answers.filter(({ status }) => status === 201)).toHaveLength(100)
    expect(answers.filter(({ status }) => status === 409)).toHaveLength(30)
    expect((await ann.get('/api/keys')).body.keys).toHaveLength(100)
    const created = (await app.audit()).filter(({ action }) => action === 'key.create')
    expect(created).toHaveLength(100)
  })

  test('Q04: after any number of parallel changes the key is what the last one made of it, for calls too', async () => {
    const { key: secret, id } = await make(ann)
    const actions = Array.from({ length: 100 }, (_, i) =>
      ann.put(`/api/keys/${id}/${i % 2 ? 'enable' : 'disable'}`),
    )
    await Promise.all(actions)
    const [row] = await app.db.select().from(apiKeys).where(eq(apiKeys.id, id))
    expect(await call(secret)).toBe(row?.status === 'active' ? 200 : 401)
    await ann.delete(`/api/keys/${id}`)
    expect((await ann.put(`/api/keys/${id}/enable`)).status).toBe(404)
    expect(await call(secret)).toBe(401)
  })

  test('K07: a disabled user has no working key, and gets no new one', async () => {
    const { key: secret } = await make(ann)
    expect((await boss.put(`/admin/api/users/${ann.id}`, { status: 'disabled' })).status).toBe(200)
    expect(await call(secret)).toBe(403)
    expect((await ann.post('/api/keys', { name: 'x' })).status).toBe(401)
    const parts = { ...app.deps, actor: { id: null, ip: null, requestId: null } }
    const wanted = { userId: ann.id, name: 'x', expiresAt: null }
    await expect(createKey(parts, wanted)).rejects.toThrow('An active user')
  })

  test('administrators see whose keys there are, without secrets', async () => {
    const { key: secret } = await make(ann)
    await make(bob, { name: 'desk' })
    const all = await boss.get('/admin/api/keys')
    expect(all.body.keys).toMatchObject([
      { name: 'laptop', itcode: 'ann' },
      { name: 'desk', itcode: 'bob' },
    ])
    expect(all.text).not.toContain(secret)
    expect((await boss.get(`/admin/api/keys?user_id=${bob.id}`)).body.keys).toHaveLength(1)
    expect((await boss.get('/admin/api/keys?user_id=x')).status).toBe(400)
    expect((await boss.get('/admin/api/keys?owner=1')).status).toBe(400)
  })

  test('every change is in the audit with who did it, and never with a secret', async () => {
    const { key: secret, id, prefix, last4 } = await make(ann)
    await ann.put(`/api/keys/${id}`, { name: 'desk' })
    await boss.put(`/admin/api/keys/${id}/disable`)
    await ann.delete(`/api/keys/${id}`)
    const events = (await app.audit()).filter(({ action }) => action.startsWith('key.'))
    expect(events).toMatchObject([
      { action: 'key.create', actorId: ann.id, target: `key:${prefix}…${last4}` },
      { action: 'key.update', actorId: ann.id, before: '{"name":"laptop"}', after: '{"name":"desk"}' },
      { action: 'key.disable', actorId: boss.id, target: `key:${id}`, ip: '192.0.2.1' },
      { action: 'key.delete', actorId: ann.id },
    ])
    expect(JSON.stringify(events)).not.toContain(secret)
  })
})

import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { COMMAND_LINE } from '../../core/audit/record.ts'
import { ensureAdmin } from '../../core/users/first-admin.ts'
import { createUser, updateUser } from '../../core/users/manage.ts'
import { type App, startApp } from '../support/app.ts'
import type { Browser } from '../support/browser.ts'

const AUTH = { session_secret: 'b7e1d0c4a96f42358e0d7a1c5f3b9e62d84a' }

const BODY = '{"model":"claude-opus-5-5","max_tokens":1,"messages":[]}'

describe('users', () => {
  let app: App
  let boss: Browser & { id: number }
  let ann: Browser & { id: number }
  beforeEach(async () => {
    app = await startApp({ limits: { default_quota_tokens: 1000, default_budget_usd: 5 } })
    boss = await app.signIn('boss', 'admin')
    ann = await app.signIn('ann')
  })
  afterEach(() => app.close())

  test('are made by administrators, and can sign in at once', async () => {
    const answer = await boss.post('/admin/api/users', { itcode: ' Carl@Corp.test ' })
    expect(answer.status).toBe(201)
    expect(answer.body.user).toEqual({
      id: expect.any(Number),
      itcode: 'carl@corp.test',
      name: 'carl@corp.test',
      role: 'user',
      kind: 'person',
      status: 'active',
      quota_tokens: 1000,
      // The default holds for everybody without a limit of their own.
      budget_usd: 0,
      requests_per_minute: null,
      tokens_per_minute: null,
      concurrent_requests: null,
      email: null,
      email_confirmed: true,
      billing_group_id: null,
      created_at: '2026-11-23T12:00:00.000Z',
      updated_at: '2026-11-23T12:00:00.000Z',
      deleted_at: null,
      last_used_at: null,
      requests: 0,
      total_tokens: 0,
      cost_usd: 0,
      quota_used_tokens: 0,
      budget_used_usd: 0,
    })
    const again = await boss.post('/admin/api/users', { itcode: 'CARL@corp.test' })
    expect([again.status, again.body.error.code]).toEqual([409, 'conflict'])
    expect((await app.signIn('carl@corp.test')).id).toBe(answer.body.user.id)
  })

  test('are not made twice for one mailbox, which people sign in to under either name', async () => {
    const corp = await startApp({ auth: { ...AUTH, email_domain: 'corp.test' } })
    const admin = await corp.signIn('boss', 'admin')
    const made = async (itcode: string) => (await admin.post('/admin/api/users', { itcode })).status
    expect([await made('dora'), await made('dora@corp.test'), await made('Dora')]).toEqual([201, 409, 409])
    expect([await made('eve@corp.test'), await made('eve'), await made('eve@else.test')]).toEqual([
      201, 409, 201,
    ])
    await corp.close()
  })

  test('Q08: one account comes of 20 that are made at once', async () => {
    const wanted = { itcode: 'carl', name: 'Carl', role: 'admin', quota_tokens: 0, budget_usd: 0.5 }
    const answers = await Promise.all(Array.from({ length: 20 }, () => boss.post('/admin/api/users', wanted)))
    expect(answers.filter(({ status }) => status === 201)).toHaveLength(1)
    expect(answers.filter(({ status }) => status === 409)).toHaveLength(19)
    expect((await app.audit()).filter(({ target }) => target === 'user:carl')).toHaveLength(1)
    expect((await boss.get('/admin/api/users?q=carl')).body.users).toMatchObject([
      { name: 'Carl', role: 'admin', budget_usd: 0.5 },
    ])
  })

  test('never get a budget that rounds to none at all', async () => {
    const path = `/admin/api/users/${ann.id}`
    const answer = await boss.put(path, { budget_usd: 0.000_000_4 })
    expect([answer.status, answer.body.error.fields]).toEqual([
      400,
      { budget_usd: '0, or from 0.000001 to 1000000000, is expected' },
    ])
    expect((await boss.get(path)).body.user.budget_usd).toBe(0)
  })

  test('change from their next request on, and the audit says what changed', async () => {
    const path = `/admin/api/users/${ann.id}`
    const change = { name: 'Ann', role: 'admin', quota_tokens: 5, budget_usd: 0.000001 }
    expect((await boss.put(path, change)).body.user).toMatchObject(change)
    expect((await ann.get('/admin/api/users')).status).toBe(200)
    expect((await boss.put(path, { role: 'user' })).status).toBe(200)
    expect((await ann.get('/admin/api/users')).status).toBe(403)
    const events = (await app.audit()).filter(({ action }) => action === 'user.update')
    expect(JSON.parse(events.at(-2)?.after ?? '')).toEqual({
      name: 'Ann',
      role: 'admin',
      quota_tokens: 5,
      budget_usd: 0.000001,
    })
    expect(events.at(-1)).toMatchObject({
      actorId: boss.id,
      target: `user:${ann.id}`,
      before: '{"role":"admin"}',
      after: '{"role":"user"}',
    })
  })

  test('have a pace of their own, or that of the configuration', async () => {
    const paced = await startApp({ limits: { requests_per_minute: 2 } })
    const admin = await paced.signIn('boss', 'admin')
    const { key } = (await admin.post('/api/keys', { name: 'x' })).body.key
    const call = async () =>
      (await paced.request('/v1/messages', { method: 'POST', headers: { 'x-api-key': key }, body: BODY }))
        .status
    const pace = async (requests_per_minute: number | null) => {
      const path = `/admin/api/users/${admin.id}`
      expect((await admin.put(path, { requests_per_minute })).body.user).toMatchObject({
        requests_per_minute,
      })
    }
    // Without a backend a call that is let in ends otherwise.
    const letIn = async () =>
      [await call(), await call(), await call()].filter((status) => status !== 429).length
    expect(await letIn()).toBe(2)
    await pace(1)
    expect(await letIn()).toBe(0)
    await pace(0)
    expect(await letIn()).toBe(3)
    await pace(null)
    expect(await letIn()).toBeLessThan(3)
    await paced.close()
  })

  test('that are disabled lose sessions and pending codes, and come back without them', async () => {
    const path = `/admin/api/users/${ann.id}`
    const phone = app.browser()
    await phone.post('/api/auth/send-code', { itcode: 'ann' })
    await app.settled()
    const code = app.code()
    await boss.put(path, { status: 'disabled' })
    expect((await ann.get('/api/auth/me')).status).toBe(401)
    await boss.put(path, { status: 'active' })
    expect((await ann.get('/api/auth/me')).status).toBe(401)
    expect((await phone.post('/api/auth/login', { itcode: 'ann', code })).status).toBe(401)
    expect((await app.signIn('ann')).id).toBe(ann.id)
  })

  test('Z08: the last active administrator stays one', async () => {
    const path = `/admin/api/users/${boss.id}`
    for (const change of [{ role: 'user' }, { status: 'disabled' }]) {
      const answer = await boss.put(path, change)
      expect([answer.status, answer.body.error.code]).toEqual([409, 'conflict'])
    }
    expect((await boss.put(path, { name: 'The Boss', role: 'admin' })).status).toBe(200)
  })

  test('change in all that was asked or in nothing, and who is deleted in nothing', async () => {
    const change = { email: 'other@corp.test', role: 'user' }
    expect((await boss.put(`/admin/api/users/${boss.id}`, change)).status).toBe(409)
    await boss.put(`/admin/api/users/${ann.id}`, { email: 'ann@corp.test' })
    const taken = await boss.put(`/admin/api/users/${boss.id}`, { email: 'ann@corp.test', name: 'The Boss' })
    expect(taken.status).toBe(409)
    expect((await boss.get(`/admin/api/users/${boss.id}`)).body.user).toMatchObject({
      email: null,
      name: 'boss',
      role: 'admin',
    })
    await boss.delete(`/admin/api/users/${ann.id}`)
    expect((await boss.put(`/admin/api/users/${ann.id}`, { email: null })).status).toBe(404)
  })

  test('Q05: of two administrators who demote each other at once, one stays', async () => {
    for (let i = 0; i < 20; i++) {
      const other = await app.signIn(`other${i}`, 'admin')
      const answers = await Promise.all([
        boss.put(`/admin/api/users/${other.id}`, { role: 'user' }),
        other.put(`/admin/api/users/${boss.id}`, { role: 'user' }),
      ])
      const admins = await app.db.query.users.findMany({ where: (users, { eq }) => eq(users.role, 'admin') })
      expect(admins).toHaveLength(1)
      expect(answers.map(({ status }) => status).toSorted()[0]).toBe(200)
      if (admins[0]?.id !== boss.id) {
        await updateUser({ ...app.deps, actor: COMMAND_LINE }, boss.id, { role: 'admin' })
        await updateUser({ ...app.deps, actor: COMMAND_LINE }, other.id, { role: 'user' })
      }
    }
  })

  test('I06: are found by part of name, account or address, taken literally', async () => {
    for (const itcode of ['under_score', 'und.erscore', 'percent+x']) {
      await boss.post('/admin/api/users', { itcode, name: `Name of ${itcode}`.toUpperCase() })
    }
    const found = async (query: string) =>
      (await boss.get(`/admin/api/users?${query}`)).body.users.map(({ itcode }: { itcode: string }) => itcode)
    expect(await found('q=UNDER_')).toEqual(['under_score'])
    expect(await found('q=%25')).toEqual([])
    expect(await found('q=name%20of%20und')).toEqual(['und.erscore', 'under_score'])
    expect(await found(`q=${'a'.repeat(201)}`).catch(() => 'refused')).toBe('refused')
    await boss.put(`/admin/api/users/${ann.id}`, { email: 'a.lee@corp.test' })
    expect(await found('q=A.Lee@')).toEqual(['ann'])
    expect(await found('role=admin')).toEqual(['boss'])
    expect(await found('status=disabled')).toEqual([])
    expect(await found('page_size=2&page=2')).toEqual(['percent+x', 'und.erscore'])
    expect((await boss.get('/admin/api/users?page_size=2')).body.total).toBe(5)
    expect(await found("q='; drop table users; --")).toEqual([])
  })

  test.each(['page=0', 'page=-1', 'page=1.5', 'page=x', 'page_size=201', 'role=root', 'status=', 'sort=id'])(
    'I04: the query %s is refused',
    async (query) => expect((await boss.get(`/admin/api/users?${query}`)).status).toBe(400),
  )

  test.each([
    [{ quota_tokens: -1 }, 'quota_tokens'],
    [{ quota_tokens: 1.5 }, 'quota_tokens'],
    [{ quota_tokens: 2 ** 53 }, 'quota_tokens'],
    [{ quota_tokens: '5' }, 'quota_tokens'],
    [{ quota_tokens: null }, 'quota_tokens'],
    [{ budget_usd: -0.01 }, 'budget_usd'],
    [{ budget_usd: 1e12 }, 'budget_usd'],
    [{ role: 'root' }, 'role'],
    [{ status: 'gone' }, 'status'],
    [{ id: 1 }, 'id'],
    [{ itcode: 'boss' }, 'itcode'],
    [{ created_at: '2020-01-01T00:00:00Z' }, 'created_at'],
  ])('I03, Z05: the change %j is refused', async (change, field) => {
    const answer = await boss.put(`/admin/api/users/${ann.id}`, change)
    expect([answer.status, Object.keys(answer.body.error.fields)]).toEqual([400, [field]])
  })

  test('that are unknown are not found', async () => {
    expect((await boss.get('/admin/api/users/999')).status).toBe(404)
    expect((await boss.put('/admin/api/users/999', { name: 'x' })).status).toBe(404)
  })
})

describe('the first administrator', () => {
  const start = () => startApp({ auth: { ...AUTH, admin_itcode: ' Root@Corp.test ' } })
  const role = async (app: App) =>
    (await app.db.query.users.findMany()).map(({ itcode, role, status }) => `${itcode} ${role} ${status}`)

  test('G07: is made when there is nobody, once, also by several processes', async () => {
    const app = await start()
    const made = await Promise.all(Array.from({ length: 5 }, () => ensureAdmin(app.deps)))
    expect(made.filter(Boolean)).toEqual(['root@corp.test'])
    expect(await role(app)).toEqual(['root@corp.test admin active'])
    expect((await app.audit()).map(({ action }) => action)).toEqual(['user.create', 'user.first_admin'])
    await app.close()
  })

  test('G07: is promoted and enabled when there is no other', async () => {
    const app = await start()
    const parts = { ...app.deps, actor: COMMAND_LINE }
    const person = { itcode: 'root@corp.test', role: 'user', quotaTokens: 0 } as const
    const { id } = await createUser(parts, person)
    await updateUser(parts, id, { status: 'disabled' })
    expect(await ensureAdmin(app.deps)).toBe('root@corp.test')
    expect(await role(app)).toEqual(['root@corp.test admin active'])
    await app.close()
  })

  test('is nobody new when there is an active one', async () => {
    const app = await start()
    const person = { itcode: 'other', role: 'admin', quotaTokens: 0 } as const
    await createUser({ ...app.deps, actor: COMMAND_LINE }, person)
    expect(await ensureAdmin(app.deps)).toBeUndefined()
    expect(await role(app)).toEqual(['other admin active'])
    await app.close()
  })
})

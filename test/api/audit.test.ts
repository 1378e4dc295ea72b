import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { auditEvents } from '../../core/db/schema.ts'
import { type App, startApp } from '../support/app.ts'

type Person = Awaited<ReturnType<App['signIn']>>

let app: App
let boss: Person
beforeEach(async () => {
  app = await startApp()
  boss = await app.signIn('boss', 'admin')
})
afterEach(() => app.close())

const told = async (action: string) =>
  (await boss.get(`/admin/api/audit?action=${action}`)).body.events.map(
    ({ before, after }: { before: unknown; after: unknown }) => [before, after],
  )

describe('the audit', () => {
  test('tells all of a key and of its changes as the API spells it', async () => {
    const key = {
      name: 'laptop',
      expires_at: '2027-01-31T00:00:00.000Z',
      quota_tokens: 1_000,
      budget_usd: 1.5,
      requests_per_minute: 60,
      tokens_per_minute: 5_000,
      concurrent_requests: 4,
      models: ['claude-haiku-*'],
      networks: ['10.0.0.0/8'],
    }
    const { id } = (await boss.post('/api/keys', key)).body.key
    expect(await told('key.create')).toEqual([[null, { user_id: boss.id, billing_group_id: null, ...key }]])

    const change = {
      expires_at: null,
      budget_usd: 0.25,
      requests_per_minute: 0,
      models: null,
      name: 'laptop',
    }
    await boss.put(`/api/keys/${id}`, change)
    const { name: _, ...changed } = change
    expect(await told('key.update')).toEqual([
      [
        { expires_at: key.expires_at, budget_usd: 1.5, requests_per_minute: 60, models: ['claude-haiku-*'] },
        changed,
      ],
    ])

    await boss.put(`/admin/api/keys/${id}/disable`)
    expect(await told('key.disable')).toEqual([
      [
        { status: 'active', disabled_by: null },
        { status: 'disabled', disabled_by: 'admin' },
      ],
    ])
  })

  test('tells all of a user and of their changes as the API spells it', async () => {
    const user = { name: 'Ann', role: 'user', quota_tokens: 7, budget_usd: 2.5, requests_per_minute: 9 }
    const { id } = (await boss.post('/admin/api/users', { itcode: 'ann', ...user })).body.user
    expect((await told('user.create'))[0]).toEqual([
      null,
      {
        ...user,
        kind: 'person',
        status: 'active',
        email: null,
        email_confirmed: true,
        tokens_per_minute: null,
        concurrent_requests: null,
        billing_group_id: null,
      },
    ])
    const change = { status: 'disabled', budget_usd: 0, requests_per_minute: null, concurrent_requests: 3 }
    await boss.put(`/admin/api/users/${id}`, change)
    expect(await told('user.update')).toEqual([
      [{ status: 'active', budget_usd: 2.5, requests_per_minute: 9, concurrent_requests: null }, change],
    ])
  })

  test('reads rows of earlier releases in the spelling of today', async () => {
    const expiresAt = Date.parse('2027-01-31T00:00:00Z')
    const write = (action: string, before: object | null, after: object | null) =>
      app.db.insert(auditEvents).values({
        at: 1,
        action,
        target: 'user:1',
        before: before && JSON.stringify(before),
        after: after && JSON.stringify(after),
      })
    await write('old.user', null, { role: 'user', quota_tokens: 5, budget_micros: 2_500_000 })
    await write(
      'old.change',
      { quotaTokens: 5, budgetMicros: 2_500_000, requestsPerMinute: null },
      { quotaTokens: 0, budgetMicros: 0, requestsPerMinute: 60 },
    )
    await write('old.key', null, { user_id: 1, name: 'x', expires_at: expiresAt })
    await write(
      'old.switch',
      { status: 'active', disabledBy: null, expiresAt },
      { status: 'disabled', disabledBy: 'owner', expiresAt: null },
    )
    await write('old.failures', null, { count: 3, last_at: expiresAt })

    const time = '2027-01-31T00:00:00.000Z'
    expect(await told('old.user')).toEqual([[null, { role: 'user', quota_tokens: 5, budget_usd: 2.5 }]])
    expect(await told('old.change')).toEqual([
      [
        { quota_tokens: 5, budget_usd: 2.5, requests_per_minute: null },
        { quota_tokens: 0, budget_usd: 0, requests_per_minute: 60 },
      ],
    ])
    expect(await told('old.key')).toEqual([[null, { user_id: 1, name: 'x', expires_at: time }]])
    expect(await told('old.switch')).toEqual([
      [
        { status: 'active', disabled_by: null, expires_at: time },
        { status: 'disabled', disabled_by: 'owner', expires_at: null },
      ],
    ])
    expect(await told('old.failures')).toEqual([[null, { count: 3, last_at: time }]])
  })

  test('goes on counting in a row that an earlier release began within the hour', async () => {
    const now = app.clock.now()
    await app.browser().post('/api/auth/login', { itcode: 'boss', code: 'BBBBBBBB' })
    await app.db.update(auditEvents).set({ after: JSON.stringify({ count: 4, last_at: now - 1 }) })
    await app.browser().post('/api/auth/login', { itcode: 'boss', code: 'BBBBBBBB' })
    expect((await told('login.failed'))[0]).toEqual([
      null,
      { count: 5, last_at: new Date(now).toISOString() },
    ])
  })

  test('is filtered by whom it concerns, by target, by day and by text', async () => {
    const ann = await app.signIn('ann')
    const ben = await app.signIn('ben')
    const { id } = (await ann.post('/api/keys', { name: 'laptop' })).body.key
    await boss.put(`/admin/api/keys/${id}/disable`)
    await boss.put(`/admin/api/users/${ann.id}`, { budget_usd: 20 })
    await boss.put(`/admin/api/users/${ben.id}`, { budget_usd: 30 })
    const group = (await boss.post('/admin/api/groups', { name: 'Research' })).body.group
    await boss.put(`/admin/api/groups/${group.id}/members/${ann.id}`, {})
    const found = async (query: string) => {
      const { events, total } = (await boss.get(`/admin/api/audit?${query}`)).body
      expect(total).toBe(events.length)
      return events.map(({ action }: { action: string }) => action).toSorted()
    }
    const aboutAnn = [
      'group.member_add',
      'key.create',
      'key.disable',
      'login.ok',
      'user.create',
      'user.update',
    ]
    expect(await found(`about=${ann.id}`)).toEqual(aboutAnn)
    expect(await found(`about=${ann.id}&actor=${ann.id}`)).toEqual(['key.create', 'login.ok'])
    expect(await found(`target=key:${id}`)).toEqual(['key.disable'])
    expect(await found('target=key:')).toEqual(['key.create', 'key.disable'])
    expect(await found('q=LAPTOP')).toEqual(['key.create'])
    expect(await found('q=%25')).toEqual([])
    expect(await found('start_date=2026-11-24')).toEqual([])
    expect((await found('start_date=2026-11-23&end_date=2026-11-23')).length).toBeGreaterThan(5)
    expect(await found('start_date=2026-11-23&end_date=2026-11-23&tz=Asia/Shanghai&q=laptop')).toEqual([
      'key.create',
    ])
    const { events } = (await boss.get('/admin/api/audit?order=asc&page_size=1')).body
    expect(events[0].id).toBe(1)
    for (const query of ['about=x', 'start_date=2026-13-01', 'order=up', 'target=']) {
      expect((await boss.get(`/admin/api/audit?${query}`)).status).toBe(400)
    }
  })

  test('says what the things that it names are called', async () => {
    const ann = await app.signIn('ann')
    const { id } = (await ann.post('/api/keys', { name: 'laptop' })).body.key
    await boss.put(`/admin/api/keys/${id}/disable`)
    const { subjects } = (await boss.get(`/admin/api/audit?target=key:${id}`)).body
    expect(subjects).toEqual([{ ref: `key:${id}`, id, name: 'laptop', user_id: ann.id, itcode: 'ann' }])
    const { subjects: people } = (await boss.get('/admin/api/audit?action=login.ok')).body
    expect(people).toContainEqual({
      ref: 'user:ann',
      id: ann.id,
      name: 'ann',
      user_id: ann.id,
      itcode: 'ann',
    })
  })

  test('is written to a file as it is filtered, formulas disarmed', async () => {
    const ann = await app.signIn('ann')
    await ann.post('/api/keys', { name: '=1+1' })
    const rows = Array.from({ length: 700 }, (_, i) => ({
      at: i,
      action: 'old.thing',
      target: `=thing-${i}`,
    }))
    for (let i = 0; i < 700; i += 50) await app.db.insert(auditEvents).values(rows.slice(i, i + 50))
    const file = await boss.get('/admin/api/audit/export?action=old.thing')
    expect(file.headers.get('content-type')).toContain('text/csv')
    const lines = file.text.trim().split('\r\n')
    expect(lines[0]).toBe(
      'id,at,actor_itcode,admin_key_name,action,target,target_name,before,after,ip,request_id',
    )
    expect(lines).toHaveLength(701)
    expect(lines[1]).toContain("'=thing-699")
    expect(await told('audit.export')).toEqual([[null, { tz: 'UTC', action: 'old.thing' }]])
    const one = await boss.get(`/admin/api/audit/export?target=user:ann&action=login.ok`)
    expect(one.text.trim().split('\r\n')[1]).toContain(',ann,,login.ok,user:ann,ann,')
  })

  test('has its actions in the reference', async () => {
    const api = (await boss.get('/openapi.json')).body
    const { AuditAction, AuditEvent } = api.components.schemas
    expect(AuditEvent.properties.action.$ref).toBe('#/components/schemas/AuditAction')
    expect(AuditAction.anyOf).toEqual([
      { type: 'string', enum: expect.arrayContaining(['key.create', 'login.refused', 'backend.ejected']) },
      { type: 'string' },
    ])
  })
})

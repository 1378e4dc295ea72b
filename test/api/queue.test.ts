/** The queue of everything that people ask for: listed with what they used, decided many at a time, taken back for a moment. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { auditEvents, grants, notices, spendLimits } from '../../core/db/schema.ts'
import { type App, startApp } from '../support/app.ts'

type Person = Awaited<ReturnType<App['signIn']>>
type Item = { kind: string; id: number }

const OPUS = 'claude-opus-5-5'
let app: App
let boss: Person
let ann: Person
let ben: Person
let auditor: Person
beforeEach(async () => {
  app = await startApp({ models: { rules: [{ match: 'claude-opus-*', access: 'approval' }] } })
  boss = await app.signIn('boss', 'admin')
  ann = await app.signIn('ann')
  ben = await app.signIn('ben')
  auditor = await app.signIn('otto', 'auditor')
})
afterEach(() => app.close())

const apply = async (person: Person): Promise<Item> => {
  const { body } = await person.post('/api/applications', { model: OPUS, reason: 'for the report' })
  return { kind: 'application', id: body.application.id }
}
const askForMore = async (person: Person): Promise<Item> => {
  await boss.put(`/admin/api/users/${person.id}`, { budget_usd: 20 })
  const { body } = await person.post('/api/requests', { period: 'monthly', amount_usd: 50, reason: 'more' })
  return { kind: 'request', id: body.request.id }
}
const decide = (by: Person, status: string, items: Item[], note?: string) =>
  by.post('/api/queue/decisions', { status, note, items })
const queue = async (query = '', by = boss) => (await by.get(`/admin/api/queue${query}`)).body
const codes = ({ body }: { body: { outcomes: { error: { code: string } | null }[] } }) =>
  body.outcomes.map(({ error }) => error?.code ?? 'done')

describe('the queue', () => {
  test('has applications and requests with what their people used, found by text and paged', async () => {
    const first = await apply(ann)
    const second = await askForMore(ben)
    const { items, total } = await queue()
    expect([total, items.map(({ kind, id }: Item) => ({ kind, id }))]).toEqual([2, [first, second]])
    expect(items[0]).toMatchObject({
      itcode: 'ann',
      model: OPUS,
      amount_usd: null,
      used_usd: 0,
      limit_usd: null,
    })
    expect(items[1]).toMatchObject({
      itcode: 'ben',
      model: null,
      period: 'monthly',
      amount_usd: 50,
      used_usd: 0,
      limit_usd: 20,
      reason: 'more',
    })
    expect((await queue('?q=OPUS')).items).toMatchObject([{ itcode: 'ann' }])
    expect((await queue('?q=be')).total).toBe(1)
    expect(await queue('?page=2&page_size=1', auditor)).toMatchObject({
      total: 2,
      items: [{ itcode: 'ben' }],
    })
    expect((await ann.get('/admin/api/queue')).status).toBe(403)
  })

  test('is decided in one request, with an outcome for each', async () => {
    const wanted = [await apply(ann), await askForMore(ben), await apply(boss), { kind: 'request', id: 999 }]
    // The only administrator decides their own.
    await app.signIn('second', 'admin')
    expect(codes(await decide(boss, 'approved', wanted, 'fine'))).toEqual([
      'done',
      'done',
      'own_application',
      'not_found',
    ])
    expect(codes(await decide(boss, 'rejected', wanted.slice(0, 2)))).toEqual(['conflict', 'conflict'])
    expect(codes(await decide(auditor, 'approved', wanted.slice(2, 3)))).toEqual(['not_found'])
    const { items } = await queue('?status=decided')
    expect(items).toMatchObject([
      { itcode: 'ann', status: 'approved', reviewer_itcode: 'boss', review_note: 'fine', grant_id: 1 },
      { itcode: 'ben', status: 'approved', granted_usd: 50, granted_until: null },
    ])
    expect((await ben.get('/api/limits')).body.caps).toMatchObject([{ period: 'monthly', amount_usd: 50 }])
    expect((await decide(boss, 'approved', [])).status).toBe(400)
  })

  test('takes decisions of the last minute back, with the limits that were raised', async () => {
    const items = [await apply(ann), await askForMore(ben), await apply(ben), await askForMore(ann)]
    const reopen = (by: Person, wanted: Item[]) => by.post('/api/queue/reopen', { items: wanted })
    await decide(boss, 'approved', items.slice(0, 2))
    await decide(boss, 'rejected', items.slice(2))
    const second = await app.signIn('second', 'admin')
    expect(codes(await reopen(second, items.slice(0, 1)))).toEqual(['not_found'])
    expect(codes(await reopen(boss, items))).toEqual(['done', 'done', 'done', 'done'])
    expect((await ben.get('/api/limits')).body.caps).toMatchObject([{ period: 'monthly', amount_usd: 20 }])
    expect(await app.db.select().from(grants)).toEqual([])
    expect((await queue()).total).toBe(4)
    expect((await queue()).items[0]).toMatchObject({
      status: 'pending',
      reviewer_id: null,
      review_note: null,
    })
    const told = (await app.db.select().from(notices)).map(({ dedupeKey }) => dedupeKey)
    expect(told.filter((key) => key.includes('decided'))).toEqual([])
    const actions = (await app.db.select().from(auditEvents)).map(({ action }) => action)
    expect(actions.filter((action) => action.endsWith('.reopen')).toSorted()).toEqual([
      'application.reopen',
      'application.reopen',
      'request.reopen',
      'request.reopen',
    ])
    // They wait again, and are decided again.
    expect(codes(await decide(boss, 'approved', items.slice(0, 1)))).toEqual(['done'])
    app.clock.advance(61_000)
    expect(codes(await reopen(boss, items.slice(0, 1)))).toEqual(['conflict'])
    expect(await app.db.select().from(grants)).toHaveLength(1)
  })

  test('puts back what a raised limit was, unless it was changed since', async () => {
    const limits = async () =>
      (await app.db.select().from(spendLimits)).map(({ period, amountMicros, temporaryMicros }) => [
        period,
        amountMicros,
        temporaryMicros,
      ])
    const reopen = async (item: Item) => codes(await boss.post('/api/queue/reopen', { items: [item] }))
    const item = await askForMore(ben)
    const before = await limits()
    const approve = (wanted: object) =>
      boss.put(`/api/queue/requests/${item.id}`, { status: 'approved', ...wanted })
    // For a while, and for less.
    for (const wanted of [
      { until: new Date(app.clock.now() + 86_400_000).toISOString() },
      { amount_usd: 30 },
    ]) {
      expect((await approve(wanted)).status).toBe(200)
      expect(await limits()).not.toEqual(before)
      expect(await reopen(item)).toEqual(['done'])
      expect(await limits()).toEqual(before)
    }
    expect((await queue()).items).toMatchObject([
      { status: 'pending', granted_usd: null, granted_until: null },
    ])
    await approve({})
    app.clock.advance(1)
    await boss.put(`/admin/api/users/${ben.id}`, { budget_usd: 70 })
    expect(await reopen(item)).toEqual(['conflict'])
    expect(await limits()).toEqual([['monthly', 70_000_000, null]])
  })
})

describe('an approval', () => {
  const MONTHLY = { scope: 'user', period: 'monthly' }
  const capsOf = async (person: Person) =>
    (await person.get('/api/limits')).body.caps.map(({ amount_usd }: { amount_usd: number }) => amount_usd)
  const problems = ({ status, body }: { status: number; body: { error: { problems: object } } }) => [
    status,
    body.error.problems,
  ]
  const approve = (by: Person, { id }: Item, wanted: object = {}) =>
    by.put(`/api/queue/requests/${id}`, { status: 'approved', ...wanted })

  test('for good holds at once, although less was given for a while', async () => {
    const until = new Date(app.clock.now() + 3_600_000).toISOString()
    const temporary = { ...MONTHLY, scope_id: ben.id, temporary_usd: 30, temporary_until: until }
    const item = await askForMore(ben)
    await boss.put('/admin/api/limits', temporary)
    expect((await approve(boss, item)).status).toBe(200)
    expect(await capsOf(ben)).toEqual([50])
    expect(codes(await boss.post('/api/queue/reopen', { items: [item] }))).toEqual(['done'])
    expect(await capsOf(ben)).toEqual([30])
    await boss.put('/admin/api/limits', { ...temporary, temporary_usd: 90 })
    expect((await approve(boss, item)).status).toBe(200)
    expect(await capsOf(ben)).toEqual([90])
    app.clock.advance(3_600_001)
    expect(await capsOf(ben)).toEqual([50])
  })

  test('lowers no limit: not by less than the person has, and not because it was raised or taken away since', async () => {
    const lead = await app.signIn('lead')
    const { group } = (await boss.post('/admin/api/groups', { name: 'team', lead_max_usd: 40 })).body
    await boss.put(`/admin/api/groups/${group.id}/members/${lead.id}`, { role: 'lead' })
    await boss.put(`/admin/api/groups/${group.id}/members/${ben.id}`, {})
    const item = await askForMore(ben)
    const below = (usd: number) => [
      400,
      { amount_usd: expect.objectContaining({ code: 'below_limit', params: { usd } }) },
    ]
    expect(problems(await approve(lead, item, { amount_usd: 0 }))).toEqual(below(20))
    expect(problems(await approve(boss, item, { amount_usd: 19 }))).toEqual(below(20))
    // What somebody may not decide tells them nothing.
    expect((await approve(ann, item, { amount_usd: 0 })).status).toBe(404)
    await boss.put(`/admin/api/users/${ben.id}`, { budget_usd: 70 })
    expect(codes(await decide(boss, 'approved', [item]))).toEqual(['invalid_input'])
    expect(await capsOf(ben)).toEqual([70])
    await boss.put(`/admin/api/users/${ben.id}`, { budget_usd: 0 })
    expect(problems(await approve(boss, item))).toEqual([
      400,
      { amount_usd: expect.objectContaining({ code: 'no_limit_to_raise' }) },
    ])
    expect(await capsOf(ben)).toEqual([])
    expect((await queue()).items).toMatchObject([{ id: item.id, status: 'pending' }])
    expect(codes(await decide(boss, 'rejected', [item]))).toEqual(['done'])
  })
})

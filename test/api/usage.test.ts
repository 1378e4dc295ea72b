import { beforeEach, describe, expect, test } from 'vitest'
import { recordText } from '../../core/reports/stored-record.ts'
import { writeRecords } from '../../core/reports/write.ts'
import { type App, startApp } from '../support/app.ts'
import { callRecord } from '../support/records.ts'
import { type UsagePeople, usagePeople } from '../support/usage-people.ts'

const at = (text: string) => Date.parse(text)
const OWN = ['', '/daily', '/hourly', '/summary', '/export'].map((path) => `/api/usage${path}`)
const ALL = OWN.map((path) => `/admin${path}`)

describe('usage', () => {
  let app: App
  let people: UsagePeople
  beforeEach(async () => {
    app = await startApp({ limits: { period: 'monthly' } })
    people = await usagePeople(app.db, app.signIn)
    return () => app.close()
  })

  test('I04: wrong pages, cursors, dates and zones are named', async () => {
    const { ann, boss } = people
    const bad: [string, string][] = [
      ['start_date=2026-02-30', 'start_date'],
      ['start_date=2026-2-3', 'start_date'],
      ["end_date='; --", 'end_date'],
      ['end_date=1926-01-01', 'end_date'],
      ['end_date=2126-01-01', 'end_date'],
      ['start_date=2026-11-23T00:00:00Z', 'start_date'],
      ['start_date=', 'start_date'],
      ['start_date=2026-11-02&end_date=2026-11-01', 'end_date'],
      ['start_date=2001-01-01&end_date=2026-11-01', 'start_date'],
      ['tz=Mars/Base', 'tz'],
      ['tz=%2B08:00', 'tz'],
      ['tz=', 'tz'],
      ['key_id=0', 'key_id'],
      ['key_id=1e3', 'key_id'],
      ['model=', 'model'],
      ['sort=id', 'sort'],
    ]
    for (const [query, field] of bad) {
      for (const path of [...OWN, ...ALL]) {
        const answer = await boss.get(`${path}?${query}`)
        expect([path, query, answer.status]).toEqual([path, query, 400])
        expect(Object.keys(answer.body.error.fields)).toEqual([field])
      }
    }
    const badPages = ['page=0', 'page=x', 'page_size=201', 'page_size=0', 'cursor=x', 'cursor=1-', 'cursor=']
    for (const query of badPages) expect((await ann.get(`/api/usage?${query}`)).status).toBe(400)
    const both = await ann.get('/api/usage?page=2&cursor=1-1')
    expect([both.status, Object.keys(both.body.error.fields)]).toEqual([400, ['cursor']])
    const long = 'start_date=2025-11-21&end_date=2026-11-22'
    expect((await ann.get(`/api/usage/daily?${long}`)).status).toBe(400)
    expect((await ann.get(`/api/usage/hourly?${long}`)).status).toBe(400)
    expect((await ann.get(`/api/usage/summary?${long}`)).status).toBe(200)
  })

  test('without dates, days are the last 30 and hours the last 24', async () => {
    const { ann, write, ofAnn } = people
    const moments = ['2026-10-24T23:59Z', '2026-10-25T00:00Z', '2026-11-22T12:59Z', '2026-11-22T13:00Z']
    await write(moments.map((moment) => ofAnn({ createdAt: at(moment) })))
    const { stats: days } = (await ann.get('/api/usage/daily')).body
    expect(days.map(({ date }: { date: string }) => date)).toEqual(['2026-10-25', '2026-11-22'])
    const { stats: hours } = (await ann.get('/api/usage/hourly')).body
    expect(hours.map(({ hour }: { hour: string }) => hour)).toEqual(['2026-11-22T13:00:00.000Z'])
  })

  test('the summary tells what is used and left in the period, whatever it is asked for', async () => {
    const { ann, bob, boss, annKey, write, ofAnn, ofBob } = people
    await boss.put(`/admin/api/users/${ann.id}`, { quota_tokens: 100, budget_usd: 0.3 })
    await write([
      ofAnn({ createdAt: at('2026-11-01'), costMicros: 100_000 }),
      ofAnn({ createdAt: at('2026-11-23T11:00Z'), costMicros: 100_000, model: 'claude-sonnet-5' }),
      ofAnn({ createdAt: at('2026-10-31T23:59Z'), costMicros: 5_000_000 }),
      ofBob({ costMicros: 9_000_000 }),
    ])
    const limits = {
      quota: { limit: 100, used: 72, left: 28 },
      budget: { limit: 0.3, used: 0.2, left: 0.1 },
      resets_at: '2026-12-01T00:00:00.000Z',
    }
    const { body } = await ann.get('/api/usage/summary')
    expect(body).toMatchObject({
      ...limits,
      from: '2026-11-01T00:00:00.000Z',
      to: '2026-12-01T00:00:00.000Z',
      totals: { requests: 2, total_tokens: 72, cost_usd: 0.2 },
      by_key: [{ api_key_id: annKey, requests: 2, cost_usd: 0.2 }],
    })
    expect(body.by_model.map(({ model }: { model: string }) => model).sort()).toEqual([
      'claude-opus-5-5',
      'claude-sonnet-5',
    ])
    const old = (await ann.get('/api/usage/summary?end_date=2026-10-31&model=claude-opus-5-5')).body
    expect(old).toMatchObject({ ...limits, from: null, totals: { cost_usd: 5 } })
    // What there is to choose from is one's own, the dearest first.
    const models = await Promise.all([ann.get('/api/usage/models'), boss.get('/admin/api/usage/models')])
    expect(models.map(({ body }) => body.models)).toEqual(
      Array.from({ length: 2 }, () => ['claude-opus-5-5', 'claude-sonnet-5']),
    )
    expect((await boss.get('/api/usage/models')).body.models).toEqual([])
    const free = (await bob.get('/api/usage/summary')).body
    expect(free).toMatchObject({
      quota: { limit: 0, used: 36, left: null },
      budget: { limit: 0, left: null },
    })
    await boss.put(`/admin/api/users/${ann.id}`, { quota_tokens: 50 })
    expect((await ann.get('/api/usage/summary')).body.quota).toEqual({ limit: 50, used: 72, left: 0 })
  })

  test('days belong to their zone, hours are UTC', async () => {
    const { ann, write, ofAnn } = people
    await write([
      ofAnn({ createdAt: at('2026-10-24T21:59:59.999Z') }),
      ofAnn({ createdAt: at('2026-10-24T22:00Z'), outcome: 'error' }),
      ofAnn({ createdAt: at('2026-10-25T22:59:59.999Z') }),
      ofAnn({ createdAt: at('2026-10-25T23:00Z'), model: 'claude-sonnet-5' }),
    ])
    const daily = async (query: string) =>
      (await ann.get(`/api/usage/daily?${query}`)).body.stats.map(
        ({ date, model, requests, errors }: Record<string, unknown>) => [date, model, requests, errors],
      )
    const [opus, sonnet] = ['claude-opus-5-5', 'claude-sonnet-5']
    expect(await daily('end_date=2026-10-31&tz=Europe/Berlin')).toEqual([
      ['2026-10-24', opus, 1, 0],
      ['2026-10-25', opus, 2, 1],
      ['2026-10-26', sonnet, 1, 0],
    ])
    expect(await daily('start_date=2026-10-25&end_date=2026-10-25')).toEqual([
      ['2026-10-25', opus, 1, 0],
      ['2026-10-25', sonnet, 1, 0],
    ])
    const { body } = await ann.get('/api/usage/hourly?start_date=2026-10-25&tz=Europe/Berlin')
    expect(body.stats).toEqual([
      expect.objectContaining({ hour: '2026-10-24T22:00:00.000Z', requests: 1, errors: 1 }),
      {
        hour: '2026-10-25T22:00:00.000Z',
        model: opus,
        requests: 1,
        errors: 0,
        input_tokens: 10,
        output_tokens: 20,
        cache_read_tokens: 3,
        cache_write_tokens: 3,
        total_tokens: 36,
        cost_usd: 0.0005,
      },
    ])
  })

  test('the summary of everybody tells users, keys, models and backends apart, the dearest first', async () => {
    const { ann, bob, boss, write, ofAnn, ofBob } = people
    await write([
      ofAnn({ costMicros: 1 }),
      ofAnn({ costMicros: 2 }),
      ofBob({ costMicros: 7, outcome: 'error' }),
    ])
    const { body } = await boss.get('/admin/api/usage/summary')
    expect(body.totals).toMatchObject({ requests: 3, errors: 1, cost_usd: 0.00001 })
    const main = { errors: 0, total_tokens: 72, cost_usd: 0.000003, requests: 2 }
    expect(body.by_user).toEqual([
      { user_id: bob.id, itcode: 'bob', requests: 1, errors: 1, total_tokens: 36, cost_usd: 0.000007 },
      { user_id: ann.id, itcode: 'ann', ...main },
    ])
    expect(body.by_key.map(({ key_name }: { key_name: string }) => key_name)[0]).toBe("bob's")
    expect(body.by_backend.map(({ backend }: { backend: string }) => backend)).toEqual(['b', 'a'])
    expect(body.by_model).toEqual([{ model: 'claude-opus-5-5', ...body.totals }])
  })

  test('backends are told apart by calls, failures and how long they took', async () => {
    const { boss, write, ofAnn, ofBob } = people
    const slow = Array.from({ length: 10 }, (_, i) => ofAnn({ latencyMs: i === 9 ? 60_000 : 1_000 }))
    await write([...slow, ofBob({ outcome: 'error', latencyMs: 50 }), ofBob({ backend: '' })])
    await write([ofBob({ createdAt: at('2026-10-01') })])
    const { body } = await boss.get('/admin/api/backends/stats')
    expect(body.stats).toEqual([
      {
        backend: 'a',
        requests: 10,
        total_tokens: 360,
        cost_usd: 0.005,
        avg_latency_ms: 6_900,
        p95_latency_ms: expect.any(Number),
        error_count: 0,
      },
      expect.objectContaining({ backend: 'b', requests: 1, error_count: 1, avg_latency_ms: 50 }),
    ])
    expect(body.stats[0].p95_latency_ms).toBeGreaterThan(55_000)
    const october = await boss.get('/admin/api/backends/stats?end_date=2026-10-31&tz=Asia/Kolkata')
    expect(october.body.stats).toEqual([expect.objectContaining({ backend: 'b', requests: 1 })])
    expect((await boss.get('/admin/api/backends/stats?model=x')).status).toBe(400)
  })
})

test('a period without end counts everything and never resets', async () => {
  const app = await startApp({ limits: { period: 'total' } })
  const ann = await app.signIn('ann')
  await writeRecords(app.db, [recordText(callRecord({ userId: ann.id, createdAt: at('2020-05-05') }))])
  const quota = { limit: 0, used: 36, left: null }
  expect((await ann.get('/api/usage/summary')).body).toMatchObject({
    from: null,
    to: null,
    quota,
    resets_at: null,
  })
  await app.close()
})

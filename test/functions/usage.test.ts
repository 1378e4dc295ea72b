import { sql } from 'drizzle-orm'
import { beforeEach, describe, expect, test } from 'vitest'
import type { CallRecord } from '../../core/ports.ts'
import { recordText, writeRecords } from '../../core/usage/record.ts'
import { type App, type Browser, startApp } from '../support/app.ts'
import { callRecord } from '../support/records.ts'

type Person = Browser & { id: number }
const at = (text: string) => Date.parse(text)
const OWN = ['', '/daily', '/hourly', '/summary', '/export'].map((path) => `/api/usage${path}`)
const ALL = OWN.map((path) => `/admin${path}`)

/** A CSV file without quoted line ends, as objects. */
function parsed(text: string): Record<string, string>[] {
  const [head = [], ...rows] = text
    .trimEnd()
    .split('\r\n')
    .map((line) =>
      [...line.matchAll(/("(?:[^"]|"")*"|[^,]*)(?:,|$)/g)]
        .slice(0, line.endsWith(',') ? undefined : -1)
        .map(([, cell = '']) => (cell.startsWith('"') ? cell.slice(1, -1).replaceAll('""', '"') : cell)),
    )
  return rows.map((row) => Object.fromEntries(head.map((name, i) => [name, row[i] ?? ''])))
}

describe('usage', () => {
  let app: App
  let ann: Person
  let bob: Person
  let boss: Person
  let annKey: number
  let bobKey: number
  beforeEach(async () => {
    app = await startApp({ limits: { period: 'monthly' } })
    ann = await app.signIn('ann')
    bob = await app.signIn('bob')
    boss = await app.signIn('boss', 'admin')
    annKey = (await ann.post('/api/keys', { name: '=HYPERLINK("http://evil.test","x")' })).body.key.id
    bobKey = (await bob.post('/api/keys', { name: "bob's" })).body.key.id
    return () => app.close()
  })
  const write = (records: CallRecord[]) => writeRecords(app.db, records.map(recordText))
  const ofAnn = (given: Partial<CallRecord> = {}) => callRecord({ userId: ann.id, keyId: annKey, ...given })
  const ofBob = (given: Partial<CallRecord> = {}) =>
    callRecord({ userId: bob.id, keyId: bobKey, backend: 'b', ...given })

  test('a row shows everything of its call, and the name of a key that was deleted', async () => {
    const record = ofAnn({ outcome: 'upstream_cut', estimated: true, costMicros: 1_234_567, ttftMs: null })
    await write([record])
    await ann.delete(`/api/keys/${annKey}`)
    const { body } = await ann.get('/api/usage')
    expect(body).toEqual({
      logs: [
        {
          id: 1,
          request_id: record.id,
          user_id: ann.id,
          itcode: 'ann',
          api_key_id: annKey,
          key_name: '=HYPERLINK("http://evil.test","x")',
          model: 'claude-opus-5-5',
          backend: 'a',
          input_tokens: 10,
          output_tokens: 20,
          cache_read_tokens: 3,
          cache_write_5m_tokens: 2,
          cache_write_1h_tokens: 1,
          total_tokens: 36,
          cost_usd: 1.234567,
          status_code: 200,
          outcome: 'upstream_cut',
          estimated: true,
          stream: true,
          latency_ms: 100,
          ttft_ms: null,
          created_at: '2026-11-23T12:30:00.000Z',
        },
      ],
      total: 1,
      page: 1,
      page_size: 50,
      next_cursor: null,
    })
  })

  test("Z03: no list, chart, summary or file of a user holds anybody else's rows", async () => {
    const createdAt = at('2026-11-23T11:30Z')
    await write([ofAnn({ createdAt, costMicros: 1 }), ofBob({ createdAt, costMicros: 1_000 })])
    for (const query of ['', `?key_id=${bobKey}`, '?model=claude-opus-5-5']) {
      const own = query.includes('key_id') ? 0 : 1
      const answers = await Promise.all(OWN.map((path) => ann.get(`${path}${query}`)))
      for (const { text } of answers) expect(text).not.toMatch(/bob|0\.001/)
      const [list, daily, hourly, summary, file] = answers
      expect([list?.body.total, list?.body.logs.length]).toEqual([own, own])
      expect([daily?.body.stats.length, hourly?.body.stats.length]).toEqual([own, own])
      expect(summary?.body.totals.requests).toBe(own)
      expect(parsed(file?.text ?? '').map(({ itcode }) => itcode)).toEqual(own ? ['ann'] : [])
    }
  })

  test('Z04: a user cannot ask for others or for backends, an administrator can', async () => {
    const createdAt = at('2026-11-23T11:30Z')
    await write([ofAnn({ createdAt }), ofBob({ createdAt }), ofBob({ createdAt, backend: '' })])
    for (const path of OWN) {
      for (const field of ['user_id', 'backend']) {
        const answer = await ann.get(`${path}?${field}=${bob.id}`)
        expect([answer.status, answer.body.error.fields]).toEqual([
          400,
          { [field]: 'this field is not known' },
        ])
      }
    }
    const totals = async (query: string) => (await boss.get(`/admin/api/usage${query}`)).body.total
    expect(await totals('')).toBe(3)
    expect(await totals(`?user_id=${bob.id}`)).toBe(2)
    expect(await totals('?backend=b')).toBe(1)
    expect(await totals('?backend=')).toBe(1)
    expect(await totals(`?key_id=${annKey}`)).toBe(1)
    expect(await totals(`?key_id=${annKey}&user_id=${bob.id}`)).toBe(0)
    expect(await totals('?key_id=99')).toBe(0)
    const [, daily, hourly] = await Promise.all(ALL.map((path) => boss.get(`${path}?user_id=${bob.id}`)))
    expect([daily?.body.stats[0].requests, hourly?.body.stats[0].requests]).toEqual([2, 2])
  })

  test('I04: wrong pages, cursors, dates and zones are named', async () => {
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

  test('pages by number and by cursor hold every row once, newest first', async () => {
    await write(Array.from({ length: 25 }, (_, i) => ofAnn({ createdAt: at('2026-11-20') + i * 3_600_000 })))
    const ids = (rows: { id: number }[]) => rows.map(({ id }) => id)
    const second = (await ann.get('/api/usage?page=2&page_size=10')).body
    expect(second).toMatchObject({ total: 25, page: 2, page_size: 10 })
    expect(ids(second.logs)).toEqual([15, 14, 13, 12, 11, 10, 9, 8, 7, 6])
    await write([ofAnn({ createdAt: at('2026-11-23') })])
    const third = (await ann.get(`/api/usage?page_size=10&cursor=${second.next_cursor}`)).body
    expect(third).toMatchObject({ total: null, page: null, next_cursor: null })
    expect(ids(third.logs)).toEqual([5, 4, 3, 2, 1])
    expect((await ann.get('/api/usage?page=9')).body).toMatchObject({
      logs: [],
      total: 26,
      next_cursor: null,
    })
  })

  test('days belong to their zone, hours are UTC', async () => {
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

  test('without dates, days are the last 30 and hours the last 24', async () => {
    const moments = ['2026-10-24T23:59Z', '2026-10-25T00:00Z', '2026-11-22T12:59Z', '2026-11-22T13:00Z']
    await write(moments.map((moment) => ofAnn({ createdAt: at(moment) })))
    const { stats: days } = (await ann.get('/api/usage/daily')).body
    expect(days.map(({ date }: { date: string }) => date)).toEqual(['2026-10-25', '2026-11-22'])
    const { stats: hours } = (await ann.get('/api/usage/hourly')).body
    expect(hours.map(({ hour }: { hour: string }) => hour)).toEqual(['2026-11-22T13:00:00.000Z'])
  })

  test('the summary tells what is used and left in the period, whatever it is asked for', async () => {
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
    const free = (await bob.get('/api/usage/summary')).body
    expect(free).toMatchObject({
      quota: { limit: 0, used: 36, left: null },
      budget: { limit: 0, left: null },
    })
    await boss.put(`/admin/api/users/${ann.id}`, { quota_tokens: 50 })
    expect((await ann.get('/api/usage/summary')).body.quota).toEqual({ limit: 50, used: 72, left: 0 })
  })

  test('the summary of everybody tells users, keys, models and backends apart, the dearest first', async () => {
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

  test('I13: the file holds the fields of a row, and nothing that a spreadsheet would run', async () => {
    await write([ofAnn({ ttftMs: null, model: '+cmd, "x"', backend: '@b' }), ofBob()])
    const answer = await ann.get('/api/usage/export?tz=Asia/Shanghai&start_date=2026-11-01')
    expect(answer.status).toBe(200)
    expect(Object.fromEntries(answer.headers)).toMatchObject({
      'content-type': 'text/csv; charset=utf-8; header=present',
      'content-disposition': 'attachment; filename="usage.csv"',
      'cache-control': 'no-store',
      'x-content-type-options': 'nosniff',
      'request-id': expect.stringMatching(/^req_/),
    })
    const [list] = (await ann.get('/api/usage')).body.logs
    expect(answer.text.split('\r\n')[0]).toBe(Object.keys(list).join())
    expect(parsed(answer.text)).toEqual([
      {
        ...Object.fromEntries(Object.entries(list).map(([name, value]) => [name, String(value ?? '')])),
        key_name: '\'=HYPERLINK("http://evil.test","x")',
        model: '\'+cmd, "x"',
        backend: "'@b",
      },
    ])
  })

  test('L06: taking a file is in the audit, with what was asked for', async () => {
    await ann.get('/api/usage/export?model=claude-opus-5-5')
    await boss.get(`/admin/api/usage/export?backend=a`)
    const events = (await app.audit()).filter(({ action }) => action === 'usage.export')
    expect(events.map(({ actorId, target, after }) => [actorId, target, JSON.parse(after ?? '')])).toEqual([
      [ann.id, `user:${ann.id}`, { tz: 'UTC', model: 'claude-opus-5-5' }],
      [boss.id, 'usage', { tz: 'UTC', backend: 'a' }],
    ])
  })

  test('M16: rows, pages, days, hours, summary and file add up to the same micro-dollar', async () => {
    const records = Array.from({ length: 700 }, (_, i) =>
      (i % 3 ? ofAnn : ofBob)({
        createdAt: at('2026-11-02T22:10Z') + i * 1_234_567,
        costMicros: (i * 7_919) % 1_000_003,
        model: i % 50 ? 'claude-opus-5-5' : 'rare',
      }),
    )
    await write(records)
    const micros = (rows: { cost_usd: unknown }[]) =>
      rows.reduce((total, { cost_usd }) => total + Math.round(Number(cost_usd) * 1e6), 0)
    for (const model of ['', '&model=rare']) {
      const query = `start_date=2026-11-03&end_date=2026-11-10&tz=Asia/Kolkata${model}`
      const get = async (path: string) => boss.get(`/admin/api/usage${path}?${query}`)
      const wanted = records
        .filter(
          ({ createdAt }) => createdAt >= at('2026-11-02T18:30Z') && createdAt < at('2026-11-10T18:30Z'),
        )
        .filter((record) => model === '' || record.model === 'rare')
      const cost = wanted.reduce((total, { costMicros }) => total + costMicros, 0)
      const { body: first } = await boss.get(`/admin/api/usage?page_size=200&${query}`)
      const logs = [...first.logs]
      for (let cursor = first.next_cursor; cursor; ) {
        const { body } = await boss.get(`/admin/api/usage?page_size=200&cursor=${cursor}&${query}`)
        logs.push(...body.logs)
        cursor = body.next_cursor
      }
      const file = parsed((await get('/export')).text)
      const { body: summary } = await get('/summary')
      expect([first.total, logs.length, file.length]).toEqual([wanted.length, wanted.length, wanted.length])
      const [daily, hourly] = [await get('/daily'), await get('/hourly')]
      const { totals, by_user, by_key, by_backend } = summary
      const told = [logs, file, daily.body.stats, hourly.body.stats, [totals], by_user, by_key, by_backend]
      expect(told.map(micros)).toEqual(told.map(() => cost))
    }
  })

  test('a file that breaks off in the middle is no whole file, and the log tells why', async () => {
    await app.db.run(sql`alter table usage_logs rename to gone`)
    await expect(ann.get('/api/usage/export')).rejects.toThrow()
    expect(app.logs.lines).toContainEqual(
      expect.objectContaining({ event: 'usage.export_failed', level: 'error' }),
    )
  })

  test('backends are told apart by calls, failures and how long they took', async () => {
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

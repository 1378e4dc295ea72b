/** The thread of reports, on the database file of a server. What reports answer is shown in test/api and the contracts. */
import { eq, sql } from 'drizzle-orm'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { openServedFile } from '../../adapters/drivers/storage/served.ts'
import { type ReportThreads, reportsOn } from '../../adapters/node/reports.ts'
import { settingsFrom } from '../../config/settings.ts'
import { systemClock } from '../../core/clock.ts'
import { auditEvents, usageLogs } from '../../core/db/schema.ts'
import { createPeriods } from '../../core/limits/period.ts'
import { runReport } from '../../functions/reports.ts'
import { keptLogs } from '../support/logs.ts'
import type { OpenedStore } from '../support/memory-store.ts'
import { fillUsage } from '../support/million.ts'
import { fileStore } from '../support/stores.ts'
import { load, MINIMAL } from '../unit/config/settings.ts'

const ROWS = 6_000
/** What may wait between a slow reader and the database. */
const AHEAD = 2_000
const EXPORT = '/admin/api/usage/export'
const SEVERAL: [path: string, query: object][] = [
  ['/admin/api/usage', { page_size: 20, page: 3 }],
  ['/admin/api/usage/daily', { start_date: '2026-10-01', end_date: '2026-11-01' }],
  ['/admin/api/usage/summary', {}],
  ['/api/usage/summary', {}],
  ['/scim/v2/Users', { startIndex: 1, count: 10 }],
  ['/admin/api/users', { page: 1, page_size: 50, sort: 'itcode', order: 'asc' }],
  [EXPORT, {}],
]
const DECODER = new TextDecoder()

/** One for all tests, because a thread takes seconds to begin. Those that change the rows come last. */
let store: OpenedStore
let reports: ReportThreads
const logs = keptLogs()
const config = load(MINIMAL)
beforeAll(async () => {
  store = await fileStore(async (path) => {
    const storage = await openServedFile(path, logs, { fsync: false })
    if (!storage.file) throw new Error('a file is expected')
    reports = reportsOn(storage.file, logs)
    return storage
  })
  await fillUsage(store.db, ROWS)
})
afterAll(async () => {
  await reports.close()
  await store.close()
})

const callOf = (query: object = {}, asker = 1) => ({
  id: 'req_1',
  caller: { user: { id: 1, quotaTokens: 0, budgetMicros: 0 }, sessionId: 's' },
  query: { tz: 'UTC', ...query },
  params: {},
  actor: { id: asker, ip: '192.0.2.1', requestId: 'req_1' },
})
const run = (path: string, query?: object, over = () => {}) =>
  reports.under(config).run(path, callOf(query), over)
const linesIn = (text: string) => text.split('\r\n').length - 1

test('what a report answers is the same, byte for byte, as without a thread', async () => {
  const parts = { db: store.db, clock: systemClock, logger: logs, settings: settingsFrom(config) }
  const deps = { ...parts, periods: createPeriods('UTC') }
  for (const [path, query] of SEVERAL) {
    const [there, here] = [await run(path, query), await runReport(deps, path, callOf(query))]
    expect([there.status, [...there.headers]]).toEqual([here.status, [...here.headers]])
    expect(await there.text()).toBe(await here.text())
  }
})

test('all keys of a company are made and sent in pieces', async () => {
  await store.db.run(sql`insert into api_keys (user_id, name, hash, prefix, last4, status, created_at, updated_at)
    select (select min(id) from users), 'key ' || value, 'hash ' || value, 'sk-', '0000', 'active', value, value
    from (with recursive n(value) as (select 1 union all select value + 1 from n where value < 1200) select value from n)`)
  const answer = await run('/admin/api/keys', { sort: 'name', order: 'asc' })
  const pieces: Uint8Array[] = []
  for await (const piece of answer.body ?? []) pieces.push(piece)
  expect(pieces.length).toBeGreaterThan(2)
  const all = JSON.parse(Buffer.concat(pieces).toString())
  const page = async (page: number) =>
    JSON.parse(
      await (await run('/admin/api/keys', { sort: 'name', order: 'asc', page, page_size: 1_000 })).text(),
    )
  const [first, second] = [await page(1), await page(2)]
  expect(all).toEqual({ total: first.total, keys: [...first.keys, ...second.keys] })
})

test('an export has every row, is in the audit, and says once that it is over', async () => {
  await store.db.delete(auditEvents)
  let over = 0
  const text = await (await run(EXPORT, {}, () => over++)).text()
  expect([linesIn(text), over]).toEqual([ROWS + 1, 1])
  const events = await store.db.select().from(auditEvents).where(eq(auditEvents.action, 'usage.export'))
  expect(events).toMatchObject([{ actorId: 1, ip: '192.0.2.1' }])
})

test('an export whose reader leaves is over', async () => {
  let over = 0
  const reader = (await run(EXPORT, {}, () => over++)).body?.getReader()
  await reader?.read()
  await reader?.cancel()
  expect(over).toBe(1)
})

test('a list is answered while exports are under way', async () => {
  let finished = 0
  const exports = Array.from({ length: 10 }, async () => {
    await (await run(EXPORT)).text()
    finished++
  })
  for (let page = 1; page < 5; page++) {
    expect(await (await run('/admin/api/usage', { page_size: 5, page })).json()).toMatchObject({ page })
  }
  expect(finished).toBe(0)
  await Promise.all(exports)
})

test("one person's many reports keep nobody else's waiting", async () => {
  let finished = 0
  const ask = (asker: number) =>
    reports.under(config).run('/admin/api/usage/summary', callOf({}, asker), () => {})
  const many = Array.from({ length: 60 }, async () => {
    await ask(7)
    finished++
  })
  await ask(8)
  // Those under way, and those that began when they ended.
  expect(finished).toBeLessThan(10)
  await Promise.all(many)
  expect(finished).toBe(60)
})

test("a list is answered while many ask for reports of everybody's calls", async () => {
  let finished = 0
  const query = { bucket: 'day', group_by: ['key', 'model'], sort: 'cost', order: 'desc', compare: true }
  const asked = { ...query, timings: true, page: 1, page_size: 100 }
  const dates = { start_date: '2026-09-01', end_date: '2026-11-27' }
  const many = Array.from({ length: 12 }, async (_, at) => {
    const call = callOf({ ...asked, ...dates }, 100 + at)
    await reports.under(config).run('/admin/api/reports', call, () => {})
    finished++
  })
  await run('/admin/api/usage', { page_size: 20, page: 3 })
  expect(finished).toBeLessThan(many.length / 2)
  await Promise.all(many)
})

test('a report that refuses is refused in the same words', async () => {
  const dates = { start_date: '2020-01-01', end_date: '2026-01-01' }
  await expect(run('/admin/api/usage/daily', dates)).rejects.toMatchObject({
    name: 'Refusal',
    code: 'invalid_input',
    fields: expect.any(Object),
  })
})

test('the configuration in force decides, also after a reload', async () => {
  const limitsOf = async (period: string) => {
    const under = reports.under(load({ ...MINIMAL, limits: { period } }))
    return (await under.run('/api/usage/summary', callOf(), () => {})).json()
  }
  expect(await limitsOf('total')).toMatchObject({ resets_at: null })
  expect(await limitsOf('daily')).toMatchObject({ resets_at: expect.any(String) })
})

test('an export is read no further than its reader takes it', async () => {
  const reader = (await run(EXPORT)).body?.getReader()
  let text = DECODER.decode((await reader?.read())?.value)
  // What is asked for now goes behind whatever was read ahead.
  await run('/admin/api/usage', { page_size: 1 })
  await store.db.delete(usageLogs)
  for (let read = await reader?.read(); read?.value; read = await reader?.read()) {
    text += DECODER.decode(read.value)
  }
  expect(linesIn(text)).toBeLessThan(AHEAD)
})

test('a report that fails is an internal error, whose cause is told to the log alone', async () => {
  await store.db.run(sql`drop table audit_events`)
  await expect(run('/admin/api/audit', { page: 1, page_size: 5 })).rejects.toMatchObject({
    code: 'internal',
    message: 'Something went wrong in the gateway.',
    cause: expect.stringContaining('audit_events'),
  })
})

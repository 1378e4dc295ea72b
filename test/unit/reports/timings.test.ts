/** How long calls took, where there are so many that a report looks at an even part of them. */
import { createClient } from '@libsql/client'
import { sql } from 'drizzle-orm'
import { drizzle } from 'drizzle-orm/libsql'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { migrate } from '../../../core/db/migrate.ts'
import * as schema from '../../../core/db/schema.ts'
import { reportOf } from '../../../core/reports/report.ts'

const client = createClient({ url: ':memory:' })
const db = drizzle(client, { schema })
const [CALLS, DAYS] = [60_000, 10]
const FROM = Date.UTC(2026, 10, 2)
/** Makes every 600th call; user 5 makes all the others. */
const RARE = 6

// Twice as many on the last day as on the first, by two models in turn; the last calls take longest.
beforeAll(async () => {
  await migrate(db)
  await db.run(sql`insert into usage_logs (request_id, user_id, api_key_id, requested_model, model, backend, input_tokens,
    output_tokens, cache_read_tokens, cache_write_5m_tokens, cache_write_1h_tokens, cost_micros, status_code,
    outcome, estimated, unpriced, stream, attempts, latency_ms, ttft_ms, extra, created_at)
    with recursive numbers (n) as (select 0 union all select n + 1 from numbers where n < ${CALLS - 1})
    select 'req_many_' || n, iif(n % 600, 5, ${RARE}), 1, 'm', iif(n % 2, 'odd', 'even'), 'a', 1, 1, 0, 0, 0, 1, 200, 'ok', 0, 0,
      1, 1, n, n / 10, null, ${FROM} + cast((sqrt(1 + 3.0 * n / ${CALLS}) - 1) * ${DAYS * 86_400_000} as integer) from numbers`)
})
afterAll(() => client.close())

function timed(filter: { userId?: number; model?: string }, bucket: 'none' | 'day' = 'none') {
  const dates = { startDate: '2026-11-02', endDate: '2026-11-11', timeZone: 'UTC' }
  const asked = { dates, bucket, dimensions: [], compare: false, isTimed: true } as const
  return reportOf(db, { ...asked, filter, sort: 'time', order: 'asc' }, { skip: 0, take: undefined })
}

test.each([
  { whose: 'everybody', filter: {} },
  { whose: 'somebody with very many', filter: { userId: 5 } },
])('percentiles of calls of $whose rest on an even part of each day', async ({ filter }) => {
  const { every, totals, rows } = await timed(filter, 'day')
  expect(every).toBe(6)
  expect(rows.length).toBe(DAYS)
  for (const { requests, timings } of rows) {
    expect(Math.abs((timings?.duration.calls ?? 0) * 6 - requests) / requests).toBeLessThan(0.12)
  }
  for (const [found, is] of [
    [totals.timings?.duration.p50Ms, CALLS * 0.5],
    [totals.timings?.duration.p95Ms, CALLS * 0.95],
    [totals.timings?.firstByte.p95Ms, CALLS * 0.095],
  ]) {
    expect(Math.abs((found ?? 0) / (is ?? 1) - 1)).toBeLessThan(0.02)
  }
})

test('models that are called by turns are looked at alike', async () => {
  const [odd, even] = await Promise.all([timed({ model: 'odd' }), timed({ model: 'even' })])
  const [a, b] = [odd, even].map(({ totals }) => totals.timings?.duration.calls ?? 0)
  expect(Math.abs((a ?? 0) / (b ?? 1) - 1)).toBeLessThan(0.1)
})

test('those of somebody with few calls rest on all of them', async () => {
  const { every, totals } = await timed({ userId: RARE })
  expect([every, totals.timings?.duration]).toEqual([1, { calls: 100, p50Ms: 49 * 600, p95Ms: 94 * 600 }])
})

/** Sums that are made of all calls at once, and those that are mended piece by piece. */
import { sql } from 'drizzle-orm'
import { afterAll, expect, test } from 'vitest'
import { createPeriods } from '../../../core/limits/period.ts'
import { repairSums } from '../../../core/reports/repair.ts'
import { repairSpent } from '../../../core/reports/repair-groups.ts'
import { fillCompany } from '../../support/company.ts'
import { memoryStore } from '../../support/memory-store.ts'

const NOW = Date.UTC(2026, 10, 23, 12)
const TABLES = ['usage_hourly', 'usage_sums', 'usage_by_group', 'usage_latency']

const { db, close } = await memoryStore()
afterAll(close)

/** As text, in order. */
const sums = () =>
  Promise.all(
    TABLES.map(async (name) =>
      (await db.all(sql.raw(`select * from ${name}`))).map((row) => JSON.stringify(row)).sort(),
    ),
  )
async function changes(): Promise<number> {
  const [row] = await db.all<{ changes: number }>(sql`select total_changes() as changes`)
  return row?.changes ?? 0
}

test('calls of four months are summed at once to the very rows that are mended hour by hour', async () => {
  await fillCompany(db, { people: 20, keys: 40, calls: 2_000 }, NOW)
  const atOnce = await sums()
  expect(atOnce.map((rows) => rows.length > 100)).toEqual([true, true, true, true])
  expect([await repairSums(db, 0), await repairSpent(db, createPeriods('UTC'), NOW)]).toEqual([false, false])
  for (const name of TABLES) await db.run(sql.raw(`delete from ${name}`))
  expect(await repairSums(db, 0)).toBe(true)
  expect(await sums()).toEqual(atOnce)
})

test('calls that no sums have are added without a look at the hours that are right', async () => {
  // As a release writes that knows no sums.
  await db.run(sql`insert into usage_logs (request_id, user_id, api_key_id, requested_model, model, backend, input_tokens,
      output_tokens, cache_read_tokens, cache_write_5m_tokens, cache_write_1h_tokens, cost_micros, status_code, outcome,
      estimated, unpriced, stream, attempts, latency_ms, created_at)
    select 'again_' || id, user_id, api_key_id, model, model, backend, 1, 1, 1, 1, 0, 9, 200, 'ok', 0, 0, 1, 1, 700, ${NOW}
    from usage_logs limit 3`)
  const before = await changes()
  expect(await repairSums(db, 0)).toBe(true)
  expect((await changes()) - before).toBeLessThan(200)
  expect(await repairSums(db, 0)).toBe(false)
})

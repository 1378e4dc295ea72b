/** Σ log = Σ every sum, after any sequence of calls (M16), against plain reckoning. */
import { sql } from 'drizzle-orm'
import fc from 'fast-check'
import { afterAll, describe, expect, test } from 'vitest'
import { usageHourly, usageLatency, usageLogs, usageSums } from '../../../core/db/schema.ts'
import { boundsOf } from '../../../core/reports/latency.ts'
import { repairSums } from '../../../core/reports/repair.ts'
import { recordText } from '../../../core/reports/stored-record.ts'
import { writeRecords } from '../../../core/reports/write.ts'
import {
  COUNTED,
  callStore,
  DAY_MS,
  FIRST,
  lastOf,
  property,
  type Row,
  sequence,
  start,
  sum,
  writeCalls,
} from '../../support/calls.ts'
import { callRecord } from '../../support/records.ts'

const { db, close } = await callStore()
afterAll(close)

/** What the table of sums must hold, given what its rows tell apart. */
function reckoned(rows: readonly Row[], nameOf: (row: Row) => object) {
  return [...Map.groupBy(rows, (row) => JSON.stringify(nameOf(row)))].map(([name, group]) => ({
    ...JSON.parse(name),
    ...Object.fromEntries(Object.entries(COUNTED).map(([figure, of]) => [figure, sum(group, of)])),
    lastAt: lastOf(group),
  }))
}
const sorted = (rows: readonly object[]) =>
  rows.map((row) => JSON.stringify(Object.entries(row).sort())).sort()

const CUTS = {
  site_quarter: [start(900_000), false, true],
  site_hour: [start(3_600_000), false, true],
  site_day: [start(DAY_MS), false, true],
  key_day: [start(DAY_MS), true, false],
  full_day: [start(DAY_MS), true, true],
  full_fortnight: [start(14 * DAY_MS), true, true],
  total: [() => 0, true, true],
} as const

async function expectSums(rows: readonly Row[]) {
  const hours = reckoned(rows, (row) => {
    const { userId, apiKeyId, model, backend } = row
    return { hour: start(3_600_000)(row), userId, apiKeyId, model, backend }
  })
  expect(sorted(await db.select().from(usageHourly))).toEqual(sorted(hours))
  const cuts = Object.entries(CUTS).flatMap(([cut, [startOf, people, places]]) =>
    reckoned(rows, (row) => ({
      cut,
      start: startOf(row),
      userId: people ? row.userId : 0,
      apiKeyId: people ? row.apiKeyId : 0,
      model: places ? row.model : '',
      backend: places ? row.backend : '',
    })),
  )
  expect(sorted(await db.select().from(usageSums))).toEqual(sorted(cuts))
  const counts = await db.select().from(usageLatency)
  for (const [unit, ms] of [['hour', 3_600_000] as const, ['day', DAY_MS] as const]) {
    const ofUnit = counts.filter((count) => count.unit === unit)
    expect(ofUnit.reduce((total, { requests }) => total + requests, 0)).toBe(rows.length)
    for (const { start: at, backend, bucket, requests } of ofUnit) {
      const { from, to } = boundsOf(bucket)
      const within = rows.filter((row) => {
        const latency = Math.max(row.latencyMs, 1)
        return start(ms)(row) === at && row.backend === backend && latency >= from && latency < to
      })
      expect(requests).toBe(within.length)
    }
  }
}

/** What a release before billing groups wrote. */
const COLUMNS = `request_id, user_id, api_key_id, requested_model, model, backend, input_tokens, output_tokens,
  cache_read_tokens, cache_write_5m_tokens, cache_write_1h_tokens, cost_micros, status_code, outcome, estimated, unpriced,
  stream, attempts, latency_ms, ttft_ms, extra, created_at`

describe('the sums', () => {
  test('M16: tell the same as the log, whatever was written and however often', async () => {
    await property(async (batches) => expectSums(await writeCalls(db, batches)))
  })

  test('D15: are mended to what they would be, wherever they were changed', async () => {
    const damages = [
      sql`update usage_hourly set cost_micros = cost_micros + 1`,
      sql`delete from usage_hourly`,
      sql`delete from usage_latency where unit = 'day'`,
      sql`update usage_latency set requests = requests + 1 where unit = 'hour'`,
      ...Object.keys(CUTS).map((cut) => sql`update usage_sums set errors = errors + 1 where cut = ${cut}`),
      ...Object.keys(CUTS).map((cut) => sql`delete from usage_sums where cut = ${cut}`),
    ]
    const rows = await writeCalls(db, fc.sample(sequence, { numRuns: 3, seed: 1 }).flat())
    for (const damage of damages) {
      await db.run(damage)
      expect(await repairSums(db, 0)).toBe(true)
      await expectSums(rows)
      expect(await repairSums(db, 0)).toBe(false)
    }
  })

  test('are mended from an hour on, without a look at what was before', async () => {
    const rows = await writeCalls(db, fc.sample(sequence, { numRuns: 3, seed: 2 }).flat())
    const day = FIRST + 2 * DAY_MS
    const from = day + 7 * 3_600_000
    await db.run(sql`delete from usage_hourly where hour >= ${from}`)
    await db.run(
      sql`delete from usage_sums where start >= iif(cut like '%day', ${day}, ${from}) or cut = 'total'
        or (cut = 'full_fortnight' and start > ${FIRST})`,
    )
    await db.run(sql`delete from usage_latency where start >= iif(unit = 'day', ${day}, ${from})`)
    expect(await repairSums(db, from)).toBe(true)
    await expectSums(rows)
  })

  test('are mended in pieces, between which calls are written', async () => {
    await writeCalls(db, fc.sample(sequence, { numRuns: 3, seed: 3 }).flat())
    await db.run(sql`delete from usage_hourly`)
    await db.run(sql`delete from usage_sums where cut <> 'total'`)
    let written = 0
    let repaired = false
    const repairing = repairSums(db, 0).finally(() => {
      repaired = true
    })
    while (!repaired) {
      const createdAt = FIRST + (written % 6) * DAY_MS
      const record = callRecord({ id: `between_${++written}`, userId: 1 + (written % 3), createdAt })
      await writeRecords(db, [recordText(record)])
    }
    expect(await repairing).toBe(true)
    expect(written).toBeGreaterThan(10)
    await expectSums(await db.select().from(usageLogs))
    expect(await repairSums(db, 0)).toBe(false)
  })

  test('take in rows that other hands have added to the log, with the next call', async () => {
    await writeCalls(db, [[callRecord({ id: 'req_1' })]])
    await db.run(
      sql`insert into usage_logs (${sql.raw(COLUMNS)}) select 'req_2', ${sql.raw(COLUMNS.replace('request_id, ', ''))} from usage_logs`,
    )
    await writeRecords(db, [recordText(callRecord({ id: 'req_3' }))])
    await expectSums(await db.select().from(usageLogs))
  })
})

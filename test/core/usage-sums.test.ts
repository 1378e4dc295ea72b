/** Σ log = Σ every sum = Σ every chart, page and total, after any sequence of calls (M16), against a plain reckoning. */
import { sql } from 'drizzle-orm'
import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { apiKeys, usageHourly, usageLatency, usageLogs, usageSums, users } from '../../core/db/schema.ts'
import type { CallRecord, Db } from '../../core/ports.ts'
import { backendStats } from '../../core/usage/backends.ts'
import { dailyChart, hourlyChart } from '../../core/usage/charts.ts'
import { boundsOf } from '../../core/usage/latency.ts'
import { allLogs, type Cursor, countLogs, logPage, logsAfter } from '../../core/usage/lists.ts'
import { ALL_TIME, daySpans, hoursOf, rangeOf } from '../../core/usage/range.ts'
import { repairSums, usedSince, writeRecords } from '../../core/usage/record.ts'
import type { Filter } from '../../core/usage/sources.ts'
import { summarize } from '../../core/usage/summary.ts'
import { totalsByKey, totalsByUser, usedByUsers } from '../../core/usage/totals.ts'
import { callRecord } from '../support/records.ts'
import { memoryStore, type OpenedStore } from '../support/stores.ts'

type Row = typeof usageLogs.$inferSelect
const NOW = Date.UTC(2026, 9, 27, 12)
const FIRST = Date.UTC(2026, 9, 23)
const DAY_MS = 86_400_000
const USER_OF_KEY: Record<number, number> = { 1: 1, 2: 1, 3: 2, 4: 3 }

let store: OpenedStore
let db: Db
beforeEach(async () => {
  store = await memoryStore()
  db = store.db
  const times = { createdAt: 1, updatedAt: 1 }
  for (const id of [1, 2, 3]) {
    await db
      .insert(users)
      .values({ id, itcode: `user${id}`, name: '', role: 'user', status: 'active', ...times })
  }
  for (const [id, userId] of Object.entries(USER_OF_KEY)) {
    const shown = { name: `key ${id}`, prefix: 'sk', last4: '0000', hash: id, status: 'active' } as const
    await db.insert(apiKeys).values({ id: Number(id), userId, ...shown, ...times })
  }
})
afterEach(() => store.close())

const amount = fc.integer({ min: 0, max: 1_000_000 })
/** Any moment of four days, often the first or last ms of a quarter of an hour. */
const moment = fc.oneof(
  fc.integer({ min: FIRST, max: FIRST + 4 * DAY_MS }),
  fc
    .tuple(fc.integer({ min: 1, max: 4 * 96 }), fc.constantFrom(0, 1))
    .map(([n, less]) => FIRST + n * 900_000 - less),
)
/** Ids come from a few, so that some calls are told of twice; four days around the end of summer time in Europe. */
const call: fc.Arbitrary<CallRecord> = fc
  .record({
    id: fc.integer({ min: 1, max: 60 }).map((n) => `req_${n}`),
    keyId: fc.integer({ min: 1, max: 4 }),
    model: fc.constantFrom('opus', 'sonnet', 'rare'),
    backend: fc.constantFrom('a', 'b', ''),
    inputTokens: amount,
    outputTokens: amount,
    cacheReadTokens: amount,
    cacheWrite5mTokens: amount,
    cacheWrite1hTokens: amount,
    costMicros: amount,
    latencyMs: amount,
    outcome: fc.constantFrom('ok', 'error', 'client_aborted'),
    createdAt: moment,
  })
  .map((given) => callRecord({ ...given, userId: USER_OF_KEY[given.keyId] ?? 0 } as Partial<CallRecord>))
const batch = fc.uniqueArray(call, { selector: ({ id }) => id, maxLength: 25 })
const sequence = fc.array(batch, { minLength: 1, maxLength: 4 })

async function write(batches: readonly CallRecord[][]): Promise<Row[]> {
  await db.delete(usageLogs)
  await repairSums(db, 0)
  for (const records of batches) {
    await writeRecords(
      db,
      records.map((record) => JSON.stringify(record)),
    )
  }
  return db.select().from(usageLogs)
}

const COUNTED = {
  requests: () => 1,
  errors: (row: Row) => (row.outcome === 'ok' ? 0 : 1),
  inputTokens: (row: Row) => row.inputTokens,
  outputTokens: (row: Row) => row.outputTokens,
  cacheReadTokens: (row: Row) => row.cacheReadTokens,
  cacheWrite5mTokens: (row: Row) => row.cacheWrite5mTokens,
  cacheWrite1hTokens: (row: Row) => row.cacheWrite1hTokens,
  costMicros: (row: Row) => row.costMicros,
  latencyMs: (row: Row) => row.latencyMs,
}
const tokensOf = (row: Row) =>
  row.inputTokens + row.outputTokens + row.cacheReadTokens + row.cacheWrite5mTokens + row.cacheWrite1hTokens
const sum = (rows: readonly Row[], of: (row: Row) => number) =>
  rows.reduce((total, row) => total + of(row), 0)
const lastOf = (rows: readonly Row[]) => Math.max(...rows.map(({ createdAt }) => createdAt))

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

const start = (ms: number) => (row: Row) => Math.floor(row.createdAt / ms) * ms
const CUTS = {
  site_quarter: [start(900_000), false, true],
  site_hour: [start(3_600_000), false, true],
  site_day: [start(DAY_MS), false, true],
  key_day: [start(DAY_MS), true, false],
  full_day: [start(DAY_MS), true, true],
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

const property = (check: (batches: CallRecord[][]) => Promise<void>, numRuns = 40) =>
  fc.assert(fc.asyncProperty(sequence, check), {
    numRuns,
    interruptAfterTimeLimit: 15_000,
    markInterruptAsFailure: true,
  })

describe('the sums', () => {
  test('M16: tell the same as the log, whatever was written and however often', async () => {
    await property(async (batches) => expectSums(await write(batches)))
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
    const rows = await write(fc.sample(sequence, { numRuns: 3, seed: 1 }).flat())
    for (const damage of damages) {
      await db.run(damage)
      expect(await repairSums(db, 0)).toBe(true)
      await expectSums(rows)
      expect(await repairSums(db, 0)).toBe(false)
    }
  })

  test('are mended from an hour on, without a look at what was before', async () => {
    const rows = await write(fc.sample(sequence, { numRuns: 3, seed: 2 }).flat())
    const day = FIRST + 2 * DAY_MS
    const from = day + 7 * 3_600_000
    await db.run(sql`delete from usage_hourly where hour >= ${from}`)
    await db.run(
      sql`delete from usage_sums where start >= iif(cut like '%day', ${day}, ${from}) or cut = 'total'`,
    )
    await db.run(sql`delete from usage_latency where start >= iif(unit = 'day', ${day}, ${from})`)
    expect(await repairSums(db, from)).toBe(true)
    await expectSums(rows)
  })

  test('take in rows that other hands have added to the log, with the next call', async () => {
    await write([[callRecord({ id: 'req_1' })]])
    await db.run(sql`insert into usage_logs select null, 'req_2', user_id, api_key_id, requested_model, model, backend,
      input_tokens, output_tokens, cache_read_tokens, cache_write_5m_tokens, cache_write_1h_tokens, cost_micros,
      status_code, outcome, estimated, unpriced, stream, attempts, latency_ms, ttft_ms, extra, created_at from usage_logs`)
    await writeRecords(db, [JSON.stringify(callRecord({ id: 'req_3' }))])
    await expectSums(await db.select().from(usageLogs))
  })
})

const FILTERS: Filter[] = [
  {},
  { model: 'rare' },
  { backend: '' },
  { model: 'opus', backend: 'a' },
  { userId: 1 },
  { userId: 1, model: 'sonnet' },
  { keyId: 2 },
  { userId: 1, keyId: 3 },
  { keyId: 2, backend: 'b' },
  { keyId: 99 },
]
const matches = ({ userId, keyId, model, backend }: Filter) => {
  const same = <T>(wanted: T | undefined, given: T) => wanted === undefined || wanted === given
  return (row: Row) =>
    same(userId, row.userId) &&
    same(keyId, row.apiKeyId) &&
    same(model, row.model) &&
    same(backend, row.backend)
}
const ZONES = ['UTC', 'Asia/Shanghai', 'Asia/Kolkata', 'Asia/Kathmandu', 'Europe/Berlin', 'America/New_York']
const dayOf =
  (timeZone: string) =>
  ({ createdAt }: Row) =>
    new Date(createdAt).toLocaleDateString('sv-SE', { timeZone })
const DATES = { startDate: '2026-10-24', endDate: '2026-10-25' }
const inDates = (timeZone: string) => (row: Row) => {
  const day = dayOf(timeZone)(row)
  return day >= DATES.startDate && day <= DATES.endDate
}

describe('charts and totals', () => {
  test('M13, M16: by day hold the calls that arrived on it, in every zone and for every filter', async () => {
    await property(async (batches) => {
      const rows = await write(batches)
      for (const timeZone of ZONES) {
        const days = daySpans({ startDate: undefined, endDate: undefined, timeZone }, NOW)
        for (const filter of FILTERS) {
          const wanted = Map.groupBy(
            rows.filter(matches(filter)),
            (row) => `${dayOf(timeZone)(row)} ${row.model}`,
          )
          const bars = await dailyChart(db, filter, days)
          expect(bars.map(({ label, model }) => `${label} ${model}`)).toEqual([...wanted.keys()].sort())
          for (const { label, model, requests, errors, totalTokens, costMicros } of bars) {
            const group = wanted.get(`${label} ${model}`) ?? []
            const figures = [sum(group, COUNTED.errors), sum(group, tokensOf), sum(group, COUNTED.costMicros)]
            expect([requests, errors, totalTokens, costMicros]).toEqual([group.length, ...figures])
          }
        }
      }
    }, 10)
  })

  test('by hour, summaries and counts hold what the same days hold', async () => {
    await property(async (batches) => {
      const rows = await write(batches)
      for (const timeZone of ZONES) {
        const range = rangeOf({ ...DATES, timeZone })
        for (const filter of FILTERS) {
          const group = rows.filter(matches(filter)).filter(inDates(timeZone))
          const cost = sum(group, COUNTED.costMicros)
          const costs = (list: readonly { costMicros: number }[]) =>
            list.reduce((total, { costMicros }) => total + costMicros, 0)
          const bars = await hourlyChart(db, filter, hoursOf({ ...DATES, timeZone }, NOW))
          expect(costs(bars)).toBe(cost)
          const hours = group.map((row) => new Date(start(3_600_000)(row)).toISOString())
          expect(new Set(bars.map(({ label }) => label))).toEqual(new Set(hours))
          expect(await countLogs(db, filter, range)).toBe(group.length)
          const { totals, ...lists } = await summarize(db, filter, range)
          expect([totals.requests, totals.costMicros]).toEqual([group.length, cost])
          expect(Object.values(lists).map(costs)).toEqual([cost, cost, cost, cost])
        }
      }
    }, 10)
  })

  test('of all time are those of users and keys', async () => {
    await property(async (batches) => {
      const rows = await write(batches)
      const totals = (group: readonly Row[]) => ({
        requests: group.length,
        totalTokens: sum(group, tokensOf),
        costMicros: sum(group, COUNTED.costMicros),
        lastUsedAt: lastOf(group),
      })
      const by = (nameOf: (row: Row) => number) =>
        new Map([...Map.groupBy(rows, nameOf)].map(([id, group]) => [id, totals(group)]))
      const ids = [4, 3, 2, 1, 99]
      expect(await totalsByUser(db, ids)).toEqual(by(({ userId }) => userId))
      expect(await totalsByKey(db, ids)).toEqual(by(({ apiKeyId }) => apiKeyId))
      const recent = rows.filter(({ createdAt }) => createdAt >= FIRST + 2 * DAY_MS)
      const used = await usedByUsers(db, ids, FIRST + 2 * DAY_MS)
      expect([...used].reduce((total, [, { tokens }]) => total + tokens, 0)).toBe(sum(recent, tokensOf))
      const since = await usedSince(db, FIRST + 2 * DAY_MS)
      const ofKey1 = recent.filter(({ apiKeyId }) => apiKeyId === 1)
      expect(since.find(({ keyId }) => keyId === 1)?.costMicros ?? 0).toBe(sum(ofKey1, COUNTED.costMicros))
      expect((await usedSince(db, 0)).reduce((total, { costMicros }) => total + costMicros, 0)).toBe(
        sum(rows, COUNTED.costMicros),
      )
    })
  })

  test('of backends leave out calls without one', async () => {
    await property(async (batches) => {
      const rows = (await write(batches)).filter(({ backend }) => backend !== '')
      for (const timeZone of ['UTC', 'Asia/Kathmandu', 'America/New_York']) {
        const group = Map.groupBy(rows.filter(inDates(timeZone)), ({ backend }) => backend)
        const stats = await backendStats(db, rangeOf({ ...DATES, timeZone }))
        expect(stats.map(({ backend }) => backend)).toEqual([...group.keys()].sort())
        for (const { backend, requests, errors, averageMs, p95Ms } of stats) {
          const calls = group.get(backend) ?? []
          const slowest = Math.max(...calls.map(({ latencyMs }) => latencyMs))
          expect([requests, errors]).toEqual([calls.length, sum(calls, COUNTED.errors)])
          expect(averageMs).toBeCloseTo(sum(calls, COUNTED.latencyMs) / calls.length)
          expect(p95Ms).toBeLessThanOrEqual(Math.max(slowest, 1) * 1.22)
        }
      }
    }, 20)
  })
})

describe('lists', () => {
  const newestFirst = (rows: readonly Row[]) =>
    rows.toSorted((a, b) => b.createdAt - a.createdAt || b.id - a.id).map(({ id }) => id)
  const RANGES = [ALL_TIME, ...ZONES.map((timeZone) => rangeOf({ ...DATES, timeZone }))]

  test('by page, by cursor and in slices hold every row that matches once, newest first', async () => {
    await property(async (batches) => {
      const rows = await write(batches)
      for (const range of RANGES) {
        for (const filter of FILTERS) {
          const inRange = ({ createdAt }: Row) => createdAt >= range.from && createdAt < range.to
          const wanted = newestFirst(rows.filter(matches(filter)).filter(inRange))
          const paged: number[] = []
          for (let page = 1; page === 1 || paged.length < wanted.length; page++) {
            const { logs, total, next } = await logPage(db, filter, range, { page, pageSize: 7 })
            expect(total).toBe(wanted.length)
            paged.push(...logs.map(({ id }) => id))
            expect(next === null).toBe(paged.length >= wanted.length)
            if (logs.length === 0) break
          }
          expect(paged).toEqual(wanted)
          const followed: number[] = []
          for (let cursor: Cursor | null = null; ; ) {
            const { logs, next }: Awaited<ReturnType<typeof logsAfter>> = await logsAfter(db, filter, range, {
              cursor,
              take: 7,
            })
            followed.push(...logs.map(({ id }) => id))
            // The end is told with the last row, not with an empty page after it.
            expect(logs.length > 0 || cursor === null).toBe(true)
            if (!next) break
            cursor = next
          }
          expect(followed).toEqual(wanted)
        }
      }
    }, 8)
  })

  test('keep the order of rows of the same ms, across pages and slices', async () => {
    const same = Array.from({ length: 25 }, (_, i) =>
      callRecord({ model: i % 2 ? 'opus' : 'rare', createdAt: FIRST + 5 }),
    )
    const rows = await write([same])
    for (const filter of [{}, { userId: 1 }, { model: 'rare' }, { userId: 1, model: 'rare' }]) {
      const slices: number[] = []
      for await (const logs of allLogs(db, filter, ALL_TIME, 4)) slices.push(...logs.map(({ id }) => id))
      expect(slices).toEqual(newestFirst(rows.filter(matches(filter))))
    }
  })

  test('show the names of keys and users, also of those that are gone', async () => {
    await write([
      [
        callRecord({ id: 'a', userId: 2, keyId: 3 }),
        callRecord({ id: 'b', userId: 9, keyId: 0, createdAt: 1 }),
      ],
    ])
    await db.update(apiKeys).set({ deletedAt: 5, status: 'disabled' })
    const { logs } = await logPage(db, {}, ALL_TIME, { page: 1, pageSize: 10 })
    expect(logs.map(({ requestId, keyName, itcode }) => [requestId, keyName, itcode])).toEqual([
      ['a', 'key 3', 'user2'],
      ['b', null, null],
    ])
  })
})

/** Σ log = Σ every chart, summary and total, after any sequence of calls (M16), against plain reckoning. */
import { afterAll, describe, expect, test } from 'vitest'
import { backendStats } from '../../../core/reports/backend-stats.ts'
import { dailyChart, hourlyChart } from '../../../core/reports/charts.ts'
import { daySpans, hoursOf, rangeOf } from '../../../core/reports/range.ts'
import { summarize } from '../../../core/reports/summary.ts'
import { totalsByKey, totalsByUser } from '../../../core/reports/totals.ts'
import {
  COUNTED,
  callStore,
  DATES,
  dayOf,
  FILTERS,
  inDates,
  lastOf,
  matches,
  NOW,
  property,
  type Row,
  start,
  sum,
  tokensOf,
  writeCalls,
  ZONES,
} from '../../support/calls.ts'

const { db, close } = await callStore()
afterAll(close)

describe('charts and totals', () => {
  test('M13, M16: by day hold the calls that arrived on it, in every zone and for every filter', async () => {
    await property(async (batches) => {
      const rows = await writeCalls(db, batches)
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

  test('by hour and summaries hold what the same days hold', async () => {
    await property(async (batches) => {
      const rows = await writeCalls(db, batches)
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
          const { totals, ...lists } = await summarize(db, filter, range)
          expect([totals.requests, totals.costMicros]).toEqual([group.length, cost])
          expect(Object.values(lists).map(costs)).toEqual([cost, cost, cost, cost])
        }
      }
    }, 10)
  })

  test('of long and open ranges come from fortnights, and are the same', async () => {
    await property(async (batches) => {
      const rows = await writeCalls(db, batches)
      for (const timeZone of ['UTC', 'Asia/Kathmandu', 'America/New_York']) {
        for (const startDate of ['2026-09-01', '2026-10-21', '2026-10-22', '2026-10-24']) {
          const range = rangeOf({ startDate, endDate: undefined, timeZone })
          for (const filter of FILTERS) {
            const group = rows.filter(matches(filter)).filter((row) => dayOf(timeZone)(row) >= startDate)
            const cost = sum(group, COUNTED.costMicros)
            const { totals, byUser, byKey } = await summarize(db, filter, range)
            const costs = [[totals], byUser, byKey].map((list) =>
              list.reduce((total, { costMicros }) => total + costMicros, 0),
            )
            expect(costs).toEqual([cost, cost, cost])
          }
        }
      }
    }, 10)
  })

  test('of all time are those of users and keys', async () => {
    await property(async (batches) => {
      const rows = await writeCalls(db, batches)
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
    })
  })

  test('of backends leave out calls without one', async () => {
    await property(async (batches) => {
      const rows = (await writeCalls(db, batches)).filter(({ backend }) => backend !== '')
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

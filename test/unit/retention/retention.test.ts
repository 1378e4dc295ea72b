/** Old rows go, sums stay, and a crash between archiving and deleting changes neither. */
import { asc, eq } from 'drizzle-orm'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { auditRow, COMMAND_LINE } from '../../../core/audit/record.ts'
import {
  auditEvents,
  usageByGroup,
  usageHourly,
  usageLatency,
  usageLogs,
  usageSums,
} from '../../../core/db/schema.ts'
import type { Archive } from '../../../core/ports.ts'
import { dailyChart } from '../../../core/reports/charts.ts'
import { logPage } from '../../../core/reports/log-pages.ts'
import { ALL_TIME, daySpans, rangeOf } from '../../../core/reports/range.ts'
import { repairSums } from '../../../core/reports/repair.ts'
import { reportOf } from '../../../core/reports/report.ts'
import { recordText } from '../../../core/reports/stored-record.ts'
import { summarize } from '../../../core/reports/summary.ts'
import { writeRecords } from '../../../core/reports/write.ts'
import { expireAudit, expireUsage, keptSince } from '../../../core/retention/retention.ts'
import { DAY_MS, HOUR_MS } from '../../../core/units.ts'
import { fakeClock } from '../../support/clock.ts'
import { memoryStore, type OpenedStore } from '../../support/memory-store.ts'
import { callRecord } from '../../support/records.ts'

const NOW = Date.UTC(2026, 10, 23, 12)
const KEPT = 10 * DAY_MS
/** The first moment of the days that are kept. */
const KEPT_SINCE = Date.UTC(2026, 10, 13)

let store: OpenedStore
const clock = fakeClock(NOW)
beforeEach(async () => {
  store = await memoryStore()
  // Two calls a day of twenty days, among them the first and the last ms of a day.
  const records = Array.from({ length: 40 }, (_, i) =>
    callRecord({
      id: `req_${i}`,
      userId: 1 + (i % 3),
      createdAt: NOW - 12 * HOUR_MS - Math.floor(i / 2) * DAY_MS + (i % 2) * (DAY_MS - 1),
    }),
  )
  await writeRecords(store.db, records.map(recordText))
})
afterEach(() => store.close())

/** Files by their names; `crash`: the process ends when they are on the disk. */
function memoryArchive({ crash = false } = {}) {
  const files = new Map<string, readonly string[]>()
  const archive: Archive = {
    async write(name, lines) {
      files.set(name, lines)
      if (crash) throw new Error('killed')
    },
  }
  const rows = () => [...files.values()].flat().map((line) => JSON.parse(line))
  return { archive, files, rows }
}

const sums = async () => [
  await store.db.select().from(usageSums),
  await store.db.select().from(usageHourly),
  await store.db.select().from(usageLatency),
]
const rows = () => store.db.select().from(usageLogs).orderBy(asc(usageLogs.id))

describe('calls that are not kept', () => {
  test('are in the sums of people as in those of all, also where days begin within an hour', async () => {
    const half = ['17:45', '18:15', '18:45'].map((time, i) =>
      callRecord({ id: `half_${i}`, userId: 1, createdAt: Date.parse(`2026-11-08T${time}Z`), costMicros: 7 }),
    )
    await writeRecords(store.db, half.map(recordText))
    await expireUsage({ db: store.db, clock, archive: undefined }, KEPT)
    const dates = { timeZone: 'Asia/Kolkata', startDate: '2026-11-08', endDate: '2026-11-08' }
    const days = daySpans({ ...dates, endDate: '2026-11-09' }, NOW)
    const of = async (filter: { userId?: number }) =>
      (await dailyChart(store.db, filter, days)).map(({ label, requests }) => [label, requests])
    const people = [await of({ userId: 1 }), await of({ userId: 2 }), await of({ userId: 3 })].flat()
    const ofDay = (rows: (string | number)[][], day: string) =>
      rows.filter(([label]) => label === day).reduce((sum, [, requests]) => sum + Number(requests), 0)
    const everybody = await of({})
    for (const { label } of days) expect(ofDay(people, label)).toBe(ofDay(everybody, label))
    const { totals, byUser, byKey } = await summarize(store.db, {}, rangeOf(dates))
    for (const list of [byUser, byKey]) {
      expect(list.reduce((sum, { costMicros }) => sum + costMicros, 0)).toBe(totals.costMicros)
    }
  })

  test('are refused in reports by minute, which only rows tell, instead of being left out', async () => {
    await expireUsage({ db: store.db, clock, archive: undefined }, KEPT)
    const asked = (day: string, compare: boolean) => {
      const dates = { timeZone: 'UTC', startDate: day, endDate: day }
      const filter = { dimensions: [], filter: {}, sort: 'time', order: 'asc' } as const
      return reportOf(store.db, { ...filter, dates, compare, bucket: 'minute' }, { skip: 0, take: undefined })
    }
    const told = 'calls before 2026-11-13T00:00:00.000Z have no rows any more'
    await expect(asked('2026-11-12', false)).rejects.toThrow(told)
    await expect(asked('2026-11-13', true)).rejects.toThrow(told)
    expect((await asked('2026-11-13', false)).totals.requests).toBe(2)
  })

  test('are archived whole and removed by days, and no sum changes', async () => {
    const [before, all] = [await sums(), await rows()]
    const { archive, files, rows: archived } = memoryArchive()
    expect(await expireUsage({ db: store.db, clock, archive }, KEPT)).toBe(18)
    const old = all.filter(({ createdAt }) => createdAt < KEPT_SINCE)
    expect(archived().toSorted((a, b) => a.id - b.id)).toEqual(old)
    expect(await rows()).toEqual(all.filter(({ createdAt }) => createdAt >= KEPT_SINCE))
    expect([...files.keys()][0]).toBe(
      `usage-2026-11-04-${all.find(({ requestId }) => requestId === 'req_38')?.id}`,
    )
    expect(await sums()).toEqual(before)
    expect(await expireUsage({ db: store.db, clock, archive }, KEPT)).toBe(0)
  })

  test('are in the sums by group before they go, because these are written now and then', async () => {
    await expireUsage({ db: store.db, clock, archive: undefined }, KEPT)
    await repairSums(store.db, 0)
    const ofGroups = await store.db.select().from(usageByGroup).where(eq(usageByGroup.cut, 'full_fortnight'))
    expect(ofGroups.reduce((sum, { requests }) => sum + requests, 0)).toBe(40)
  })

  test('that were archived when the process died are archived under the same names by the next, and removed once', async () => {
    const [before, all] = [await sums(), await rows()]
    const killed = memoryArchive({ crash: true })
    await expect(expireUsage({ db: store.db, clock, archive: killed.archive }, KEPT)).rejects.toThrow(
      'killed',
    )
    expect(await rows()).toEqual(all)
    const next = memoryArchive()
    await expireUsage({ db: store.db, clock, archive: next.archive }, KEPT)
    for (const [name, lines] of killed.files) expect(next.files.get(name)).toEqual(lines)
    const ids = next.rows().map(({ requestId }) => requestId)
    expect([ids.length, new Set(ids).size]).toEqual([18, 18])
    expect(await sums()).toEqual(before)
  })

  test('leave pages that say how many calls are there, and sums that nobody takes for wrong', async () => {
    const before = await sums()
    await expireUsage({ db: store.db, clock, archive: undefined }, KEPT)
    expect(await keptSince(store.db)).toBe(KEPT_SINCE)
    const page = await logPage(store.db, {}, ALL_TIME, { page: 2, pageSize: 20 })
    expect([page.total, page.logs.length, page.next]).toEqual([22, 2, null])
    const ofOne = await logPage(store.db, { userId: 1 }, ALL_TIME, { page: 1, pageSize: 1 })
    expect(ofOne.total).toBe((await rows()).filter(({ userId }) => userId === 1).length)
    expect(await repairSums(store.db, 0)).toBe(false)
    await store.db.delete(usageHourly)
    await repairSums(store.db, 0)
    await writeRecords(store.db, [recordText(callRecord({ id: 'new', createdAt: NOW }))])
    const total = (rowsOf: { requests: number; cut?: string }[]) =>
      rowsOf.filter(({ cut }) => cut === 'total').reduce((sum, { requests }) => sum + requests, 0)
    expect(total(await store.db.select().from(usageSums))).toBe(41)
    expect(total(before[0] as { requests: number; cut: string }[])).toBe(40)
  })
})

test('entries of the audit go in the same way', async () => {
  for (const at of [NOW - 20 * DAY_MS, NOW - 11 * DAY_MS, NOW - DAY_MS]) {
    await auditRow(store.db, { actor: COMMAND_LINE, at, action: 'config.reload', target: 'config' })
  }
  const { archive, rows: archived } = memoryArchive()
  expect(await expireAudit({ db: store.db, clock, archive }, KEPT)).toBe(2)
  expect(archived().map(({ at }) => at)).toEqual([NOW - 20 * DAY_MS, NOW - 11 * DAY_MS])
  expect((await store.db.select().from(auditEvents)).map(({ at }) => at)).toEqual([NOW - DAY_MS])
  expect(await expireAudit({ db: store.db, clock, archive }, KEPT)).toBe(0)
})

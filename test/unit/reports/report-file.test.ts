/** The rows of a report's file are those of its pages, and no file fills the memory. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Db } from '../../../core/ports.ts'
import type { Bucket } from '../../../core/reports/buckets.ts'
import { reportOf, rowsOfReport } from '../../../core/reports/report.ts'
import type { ReportQuestion } from '../../../core/reports/report-page.ts'
import { recordText } from '../../../core/reports/stored-record.ts'
import { writeRecords } from '../../../core/reports/write.ts'
import { HOUR_MS } from '../../../core/units.ts'
import { memoryStore, type OpenedStore } from '../../support/memory-store.ts'
import { callRecord } from '../../support/records.ts'

const FIRST = Date.parse('2026-11-01T00:10Z')
const CALLS = 120

let store: OpenedStore
let db: Db
beforeAll(async () => {
  store = await memoryStore()
  db = store.db
  const records = Array.from({ length: CALLS }, (_, i) =>
    callRecord({
      id: `req_${i}`,
      userId: 1 + (i % 3),
      keyId: 1 + (i % 4),
      backend: i % 5 === 0 ? '' : "o'b",
      model: i % 2 === 0 ? 'claude-"x"' : 'claude-y',
      project: i % 7 === 0 ? 'a,\nb' : '',
      costMicros: i * 3,
      createdAt: FIRST + i * 2 * HOUR_MS,
    }),
  )
  await writeRecords(db, records.map(recordText))
})
afterAll(() => store.close())

const dates = { startDate: '2026-11-04', endDate: '2026-11-06', timeZone: 'Asia/Kolkata' }
const question = (given: Partial<ReportQuestion>): ReportQuestion => ({
  dimensions: [],
  bucket: 'day',
  filter: {},
  dates,
  compare: false,
  sort: 'cost',
  order: 'desc',
  ...given,
})

test.each<[Bucket, Partial<ReportQuestion>]>([
  ['day', { dimensions: ['user', 'model'] }],
  ['none', { dimensions: ['key', 'backend'], compare: true }],
  ['hour', { dimensions: ['group', 'project'], compare: true, isTimed: true, sort: 'duration_p95' }],
  ['week', { dimensions: ['client'], isTimed: true, sort: 'name', order: 'asc' }],
  ['month', {}],
])('by %s it has what the pages have: %j', async (bucket, given) => {
  const asked = question({ bucket, ...given })
  const { rows } = await reportOf(db, asked, { skip: 0, take: undefined })
  const slices = [...(await rowsOfReport(db, asked, { slice: 2, most: rows.length }))]
  expect(rows.length).toBeGreaterThan(0)
  expect(slices.flat()).toEqual(rows)
  expect(slices.every((slice) => slice.length <= 2)).toBe(true)
})

test('more rows than a file has are refused, and the answer says what to ask for', async () => {
  const asked = question({ dimensions: ['user'] })
  await expect(rowsOfReport(db, asked, { slice: 2, most: 8 })).rejects.toThrow(
    'start_date: a file has at most 8 rows: ask for fewer days, or for longer parts of time',
  )
})

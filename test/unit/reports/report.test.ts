/** A report tells the same as the log: in every grouping, time zone and bucket, whatever is summed and whatever is not yet. */
import { sql } from 'drizzle-orm'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createCalendar } from '../../../core/calendar.ts'
import { usageLogs } from '../../../core/db/schema.ts'
import { BUCKETS, type Bucket, bucketsOf, datesBefore, reportDates } from '../../../core/reports/buckets.ts'
import { groupUp } from '../../../core/reports/by-group.ts'
import { DIMENSIONS, type Dimension, type ReportFilter } from '../../../core/reports/grouped.ts'
import { type ReportRow, reportOf } from '../../../core/reports/report.ts'
import { type ReportQuestion, SORTS } from '../../../core/reports/report-page.ts'
import { recordText } from '../../../core/reports/stored-record.ts'
import { writeRecords } from '../../../core/reports/write.ts'
import { callStore, DAY_MS, type Row } from '../../support/calls.ts'
import { callRecord } from '../../support/records.ts'

const { db, close } = await callStore()
afterAll(close)

/** A fortnight of the sums ends on the 22nd; clocks change in St. John's on the 1st. */
const FIRST = Date.UTC(2026, 9, 20)
const DAYS = 16
const GROUPED_SINCE = FIRST + 4 * DAY_MS
const ZONES = ['UTC', 'Asia/Kathmandu', 'America/St_Johns', 'Asia/Shanghai']
const ALL = { skip: 0, take: undefined }

/** Any moment, often the first or last ms of a quarter of an hour. */
const moment = fc.oneof(
  fc.integer({ min: FIRST, max: FIRST + DAYS * DAY_MS }),
  fc
    .tuple(fc.integer({ min: 1, max: DAYS * 96 }), fc.constantFrom(0, 1))
    .map(([n, less]) => FIRST + n * 900_000 - less),
)
const amount = fc.integer({ min: 0, max: 1_000_000 })
const call = fc.record({
  keyId: fc.integer({ min: 1, max: 4 }),
  model: fc.constantFrom('opus', 'sonnet'),
  backend: fc.constantFrom('a', 'b', ''),
  client: fc.constantFrom('claude-code', 'codex', 'other'),
  project: fc.constantFrom('', 'one', "two'"),
  billingGroupIds: fc.constantFrom<[number, ...number[]][]>([0], [1], [2, 1]),
  inputTokens: amount,
  cacheReadTokens: amount,
  costMicros: amount,
  inputMicros: amount,
  serverToolMicros: amount,
  savedMicros: fc.integer({ min: -1_000, max: 1_000 }),
  webSearches: fc.integer({ min: 0, max: 3 }),
  outcome: fc.constantFrom('ok' as const, 'error' as const),
  createdAt: moment,
})
const USER_OF_KEY: Record<number, number> = { 1: 1, 2: 1, 3: 2, 4: 3 }

const made = (seed: number, count: number, later = 0) =>
  fc.sample(call, { seed, numRuns: count }).map((given) => {
    const createdAt = Math.max(given.createdAt, later)
    return callRecord({ ...given, createdAt, userId: USER_OF_KEY[given.keyId] ?? 0 })
  })

let rows: Row[] = []

/** Calls of the release before, then some that are summed by group and some that wait for it; of all times. */
beforeAll(async () => {
  await db.run(sql`insert into groups (id, name, source, bills, created_at, updated_at)
    values (1, 'sales', 'direct', 1, 1, 1), (2, 'field', 'direct', 1, 1, 1)`)
  const early = made(1, 150).filter(({ createdAt }) => createdAt < GROUPED_SINCE)
  const unbooked = { billingGroupIds: [0] as [number], client: '', project: '' }
  const nothing = { inputMicros: 0, serverToolMicros: 0, savedMicros: 0, webSearches: 0 }
  await writeRecords(
    db,
    early.map((record) => recordText({ ...record, ...unbooked, ...nothing })),
  )
  await db.run(
    sql`update usage_summed set grouped_id = log_id, ungrouped_id = log_id, grouped_since = ${GROUPED_SINCE}`,
  )
  await writeRecords(db, made(2, 250).map(recordText))
  await db.batch(groupUp(db))
  await writeRecords(db, made(3, 40).map(recordText))
  rows = await db.select().from(usageLogs)
})

const COLUMN = {
  user: 'userId',
  group: 'billingGroupId',
  key: 'apiKeyId',
  model: 'model',
  backend: 'backend',
  client: 'client',
  project: 'project',
} as const
const NAMED = { ...COLUMN, group: 'groupId', key: 'keyId' } as const
const FILTERED = {
  userId: 'userId',
  keyId: 'apiKeyId',
  groupId: 'billingGroupId',
  model: 'model',
  backend: 'backend',
  client: 'client',
  project: 'project',
} as const

function matches(row: Row, filter: ReportFilter): boolean {
  return Object.entries(FILTERED).every(([name, column]) => {
    const wanted = filter[name as keyof typeof FILTERED]
    return wanted === undefined || row[column] === wanted
  })
}

function figures(of: readonly Row[]) {
  const sum = (value: (row: Row) => number) => of.reduce((total, row) => total + value(row), 0)
  return [
    of.length,
    sum((row) => Number(row.outcome !== 'ok')),
    sum((row) => row.inputTokens),
    sum((row) => row.cacheReadTokens),
    sum((row) => row.costMicros),
    sum((row) => row.inputMicros),
    sum((row) => row.serverToolMicros),
    sum((row) => row.savedMicros),
    sum((row) => row.webSearches),
  ]
}
const figuresOf = (row: Omit<ReportRow, 'bucket' | 'before'>) => [
  row.requests,
  row.errors,
  row.inputTokens,
  row.cacheReadTokens,
  row.costMicros,
  row.inputMicros,
  row.serverToolMicros,
  row.savedMicros,
  row.webSearches,
]

/** What the log says, by the local dates of its calls. */
function reckoned({ dates, bucket, filter, dimensions }: ReportQuestion) {
  const spans = bucketsOf(dates, bucket)
  const groups = Map.groupBy(
    rows.filter(
      (row) =>
        matches(row, filter) && spans.some(({ from, to }) => row.createdAt >= from && row.createdAt < to),
    ),
    (row) => {
      const span = spans.find(({ from, to }) => row.createdAt >= from && row.createdAt < to)
      return JSON.stringify([span?.label, ...dimensions.map((dimension) => row[COLUMN[dimension]])])
    },
  )
  return Object.fromEntries([...groups].map(([name, of]) => [name, figures(of)]))
}

const question = fc
  .record({
    dimension: fc.constantFrom(...(Object.keys(DIMENSIONS) as Dimension[]), undefined),
    second: fc.constantFrom<(Dimension | undefined)[]>(undefined, undefined, 'model', 'user'),
    bucket: fc.constantFrom<Bucket[]>('none', 'hour', 'day', 'day', 'week', 'month'),
    timeZone: fc.constantFrom(...ZONES),
    start: fc.integer({ min: 0, max: DAYS - 1 }),
    days: fc.integer({ min: 1, max: DAYS }),
    filter: fc.record(
      {
        userId: fc.constantFrom(1, 2),
        keyId: fc.constantFrom(1, 4),
        groupId: fc.constantFrom(0, 1, 2),
        model: fc.constant('opus'),
        backend: fc.constantFrom('a', ''),
        client: fc.constantFrom('', 'codex'),
        project: fc.constantFrom('', "two'"),
      },
      { requiredKeys: [] },
    ),
    oneFilter: fc.boolean(),
  })
  .map(({ dimension, second, bucket, timeZone, start, days, filter, oneFilter }): ReportQuestion => {
    const first = new Date(FIRST + start * DAY_MS).toISOString().slice(0, 10)
    const last = new Date(FIRST + (start + days - 1) * DAY_MS).toISOString().slice(0, 10)
    const dimensions = [...new Set([dimension, second])].filter((each) => each !== undefined)
    const [one] = Object.entries(filter)
    return {
      dimensions,
      bucket,
      filter: oneFilter ? Object.fromEntries(one ? [one] : []) : filter,
      dates: { startDate: first, endDate: last, timeZone },
      compare: false,
      sort: 'cost',
      order: 'desc',
    }
  })

describe('a report', () => {
  test('adds up to the log, whatever it tells apart', async () => {
    let told = 0
    await fc.assert(
      fc.asyncProperty(question, async (asked) => {
        const report = await reportOf(db, asked, ALL)
        const names = (row: ReportRow) => [
          row.bucket.label,
          ...asked.dimensions.map((each) => row[NAMED[each]]),
        ]
        const found = Object.fromEntries(
          report.rows.map((row) => [JSON.stringify(names(row)), figuresOf(row)]),
        )
        const expected = reckoned(asked)
        expect(found).toEqual(expected)
        expect(report.rowCount).toBe(Object.keys(expected).length)
        expect(figuresOf(report.totals)).toEqual(
          figures(
            rows.filter(
              (row) =>
                matches(row, asked.filter) &&
                row.createdAt >= report.span.from &&
                row.createdAt < report.span.to,
            ),
          ),
        )
        told += report.rows.length
      }),
      { numRuns: 150, seed: 1 },
    )
    expect(told).toBeGreaterThan(500)
  })

  test('by minute is of one day, and adds up to it', async () => {
    const dates = { startDate: '2026-10-30', endDate: '2026-10-30', timeZone: 'Asia/Kathmandu' }
    const asked = {
      dimensions: ['model'],
      filter: {},
      dates,
      compare: false,
      sort: 'time',
      order: 'asc',
    } as const
    const minutes = await reportOf(db, { ...asked, bucket: 'minute' }, ALL)
    const day = await reportOf(db, { ...asked, bucket: 'none' }, ALL)
    expect(minutes.totals).toEqual(day.totals)
    expect(minutes.rows.length).toBeGreaterThan(day.rows.length)
    expect(() => reportDates({ ...dates, endDate: '2026-10-31' }, 'minute', 0)).toThrow('at most 1 days')
    const compared = await reportOf(db, { ...asked, bucket: 'minute', compare: true }, ALL)
    const wholeDay = await reportOf(db, { ...asked, bucket: 'none', compare: true }, ALL)
    expect(compared.totals).toEqual(day.totals)
    expect(compared.before?.requests).toBeGreaterThan(0)
    expect(compared.before).toEqual(wholeDay.before)
    expect(compared.rows.map(({ before: _, ...row }) => row)).toEqual(
      minutes.rows.map(({ before: _, ...row }) => row),
    )
  })

  test('is compared with as many days before, row by row', async () => {
    const dates = { startDate: '2026-10-28', endDate: '2026-11-01', timeZone: 'Asia/Shanghai' }
    const asked = { dimensions: ['user'], filter: {}, bucket: 'day', sort: 'cost', order: 'desc' } as const
    const compared = await reportOf(db, { ...asked, dates, compare: true }, ALL)
    const before = await reportOf(db, { ...asked, dates: datesBefore(dates), compare: false }, ALL)
    expect(compared.before?.costMicros).toBe(before.totals.costMicros)
    const days = [...new Set(compared.rows.map((row) => row.bucket.label))].sort()
    for (const row of compared.rows) {
      const day = `2026-10-${23 + days.indexOf(row.bucket.label)}`
      const same = before.rows.find((each) => each.bucket.label === day && each.userId === row.userId)
      expect(row.before).toMatchObject({ requests: same?.requests ?? 0, costMicros: same?.costMicros ?? 0 })
    }
    expect(compared.rows.some((row) => (row.before?.tokens ?? 0) > 0)).toBe(true)
  })

  test('has the largest alone and all others as one row, also of the period before', async () => {
    const dates = { startDate: '2026-10-28', endDate: '2026-11-01', timeZone: 'Asia/Shanghai' }
    const asked = {
      filter: {},
      dates,
      bucket: 'day',
      sort: 'requests',
      order: 'desc',
      compare: true,
    } as const
    const cuts: [Dimension[], (row: ReportRow) => unknown][] = [
      [['user'], ({ userId }) => userId],
      [['model', 'backend'], ({ model }) => model],
    ]
    for (const [dimensions, of] of cuts) {
      const all = await reportOf(db, { ...asked, dimensions }, ALL)
      const folded = await reportOf(db, { ...asked, dimensions, top: 1 }, ALL)
      const requests = new Map<unknown, number>()
      for (const row of all.rows) requests.set(of(row), (requests.get(of(row)) ?? 0) + row.requests)
      const [largest] = [...requests].sort(([, a], [, b]) => b - a)[0] ?? []
      expect(new Set(folded.rows.map(of))).toEqual(new Set([largest, undefined]))
      expect([folded.totals, folded.before]).toEqual([all.totals, all.before])
      const sums = (rows: ReportRow[]) => [
        rows.reduce((sum, row) => sum + row.costMicros, 0),
        rows.reduce((sum, row) => sum + (row.before?.costMicros ?? 0), 0),
      ]
      const rest = all.rows.filter((row) => of(row) !== largest)
      expect(sums(folded.rows.filter((row) => row.rest))[0]).toBe(sums(rest)[0])
      expect(sums(folded.rows.filter((row) => !row.rest))).toEqual(
        sums(all.rows.filter((row) => of(row) === largest)),
      )
    }
  })

  test('has the pages of a long list, in the order that was asked for', async () => {
    const dates = { startDate: '2026-10-20', endDate: '2026-11-05', timeZone: 'UTC' }
    const figure: Record<(typeof SORTS)[number], (row: ReportRow) => string | number> = {
      time: (row: ReportRow) => row.bucket.from,
      name: (row: ReportRow) => `${row.itcode}`,
      cost: (row: ReportRow) => row.costMicros,
      tokens: (row: ReportRow) => row.inputTokens + row.outputTokens + row.cacheReadTokens,
      requests: (row: ReportRow) => row.requests,
      errors: (row: ReportRow) => row.errors,
      saved: (row: ReportRow) => row.savedMicros,
    }
    for (const sort of SORTS) {
      for (const order of ['asc', 'desc'] as const) {
        const asked = {
          dimensions: ['user'],
          filter: {},
          bucket: 'day',
          dates,
          compare: false,
          sort,
          order,
        } as const
        const all = await reportOf(db, asked, ALL)
        const values = all.rows.map(figure[sort])
        const sorted = values.toSorted((a, b) => (a < b ? -1 : a > b ? 1 : 0))
        expect(values).toEqual(order === 'asc' ? sorted : sorted.toReversed())
        const second = await reportOf(db, asked, { skip: 10, take: 10 })
        expect(second.rows).toEqual(all.rows.slice(10, 20))
        expect(second.totals).toEqual(all.totals)
      }
    }
  })

  test('of a lead has the calls of their groups, and nothing else', async () => {
    await db.run(sql`insert into group_members (group_id, user_id, role, created_at)
      values (1, 3, 'lead', 1), (2, 3, 'member', 1), (2, 2, 'lead', 1)`)
    const dates = { startDate: '2026-10-20', endDate: '2026-11-05', timeZone: 'Asia/Kathmandu' }
    const asked = {
      dimensions: ['user', 'group'],
      bucket: 'none',
      dates,
      compare: false,
      sort: 'cost',
      order: 'desc',
    } as const
    const ofLead = async (filter: ReportFilter) =>
      (await reportOf(db, { ...asked, filter }, ALL)).rows.map(figuresOf)
    expect(await ofLead({ ledBy: 3 })).toEqual(await ofLead({ groupId: 1 }))
    expect((await ofLead({ ledBy: 3 })).length).toBe(3)
    expect(await ofLead({ ledBy: 3, groupId: 2 })).toEqual([])
    expect(await ofLead({ ledBy: 1 })).toEqual([])
    await db.run(sql`delete from group_members`)
  })
})

describe('the dates of a report', () => {
  test.each(BUCKETS)('by %s are buckets without gaps, from the first to the last ms', (bucket) => {
    for (const timeZone of [...ZONES, 'Africa/Cairo', 'Australia/Lord_Howe']) {
      const dates = reportDates({ endDate: '2026-11-05', timeZone }, bucket, 0)
      const spans = bucketsOf(dates, bucket)
      expect(spans[0]?.from).toBe(createCalendar(timeZone).startOf(dates.startDate))
      expect(spans.at(-1)?.to).toBe(createCalendar(timeZone).startOf('2026-11-06'))
      for (const [at, { from, to }] of spans.entries()) {
        expect(from).toBeLessThan(to)
        expect(spans[at + 1]?.from ?? to).toBe(to)
      }
    }
  })

  test('before whole months are as many months, otherwise as many days', () => {
    const earlier = (startDate: string, endDate: string) => {
      const { startDate: from, endDate: to } = datesBefore({ startDate, endDate, timeZone: 'UTC' })
      return `${from} ${to}`
    }
    expect(earlier('2026-03-01', '2026-03-31')).toBe('2026-02-01 2026-02-28')
    expect(earlier('2026-01-01', '2026-03-31')).toBe('2025-10-01 2025-12-31')
    expect(earlier('2026-03-05', '2026-03-11')).toBe('2026-02-26 2026-03-04')
    expect(earlier('2026-03-01', '2026-03-01')).toBe('2026-02-28 2026-02-28')
  })
})

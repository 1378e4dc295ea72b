/** How SQLite answers: the log is only ever entered through an index with bounds, and no sums are read from end to end. */
import { createClient } from '@libsql/client'
import { sql } from 'drizzle-orm'
import { drizzle } from 'drizzle-orm/libsql'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { migrate } from '../../../core/db/migrate.ts'
import * as schema from '../../../core/db/schema.ts'
import type { Db } from '../../../core/ports.ts'
import { backendStats } from '../../../core/reports/backend-stats.ts'
import { dailyChart, hourlyChart } from '../../../core/reports/charts.ts'
import type { Dimension, ReportFilter } from '../../../core/reports/grouped.ts'
import { type LogFilter, logPage, logsAfter } from '../../../core/reports/log-pages.ts'
import { modelsUsed } from '../../../core/reports/models-used.ts'
import type { Filter } from '../../../core/reports/query.ts'
import { ALL_TIME, daySpans, hoursOf, rangeOf } from '../../../core/reports/range.ts'
import { repairSums } from '../../../core/reports/repair.ts'
import { reportOf } from '../../../core/reports/report.ts'
import { summarize } from '../../../core/reports/summary.ts'
import { totalsByKey, totalsByUser } from '../../../core/reports/totals.ts'
import { sumUsage } from '../../../core/reports/usage-by.ts'
import { fillUsage, RARE } from '../../support/million.ts'

const NOW = Date.UTC(2026, 10, 23, 12)
const client = createClient({ url: ':memory:' })
const asked: { sql: string; params: unknown[] }[] = []
const db: Db = drizzle(client, {
  schema,
  logger: { logQuery: (sql, params) => void asked.push({ sql, params }) },
})

/** The steps of every query that an action asks. */
async function stepsOf(action: (db: Db) => Promise<unknown>): Promise<string[]> {
  asked.length = 0
  await action(db)
  const steps: string[] = []
  for (const { sql, params } of [...asked]) {
    // What drizzle binds is what the client takes.
    const args = params as (string | number | null)[]
    const { rows } = await client.execute({ sql: `explain query plan ${sql}`, args })
    steps.push(...rows.map(({ detail }) => String(detail)))
  }
  return steps
}

/** What may be read from end to end: lists that the query brought along, and what it made itself. */
const FREE =
  /^SCAN (\(subquery-\d+\)|CONSTANT ROW|usage_summed|json_each|span|slot|slots|ranked|hexed|led|told|summed|sorted|main|steps|looked|measured|listed|timed)( |$)/
const BOUNDED = [
  // How SQLite calls the one seek for the largest id.
  /^SEARCH usage_logs$/,
  /^SEARCH usage_logs USING INTEGER PRIMARY KEY /,
  /^SEARCH usage_logs USING (COVERING )?INDEX usage_logs_(user \(user_id=\? AND |created \()created_at>/,
  /^SEARCH usage_logs USING (COVERING )?INDEX usage_logs_session \(user_id=\? AND session=\? AND created_at>/,
  /^SEARCH usage_logs USING INDEX usage_logs_request_id_unique \(request_id=\?/,
  /^SEARCH usage_sums USING PRIMARY KEY \(cut=/,
  /^SEARCH usage_sums USING INDEX usage_sums_key \(api_key_id=/,
  /^SEARCH usage_by_group USING PRIMARY KEY \(cut=/,
  /^SEARCH usage_hourly USING PRIMARY KEY \(user_id=\? AND hour>/,
  /^SEARCH usage_hourly USING (COVERING )?INDEX usage_hourly_hour \(hour[=>]/,
  /^SEARCH usage_latency USING PRIMARY KEY \(unit=/,
  /^SEARCH (users|owners|api_keys|groups|group_members) /,
  /^SEARCH (earlier|times|times_before) USING AUTOMATIC COVERING INDEX \(place=\?/,
]

/** Steps whose work would grow with the log. */
function slow(steps: readonly string[]): string[] {
  return steps.filter(
    (step) => /^(SCAN|SEARCH) /.test(step) && ![FREE, ...BOUNDED].some((fine) => fine.test(step)),
  )
}

const FILTERS: Record<string, Filter> = {
  everything: {},
  'a model': { model: RARE },
  'a backend': { backend: 'claude-second' },
  'no backend': { backend: '' },
  'a model on a backend': { model: RARE, backend: 'claude-second' },
  'a user': { userId: 2 },
  'a key': { keyId: 2 },
  "a user's key": { userId: 2, keyId: 2 },
  "a user's model": { userId: 2, model: RARE },
  'a key, model and backend': { keyId: 2, model: RARE, backend: 'claude-second' },
}
const SEARCHES: Record<string, LogFilter> = {
  'what failed': { outcome: 'failed' },
  'one outcome': { outcome: 'upstream_cut' },
  'what failed of a model': { outcome: 'failed', model: RARE },
  'what failed of a user': { outcome: 'error', userId: 2 },
  'a session': { userId: 2, session: 'abc' },
  'what failed in a session': { userId: 2, session: 'abc', outcome: 'failed' },
  'a request': { requestId: 'req_1' },
  "a user's request": { requestId: 'req_1', userId: 2 },
}
const some = { startDate: '2026-10-02', endDate: '2026-11-05' }
const RANGES = {
  'all time': ALL_TIME,
  'UTC days': rangeOf({ ...some, timeZone: 'UTC' }),
  'days of Shanghai': rangeOf({ ...some, timeZone: 'Asia/Shanghai' }),
  'days of Kolkata': rangeOf({ ...some, timeZone: 'Asia/Kolkata' }),
  'an open end': rangeOf({ ...some, endDate: undefined, timeZone: 'Asia/Kolkata' }),
}
const CASES = Object.entries(FILTERS).flatMap(([what, filter]) =>
  Object.entries(RANGES).map(([when, range]) => ({ what, when, filter, range })),
)

describe('the plan', () => {
  beforeAll(async () => {
    await migrate(db)
    await fillUsage(db, 3_000, NOW)
  })
  afterAll(() => client.close())

  test.each(CASES)('of a list of $what in $when', async ({ filter, range }) => {
    const steps = [
      ...(await stepsOf((db) => logPage(db, filter, range, { page: 1, pageSize: 50 }))),
      ...(await stepsOf((db) => logPage(db, filter, range, { page: 3, pageSize: 20 }))),
      ...(await stepsOf((db) => logsAfter(db, filter, range, { cursor: null, take: 50 }))),
      ...(await stepsOf((db) =>
        logsAfter(db, filter, range, { cursor: { at: Date.UTC(2026, 9, 20, 10, 20), id: 9 }, take: 50 }),
      )),
    ]
    expect(slow(steps)).toEqual([])
    expect(steps.some((step) => step.startsWith('SEARCH usage_logs'))).toBe(true)
  })

  test.each(Object.entries(SEARCHES))('of a search in the log for %s', async (_what, filter) => {
    for (const range of Object.values(RANGES)) {
      const steps = [
        ...(await stepsOf((db) => logsAfter(db, filter, range, { cursor: null, take: 50 }))),
        ...(await stepsOf((db) =>
          logsAfter(db, filter, range, { cursor: { at: Date.UTC(2026, 9, 20, 10, 20), id: 9 }, take: 50 }),
        )),
      ]
      expect(slow(steps)).toEqual([])
    }
  })

  test.each(CASES)('of the summary of $what in $when', async ({ filter, range }) => {
    const steps = await stepsOf((db) => summarize(db, filter, range))
    expect(slow(steps)).toEqual([])
    expect(steps.some((step) => step.startsWith('SEARCH usage_sums'))).toBe(true)
  })

  test.each(
    Object.entries(FILTERS).flatMap(([what, filter]) =>
      ['UTC', 'Asia/Shanghai', 'Asia/Kolkata'].map((timeZone) => ({ what, filter, timeZone })),
    ),
  )('of the charts of $what in $timeZone', async ({ filter, timeZone }) => {
    const dates = { startDate: '2026-11-02', endDate: '2026-11-20', timeZone }
    const steps = [
      ...(await stepsOf((db) => dailyChart(db, filter, daySpans(dates, NOW)))),
      ...(await stepsOf((db) => hourlyChart(db, filter, hoursOf(dates, NOW)))),
    ]
    expect(slow(steps)).toEqual([])
    expect(steps.some((step) => /^SEARCH usage_(sums|hourly)/.test(step))).toBe(true)
  })

  test.each(Object.entries(RANGES))('of the statistics of backends in %s', async (_when, range) => {
    expect(slow(await stepsOf((db) => backendStats(db, range)))).toEqual([])
  })

  test.each(['UTC', 'Asia/Shanghai', 'Asia/Kolkata'])('of reports in %s', async (timeZone) => {
    const dates = { startDate: '2026-10-02', endDate: '2026-11-20', timeZone }
    const filters: ReportFilter[] = [{}, { userId: 2 }, { model: RARE }, { ledBy: 3, client: 'codex' }]
    const dimensions: Dimension[][] = [[], ['user', 'model'], ['key'], ['project']]
    const asked = { compare: true, isTimed: true, dates, sort: 'cost', order: 'desc' } as const
    for (const since of [0, Date.UTC(2026, 9, 20)]) {
      await db.run(sql`update usage_summed set grouped_since = ${since}`)
      for (const bucket of ['none', 'day', 'minute'] as const) {
        const days = bucket === 'minute' ? { ...dates, startDate: dates.endDate } : dates
        for (const filter of filters) {
          for (const each of dimensions) {
            const question = { ...asked, dates: days, dimensions: each, bucket, filter }
            const steps = await stepsOf((db) => reportOf(db, question, { skip: 0, take: 10 }))
            expect([bucket, filter, each, slow(steps)]).toEqual([bucket, filter, each, []])
          }
        }
      }
    }
    await db.run(sql`update usage_summed set grouped_since = 0`)
  })

  test('of totals', async () => {
    const ids = Array.from({ length: 200 }, (_, i) => i + 1)
    const start = Date.UTC(2026, 10, 1)
    const steps = [
      ...(await stepsOf((db) => totalsByKey(db, ids))),
      ...(await stepsOf((db) => totalsByUser(db, ids))),
      ...(await stepsOf((db) => modelsUsed(db))),
      ...(await stepsOf((db) => modelsUsed(db, 2))),
      ...(await stepsOf((db) => sumUsage(db, 'user', start))),
      ...(await stepsOf((db) => sumUsage(db, 'model', start))),
      ...(await stepsOf((db) => sumUsage(db, 'day', start))),
    ]
    expect(slow(steps)).toEqual([])
    expect(steps.filter((step) => step.startsWith('SEARCH usage_sums')).length).toBeGreaterThan(7)
  })

  test('of the comparison of sums with the log of the last hours', async () => {
    const steps = await stepsOf((db) => repairSums(db, NOW - 7_200_000))
    expect(slow(steps)).toEqual([])
    expect(steps).toContainEqual(expect.stringMatching(/^SEARCH usage_logs USING INDEX usage_logs_created/))
  })

  test('that would read the whole log is noticed', async () => {
    const all = await stepsOf((db) => db.select().from(schema.usageLogs))
    const ofUser = await stepsOf((db) =>
      db.query.usageLogs.findMany({ where: (t, { eq }) => eq(t.userId, 2) }),
    )
    const sums = await stepsOf((db) => db.$count(schema.usageSums))
    expect([slow(all), slow(ofUser), slow(sums)].map((steps) => steps.length)).toEqual([1, 1, 1])
  })
})

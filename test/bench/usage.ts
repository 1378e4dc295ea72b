/**
 * `node test/bench/usage.ts`: how long every question about usage takes on 10,000 and on 1,000,000 rows, each filled
 * into a file of its own. Milliseconds belong to the machine; the ratio says whether a question grows with the log.
 */
import { join } from 'node:path'
import { openFile } from '../../adapters/drivers/storage/libsql.ts'
import { migrate } from '../../core/db/migrate.ts'
import { usedByPeople } from '../../core/limits/caps.ts'
import { createPeriods } from '../../core/limits/period.ts'
import type { Db } from '../../core/ports.ts'
import { backendStats } from '../../core/reports/backend-stats.ts'
import { dailyChart, hourlyChart } from '../../core/reports/charts.ts'
import { logPage, logsAfter } from '../../core/reports/log-pages.ts'
import { ALL_TIME, daySpans, hoursOf, lastDays, rangeOf } from '../../core/reports/range.ts'
import { repairSums } from '../../core/reports/repair.ts'
import { recordText } from '../../core/reports/stored-record.ts'
import { summarize } from '../../core/reports/summary.ts'
import { totalsByKey, totalsByUser } from '../../core/reports/totals.ts'
import { sumUsage } from '../../core/reports/usage-by.ts'
import { writeRecords } from '../../core/reports/write.ts'
import { type Filled, fillUsage, MODELS, RARE } from '../support/million.ts'
import { callRecord } from '../support/records.ts'
import { temporaryFolder } from '../support/stores.ts'
import { median } from './measure.ts'

const SIZES = [10_000, 1_000_000]
const ROUNDS = 15
const NOW = Date.UTC(2026, 10, 23, 12)
const MONTH = Date.UTC(2026, 10, 1)

interface Opened extends Filled {
  db: Db
  rows: number
}
type Question = (opened: Opened) => Promise<unknown>

const open = { startDate: undefined, endDate: undefined }
const days = (timeZone: string) => daySpans({ ...open, timeZone }, NOW)
const allDays = (timeZone: string) => daySpans({ startDate: '2026-07-27', endDate: undefined, timeZone }, NOW)
const hours = (timeZone: string) => hoursOf({ startDate: '2026-10-21', endDate: '2026-11-20', timeZone }, NOW)
/** Begins and ends in the middle of months and, but in UTC, of UTC days. */
const odd = (timeZone: string) => rangeOf({ startDate: '2026-08-05', endDate: '2026-11-19', timeZone })
const first = { page: 1, pageSize: 50 }
const middle = (rows: number) => ({ page: Math.ceil(rows / 400), pageSize: 200 })
const late = (rows: number) => ({ page: Math.floor(rows / 200), pageSize: 200 })
const user = ({ userIds }: Opened) => ({ userId: userIds[0] })
const key = ({ keyIds }: Opened) => ({ keyId: keyIds.at(-1) })
const [OPUS] = MODELS

const QUESTIONS: Record<string, Question> = {
  'list, first page': ({ db }) => logPage(db, {}, ALL_TIME, first),
  'list, page in the middle': ({ db, rows }) => logPage(db, {}, ALL_TIME, middle(rows)),
  'list, last page': ({ db, rows }) => logPage(db, {}, ALL_TIME, late(rows)),
  'list of a model, first page': ({ db }) => logPage(db, { model: OPUS }, ALL_TIME, first),
  'list of a rare model': ({ db }) => logPage(db, { model: RARE }, ALL_TIME, { page: 1, pageSize: 200 }),
  'list of calls without a backend': ({ db }) => logPage(db, { backend: '' }, ALL_TIME, first),
  'list of the busiest user, first page': (on) => logPage(on.db, user(on), ALL_TIME, first),
  'list of the busiest user, deep page': (on) => logPage(on.db, user(on), ALL_TIME, late(on.rows / 10)),
  'list of a user and a rare model': (on) => logPage(on.db, { ...user(on), model: RARE }, ALL_TIME, first),
  'list of a key, Kolkata days': (on) => logPage(on.db, key(on), odd('Asia/Kolkata'), first),
  'slice of an export': ({ db }) => logsAfter(db, {}, ALL_TIME, { cursor: { at: MONTH, id: 0 }, take: 200 }),
  'slice of an export of a model': ({ db }) =>
    logsAfter(db, { model: OPUS }, ALL_TIME, { cursor: { at: MONTH, id: 0 }, take: 200 }),
  'daily, 30 days, UTC': ({ db }) => dailyChart(db, {}, days('UTC')),
  'daily, 30 days, Shanghai': ({ db }) => dailyChart(db, {}, days('Asia/Shanghai')),
  'daily, 120 days, UTC': ({ db }) => dailyChart(db, {}, allDays('UTC')),
  'daily, 120 days, Shanghai': ({ db }) => dailyChart(db, {}, allDays('Asia/Shanghai')),
  'daily, 120 days, Kolkata': ({ db }) => dailyChart(db, {}, allDays('Asia/Kolkata')),
  'daily of the busiest user, 30 days, Shanghai': (on) => dailyChart(on.db, user(on), days('Asia/Shanghai')),
  'daily of the busiest user, 120 days, Kolkata': (on) =>
    dailyChart(on.db, user(on), allDays('Asia/Kolkata')),
  'daily of a key, 120 days, Shanghai': (on) => dailyChart(on.db, key(on), allDays('Asia/Shanghai')),
  'hourly, last 24': ({ db }) => hourlyChart(db, {}, hoursOf({ ...open, timeZone: 'UTC' }, NOW)),
  'hourly, 31 days': ({ db }) => hourlyChart(db, {}, hours('UTC')),
  'hourly of the busiest user, 31 days, Kolkata': (on) => hourlyChart(on.db, user(on), hours('Asia/Kolkata')),
  'summary, this month': ({ db }) => summarize(db, {}, { from: MONTH, to: Date.UTC(2026, 11, 1) }),
  'summary, all time': ({ db }) => summarize(db, {}, ALL_TIME),
  'summary, odd range, Shanghai': ({ db }) => summarize(db, {}, odd('Asia/Shanghai')),
  'summary of a model, this month': ({ db }) =>
    summarize(db, { model: OPUS }, { from: MONTH, to: Date.UTC(2026, 11, 1) }),
  'summary of a model, odd range, Shanghai': ({ db }) => summarize(db, { model: OPUS }, odd('Asia/Shanghai')),
  'summary of a backend, odd range, Shanghai': ({ db }) =>
    summarize(db, { backend: 'claude-second' }, odd('Asia/Shanghai')),
  'summary of the busiest user, odd range, Kolkata': (on) => summarize(on.db, user(on), odd('Asia/Kolkata')),
  'backends, 30 days, Shanghai': ({ db }) => backendStats(db, lastDays(30, 'Asia/Shanghai', NOW)),
  'backends, odd range, Kolkata': ({ db }) => backendStats(db, odd('Asia/Kolkata')),
  'totals of all keys': ({ db, keyIds }) => totalsByKey(db, keyIds),
  'totals of all users': ({ db, userIds }) => totalsByUser(db, userIds),
  'use of all users this month': ({ db, userIds }) =>
    usedByPeople({ db, periods: createPeriods('UTC') }, userIds, 'monthly', MONTH),
  'command line, by user': ({ db }) => sumUsage(db, 'user', Date.UTC(2026, 9, 25)),
  'comparison of sums and log, 2 hours': ({ db }) => repairSums(db, Date.UTC(2026, 10, 23, 10)),
  'writing 1 call': ({ db, userIds }) => writeRecords(db, calls(1, userIds)),
  'writing 100 calls': ({ db, userIds }) => writeRecords(db, calls(100, userIds)),
}

let written = 0
function calls(count: number, userIds: readonly number[]): string[] {
  return Array.from({ length: count }, () => {
    written += 1
    const userId = userIds[written % userIds.length] ?? 0
    const model = MODELS[written % 3] ?? OPUS
    return recordText(
      callRecord({ userId, keyId: userId, model, latencyMs: written * 37, createdAt: NOW + written }),
    )
  })
}

async function measured(rows: number): Promise<Record<string, number>> {
  const folder = temporaryFolder()
  const { db, close } = await openFile(join(folder.path, 'usage.db'))
  await migrate(db)
  const opened = { db, rows, ...(await fillUsage(db, rows, NOW)) }
  const medians: Record<string, number> = {}
  for (const [name, ask] of Object.entries(QUESTIONS)) {
    const times: number[] = []
    for (let round = 0; round < ROUNDS; round++) {
      const start = performance.now()
      await ask(opened)
      times.push(performance.now() - start)
    }
    medians[name] = median(times)
  }
  close()
  folder.remove()
  return medians
}

const [small, large] = [await measured(SIZES[0] ?? 0), await measured(SIZES[1] ?? 0)]
console.table(
  Object.keys(QUESTIONS).map((question) => ({
    question,
    '10,000 rows, ms': Number(small[question]?.toFixed(1)),
    '1,000,000 rows, ms': Number(large[question]?.toFixed(1)),
    ratio: Number(((large[question] ?? 0) / (small[question] ?? 1)).toFixed(1)),
  })),
)

import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { limitSpent, limitState } from '../../../core/db/schema.ts'
import { parseOwner } from '../../../core/limits/owner.ts'
import { PERIODS } from '../../../core/limits/period.ts'
import { adoptPeriods } from '../../../core/limits/rebuild.ts'
import { spentOf } from '../../../core/limits/seed.ts'
import { recordText } from '../../../core/reports/stored-record.ts'
import { writeRecords } from '../../../core/reports/write.ts'
import { keptLogs } from '../../support/logs.ts'
import { memoryStore } from '../../support/memory-store.ts'
import { callRecord } from '../../support/records.ts'

/** 06:00 in Kathmandu (+05:45): the day began at 18:15 UTC of the day before, the week on Sunday 22 at that time. */
const NOW = Date.parse('2026-11-25T00:15:00Z')
const KATHMANDU = { timeZone: 'Asia/Kathmandu', period: 'monthly' } as const

let store: Awaited<ReturnType<typeof memoryStore>>
const logs = keptLogs()
beforeEach(async () => {
  store = await memoryStore()
  logs.lines.length = 0
  const call = (at: string, costMicros: number, billingGroupIds: [number, ...number[]] = [3, 2]) =>
    recordText(callRecord({ createdAt: Date.parse(at), costMicros, billingGroupIds }))
  await writeRecords(store.db, [
    call('2026-11-24T18:14:59Z', 1),
    call('2026-11-24T18:15:00Z', 10),
    call('2026-11-22T18:14:59Z', 100),
    call('2026-11-22T18:15:00Z', 1_000),
    call('2026-10-31T18:14:59Z', 10_000),
    call('2026-10-31T18:15:00Z', 100_000, [4]),
  ])
})
afterEach(() => store.close())
const adopt = (limits: Parameters<typeof adoptPeriods>[1] = KATHMANDU) =>
  adoptPeriods({ db: store.db, logger: logs }, limits, NOW)
/** Micro-dollars in the latest day, week and month that the owner used anything in. */
async function spentBy(owner: string) {
  const { spent } = await spentOf(store.db, [parseOwner(owner)], NOW)
  return PERIODS.map((period) => spent.find((row) => row.period === period)?.micros)
}

describe('where limits go by another time zone than before', () => {
  test('the current periods are counted again from the log, of every owner', async () => {
    await adopt()
    for (const owner of ['user:1', 'key:1', 'organisation:0']) {
      expect(await spentBy(owner)).toEqual([10, 1_011, 101_111, 111_111])
    }
    for (const group of ['group:3', 'group:2'])
      expect(await spentBy(group)).toEqual([10, 1_011, 1_111, 11_111])
    expect((await spentBy('group:4')).slice(2)).toEqual([100_000, 100_000])
    expect(logs.lines).toMatchObject([
      { event: 'limits.counted_again', fields: { from: 'UTC', to: 'Asia/Kathmandu' } },
    ])
  })

  test('no period that began later by the other zone is left', async () => {
    await adopt()
    const rows = await store.db.select().from(limitSpent)
    const latest = (period: string) =>
      Math.max(...rows.filter((row) => row.period === period).map(({ start }) => start))
    expect(['daily', 'weekly', 'monthly'].map((period) => new Date(latest(period)).toISOString())).toEqual([
      '2026-11-24T18:15:00.000Z',
      '2026-11-22T18:15:00.000Z',
      '2026-10-31T18:15:00.000Z',
    ])
  })

  test('it is done once, by one of the processes that start together', async () => {
    await Promise.all([adopt(), adopt(), adopt()])
    await adopt()
    expect(await spentBy('user:1')).toEqual([10, 1_011, 101_111, 111_111])
    expect(await store.db.select().from(limitState)).toMatchObject([{ timeZone: 'Asia/Kathmandu' }])
  })
})

test('a changed period is noted once, at the start after it, and not at the first of all', async () => {
  await adopt({ timeZone: 'UTC', period: 'monthly' })
  expect(logs.lines).toEqual([])
  await adopt({ timeZone: 'UTC', period: 'daily' })
  await adopt({ timeZone: 'UTC', period: 'daily' })
  expect(logs.lines).toMatchObject([
    { level: 'warn', event: 'limits.period_changed', fields: { from: 'monthly', to: 'daily' } },
  ])
  expect((await spentBy('user:1'))[0]).toBe(11)
})

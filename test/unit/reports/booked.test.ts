/** What limits and groups used = what the calls say of themselves, whatever was written, by whom and how often. */
import { sql } from 'drizzle-orm'
import fc from 'fast-check'
import { afterAll, beforeEach, describe, expect, test } from 'vitest'
import { limitSpent, usageByGroup, usageSummed } from '../../../core/db/schema.ts'
import { createPeriods } from '../../../core/limits/period.ts'
import { totalTokens } from '../../../core/metering/tokens.ts'
import type { CallRecord } from '../../../core/ports.ts'
import { GROUP_CUTS, groupUp } from '../../../core/reports/by-group.ts'
import { repairSums } from '../../../core/reports/repair.ts'
import { pruneSpent, repairSpent } from '../../../core/reports/repair-groups.ts'
import { parseRecord, recordText } from '../../../core/reports/stored-record.ts'
import { writeRecords } from '../../../core/reports/write.ts'
import { memoryStore } from '../../support/memory-store.ts'
import { callRecord } from '../../support/records.ts'

const { db, close } = await memoryStore()
afterAll(close)

const HOUR_MS = 3_600_000
const FIRST = Date.UTC(2026, 11, 27)
const ZONES = ['UTC', 'Asia/Kathmandu', 'America/New_York'].map(createPeriods)
const UTC = createPeriods('UTC')

/** The groups of a call that is booked to a group with these parents. */
const GROUPS: [number, ...number[]][] = [[0], [1], [2, 1], [3, 2, 1], [3, 1]]
const amount = fc.integer({ min: 0, max: 1_000 })
/** What is fixed when a call is admitted, whatever is told of it later. */
const admitted = fc.record({
  userId: fc.integer({ min: 1, max: 3 }),
  keyId: fc.integer({ min: 1, max: 2 }),
  model: fc.constantFrom('opus', 'sonnet'),
  client: fc.constantFrom('claude-code', 'other'),
  project: fc.constantFrom('', 'billing'),
  billingGroupIds: fc.constantFrom(...GROUPS),
  zone: fc.constantFrom(...ZONES),
  createdAt: fc.integer({ min: FIRST, max: FIRST + 10 * 24 * HOUR_MS }),
})
const ADMITTED = fc.sample(admitted, { numRuns: 40, seed: 7 }).map(({ zone, ...given }, n) => ({
  id: `req_${n}`,
  ...given,
  periodStarts: zone.startsAt(given.createdAt),
}))
const call: fc.Arbitrary<CallRecord> = fc
  .record({
    given: fc.constantFrom(...ADMITTED),
    backend: fc.constantFrom('a', ''),
    outcome: fc.constantFrom('ok', 'error', 'interrupted'),
    attempts: fc.integer({ min: 0, max: 2 }),
    inputTokens: amount,
    inputMicros: amount,
    savedMicros: fc.integer({ min: -500, max: 500 }),
    costMicros: amount,
  })
  .map(({ given, ...end }) => callRecord({ ...given, ...end }))
const batches = fc.array(fc.uniqueArray(call, { selector: ({ id }) => id, minLength: 1, maxLength: 20 }), {
  minLength: 1,
  maxLength: 4,
})

/** What is written of calls that several batches tell of: the first, unless it was taken for interrupted. */
function lastWordOf(written: readonly CallRecord[][]): CallRecord[] {
  const calls = new Map<string, CallRecord>()
  for (const record of written.flat()) {
    const before = calls.get(record.id)
    const isBetter =
      before?.outcome === 'interrupted' &&
      (record.outcome !== 'interrupted' || record.attempts > before.attempts)
    if (!before || isBetter) calls.set(record.id, record)
  }
  return [...calls.values()]
}

type Amounts = Record<string, [micros: number, tokens: number]>

function spentBy(calls: readonly CallRecord[]): Amounts {
  const amounts: Amounts = {}
  for (const record of calls) {
    const { userId, keyId, billingGroupIds, periodStarts } = record
    const groups = billingGroupIds.map((id) => `group:${id}`)
    for (const owner of [`user:${userId}`, `key:${keyId}`, ...groups, 'organisation:0']) {
      for (const [at, period] of ['daily', 'weekly', 'monthly', 'total'].entries()) {
        const name = `${owner} ${period} ${periodStarts[at] ?? 0}`
        const [micros, tokens] = amounts[name] ?? [0, 0]
        amounts[name] = [micros + record.costMicros, tokens + totalTokens(record)]
      }
    }
  }
  return amounts
}

/** Amounts of no calls stay behind where a call changed its mind. */
const nonZero = (amounts: Amounts) =>
  Object.fromEntries(Object.entries(amounts).filter(([, [micros, tokens]]) => micros > 0 || tokens > 0))

async function spent(): Promise<Amounts> {
  const rows = await db.select().from(limitSpent)
  return Object.fromEntries(
    rows.map(({ owner, period, start, micros, tokens }) => [`${owner} ${period} ${start}`, [micros, tokens]]),
  )
}

function groupsOf(calls: readonly CallRecord[]) {
  const sums: Record<string, number[]> = {}
  for (const record of calls) {
    const [group, ...parents] = record.billingGroupIds
    for (const [cut, { ms, users, keys, models, others }] of GROUP_CUTS) {
      const caller = [users ? record.userId : 0, keys ? record.keyId : 0]
      const place = others ? [record.backend, record.client, record.project] : ['', '', '']
      const target = [models ? record.model : '', ...place]
      const start = Math.floor(record.createdAt / ms) * ms
      const name = JSON.stringify([cut, start, group, parents.join(), ...caller, ...target])
      const figures = [1, Number(record.outcome !== 'ok'), record.costMicros, record.inputMicros]
      const added = [...figures, record.savedMicros, record.inputTokens]
      sums[name] = added.map((figure, at) => figure + (sums[name]?.[at] ?? 0))
    }
  }
  return sums
}

async function groups() {
  await db.batch(groupUp(db))
  const rows = await db.select().from(usageByGroup)
  return Object.fromEntries(
    rows.map((row) => {
      const caller = [row.userId, row.apiKeyId]
      const target = [row.model, row.backend, row.client, row.project]
      const name = [row.cut, row.start, row.billingGroupId, row.billingParents, ...caller, ...target]
      const figures = [row.requests, row.errors, row.costMicros, row.inputMicros, row.savedMicros]
      return [JSON.stringify(name), [...figures, row.inputTokens]]
    }),
  )
}

const texts = (records: readonly CallRecord[]) => records.map(recordText)

/** As a process of the release before writes: it knows the other sums alone. */
async function writeAsBefore(record: CallRecord) {
  await db.run(sql`insert into usage_logs (request_id, user_id, api_key_id, requested_model, model, backend, input_tokens,
    output_tokens, cache_read_tokens, cache_write_5m_tokens, cache_write_1h_tokens, cost_micros, status_code, outcome,
    estimated, unpriced, stream, attempts, latency_ms, created_at)
    values (${record.id}, ${record.userId}, ${record.keyId}, ${record.model}, ${record.model}, ${record.backend},
      ${record.inputTokens}, ${record.outputTokens}, ${record.cacheReadTokens}, ${record.cacheWrite5mTokens},
      ${record.cacheWrite1hTokens}, ${record.costMicros}, 200, ${record.outcome}, 0, 0, 0, ${record.attempts}, 0,
      ${record.createdAt})`)
  await db.update(usageSummed).set({ logId: sql`(select max(id) from usage_logs)` })
}

/** What a process of the release before knows of a call. */
const asBefore = (record: CallRecord): CallRecord => ({
  ...record,
  billingGroupIds: [0],
  client: '',
  project: '',
  inputMicros: 0,
  savedMicros: 0,
  periodStarts: UTC.startsAt(record.createdAt),
})

describe('what limits and groups used', () => {
  beforeEach(async () => {
    await db.run(sql`delete from usage_logs`)
    await db.run(sql`delete from limit_spent`)
    await db.run(sql`delete from usage_by_group`)
    await db.run(sql`update usage_summed set log_id = 0, spent_id = 0, grouped_id = 0`)
  })

  test('is what the records say, each call once, also when an interrupted one is corrected', async () => {
    await fc.assert(
      fc
        .asyncProperty(batches, async (written) => {
          for (const records of written) await writeRecords(db, texts(records))
          const calls = lastWordOf(written)
          expect(await groups()).toEqual(groupsOf(calls))
          expect(nonZero(await spent())).toEqual(nonZero(spentBy(calls)))
        })
        .beforeEach(async () => {
          for (const table of ['usage_logs', 'limit_spent', 'usage_by_group'])
            await db.run(sql.raw(`delete from ${table}`))
        }),
      { numRuns: 40 },
    )
  })

  test('has the calls of processes of the release before, in no group and by UTC, with the next write', async () => {
    const older = [1, 2].map((n) =>
      callRecord({ id: `old_${n}`, billingGroupIds: [3, 1], createdAt: FIRST + n * 20 * HOUR_MS }),
    )
    for (const record of older) await writeAsBefore(record)
    const own = callRecord({ billingGroupIds: [2, 1], client: 'other', createdAt: FIRST })
    await writeRecords(db, texts([own]))
    const calls = [...older.map(asBefore), own]
    expect(await groups()).toEqual(groupsOf(calls))
    expect(await spent()).toEqual(spentBy(calls))
  })

  test.each([true, false])(
    'moves to where a call was booked that the release before took for interrupted (others wrote in between: %s)',
    async (between) => {
      const [zone = UTC] = ZONES.slice(1)
      const createdAt = FIRST + 19 * HOUR_MS
      const record = callRecord({
        id: 'lost',
        client: 'claude-code',
        billingGroupIds: [3, 2, 1],
        periodStarts: zone.startsAt(createdAt),
        createdAt,
      })
      await writeAsBefore({ ...record, outcome: 'interrupted', costMicros: 3 })
      const other = callRecord({ client: 'other', createdAt: FIRST })
      if (between) await writeRecords(db, texts([other]))
      await writeRecords(db, texts([record]))
      const calls = [...(between ? [other] : []), record]
      expect(await groups()).toEqual(groupsOf(calls))
      expect(nonZero(await spent())).toEqual(spentBy(calls))
    },
  )

  test('of a call from before the groups is corrected in the sums that have it', async () => {
    const record = callRecord({ id: 'early', client: 'other', billingGroupIds: [1] })
    await writeAsBefore({ ...record, outcome: 'interrupted', costMicros: 3 })
    await db.run(sql`update usage_summed set spent_id = log_id, grouped_id = log_id, ungrouped_id = log_id`)
    await writeRecords(db, texts([record]))
    await db.run(sql`update usage_summed set ungrouped_id = 0`)
    expect(await groups()).toEqual(groupsOf([record]))
  })

  test('includes a journal of the release before', async () => {
    const record = asBefore(callRecord({ promptLosses: [], createdAt: FIRST + 5 * HOUR_MS }))
    const values: unknown[] = JSON.parse(recordText(record))
    const older = JSON.stringify(values.slice(0, 24))
    expect(parseRecord(older)).toMatchObject({ billingGroupIds: [0], client: '' })
    await writeRecords(db, [older])
    expect(await groups()).toEqual(groupsOf([record]))
    expect(await spent()).toEqual(spentBy([record]))
  })

  const DAMAGES = [
    ...[...GROUP_CUTS.keys()].map(
      (cut) => sql`update usage_by_group set saved_micros = saved_micros + 1 where cut = ${cut}`,
    ),
    sql`delete from usage_by_group where cut like 'full%'`,
    sql`update usage_by_group set billing_group_id = 9 where cut = 'caller_day' and billing_group_id = 1`,
    sql`delete from usage_by_group`,
  ]
  const some = () => fc.sample(call, { numRuns: 60, seed: 5 })
  const unique = () => [...new Map(some().map((record) => [record.id, record])).values()]

  test('is mended where it was changed', async () => {
    await repairSums(db, 0)
    const calls = unique()
    await writeRecords(db, texts(calls.slice(0, 20)))
    await db.batch(groupUp(db))
    await writeRecords(db, texts(calls.slice(20)))
    expect(await repairSums(db, 0)).toBe(false)
    for (const damage of DAMAGES) {
      await db.run(damage)
      expect(await repairSums(db, 0)).toBe(true)
      expect(await groups()).toEqual(groupsOf(calls))
      expect(await repairSums(db, 0)).toBe(false)
    }
  })

  test('of the current periods is mended, by the zone that limits go by', async () => {
    for (const zone of ZONES) {
      await db.run(sql`delete from usage_logs`)
      await db.run(sql`delete from limit_spent`)
      await repairSums(db, 0)
      const calls = unique().map(
        (record): CallRecord => ({ ...record, periodStarts: zone.startsAt(record.createdAt) }),
      )
      const now = Math.max(...calls.map(({ createdAt }) => createdAt))
      await writeRecords(db, texts(calls.slice(0, 9)))
      await db.batch(groupUp(db))
      await writeRecords(db, texts(calls.slice(9)))
      const right = await spent()
      expect(await repairSpent(db, zone, now)).toBe(false)
      for (const damage of [
        sql`update limit_spent set micros = micros + 1 where owner = 'group:1' and period = 'weekly'`,
        sql`update limit_spent set tokens = tokens - 1 where owner like 'user:%' and period = 'daily'`,
        sql`delete from limit_spent where owner = 'organisation:0' and period = 'monthly'`,
      ]) {
        await db.run(damage)
        expect(await repairSpent(db, zone, now)).toBe(true)
        expect(await repairSpent(db, zone, now)).toBe(false)
        const [day, week, month] = zone.startsAt(now)
        const current = [`daily ${day}`, `weekly ${week}`, `monthly ${month}`]
        for (const [name, amounts] of Object.entries(right)) {
          if (current.some((end) => name.endsWith(end)))
            expect([name, (await spent())[name]]).toEqual([name, amounts])
        }
      }
    }
  })

  test('goes when its period and the next one are over, but never of all time', async () => {
    const zone = ZONES[1] ?? UTC
    const created = ['2026-10-31', '2026-11-30', '2026-12-18', '2026-12-25', '2026-12-26', '2026-12-27']
    const calls = created.map((date) => {
      const createdAt = Date.parse(`${date}T12:00Z`)
      return callRecord({ createdAt, periodStarts: zone.startsAt(createdAt) })
    })
    await writeRecords(db, texts(calls))
    await pruneSpent(db, zone, Date.parse('2026-12-27T13:00Z'))
    const rows = await db.all<{ period: string; starts: number }>(
      sql`select period, count(*) as starts from limit_spent where owner = 'user:1' group by period order by period`,
    )
    expect(Object.fromEntries(rows.map(({ period, starts }) => [period, starts]))).toEqual({
      daily: 2,
      weekly: 2,
      monthly: 2,
      total: 1,
    })
  })
})

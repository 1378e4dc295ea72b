/** Reports and statements add up to the log, whatever runtime the gateway is on. */
import { eq, sql } from 'drizzle-orm'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createCalendar } from '../../core/calendar.ts'
import { usageLogs } from '../../core/db/schema.ts'
import { createPeriods } from '../../core/limits/period.ts'
import { groupUp } from '../../core/reports/by-group.ts'
import { repairSums } from '../../core/reports/repair.ts'
import { pruneSpent, repairSpent } from '../../core/reports/repair-groups.ts'
import { recordText } from '../../core/reports/stored-record.ts'
import { writeRecords } from '../../core/reports/write.ts'
import { type People, type Person, startPeople } from '../support/people.ts'
import { callRecord } from '../support/records.ts'
import type { Gateway, Runtime } from '../support/runtime.ts'

const FROM = Date.UTC(2026, 9, 20)
const DAY_MS = 86_400_000
const GROUPS: [number, ...number[]][] = [[0], [5], [6, 5]]
const WHEN = 'start_date=2026-10-15&end_date=2026-11-20'

/** Calls of five weeks, always the same, of three users, three groups and all that reports tell apart. */
function calls(users: readonly number[], from: number, to: number) {
  return Array.from({ length: to - from }, (_, at) => {
    const n = from + at
    const createdAt = FROM + n * 37_000_003
    return callRecord({
      id: `req_report_${n}`,
      userId: users[n % 3] ?? 0,
      keyId: 1 + (n % 2),
      model: ['opus', 'sonnet'][n % 2] ?? '',
      backend: ['a', 'b', ''][n % 3] ?? '',
      client: ['claude-code', 'codex'][n % 2] ?? '',
      project: ['', 'web'][n % 2] ?? '',
      billingGroupIds: GROUPS[n % 3] ?? [0],
      periodStarts: createPeriods('UTC').startsAt(createdAt),
      costMicros: 1_000 + n * n,
      inputMicros: 1_000,
      outputMicros: n * n,
      savedMicros: n - 20,
      latencyMs: 200 + ((n * 37) % 101),
      ttftMs: n % 5 === 0 ? null : (n * 53) % 89,
      stream: n % 4 !== 0,
      outcome: n % 7 === 0 ? 'error' : 'ok',
      createdAt,
    })
  })
}

interface TimedRow {
  user_id?: number
  model?: string
  timings: ReturnType<typeof timingsOf>
}
type LogRow = typeof usageLogs.$inferSelect
const CUTS: { cut: string; of: (call: LogRow, row: TimedRow) => boolean }[] = [
  { cut: '', of: () => true },
  { cut: 'user,model', of: (call, row) => call.userId === row.user_id && call.model === row.model },
]

/** What a report must tell of these calls, in the words of the API. */
function timingsOf(calls: readonly LogRow[]) {
  const timing = (values: number[]) => {
    const sorted = values.toSorted((a, b) => a - b)
    const at = (percent: number) => sorted[Math.ceil((sorted.length * percent) / 100) - 1] ?? null
    return { calls: sorted.length, p50_ms: at(50), p95_ms: at(95) }
  }
  return {
    first_byte: timing(calls.flatMap((call) => (call.stream && call.ttftMs !== null ? [call.ttftMs] : []))),
    duration: timing(calls.map((call) => call.latencyMs)),
  }
}

export function reportsContract({ name, start }: Runtime) {
  describe(`reports on ${name}`, () => {
    let people: People
    let gateway: Gateway
    let boss: Person
    let cost = 0
    beforeAll(async () => {
      people = await startPeople()
      gateway = await start({
        auth: { send_code_url: people.url },
        backends: [{ name: 'a', url: 'http://127.0.0.1:9' }],
      })
      boss = await people.signIn(gateway, 'boss', 'admin')
      const ann = await people.signIn(gateway, 'ann')
      const lea = await people.signIn(gateway, 'lea')
      const { db } = gateway
      await db.run(sql`insert into groups (id, name, source, bills, created_at, updated_at)
        values (5, 'sales', 'direct', 1, 1, 1), (6, 'field', 'direct', 1, 1, 1)`)
      await db.run(
        sql`insert into group_members (group_id, user_id, role, created_at) values (6, ${lea.id}, 'lead', 1)`,
      )
      const users = [ann.id, lea.id, boss.id]
      // Some of before the groups, some that are summed by group, and some that wait for it.
      await writeRecords(
        db,
        calls(users, 0, 20).map((record) =>
          recordText({ ...record, billingGroupIds: [0], client: '', project: '' }),
        ),
      )
      await db.run(
        sql`update usage_summed set grouped_id = log_id, ungrouped_id = log_id, grouped_since = ${FROM + 10 * DAY_MS}`,
      )
      await writeRecords(db, calls(users, 20, 50).map(recordText))
      await db.batch(groupUp(db))
      await writeRecords(db, calls(users, 50, 70).map(recordText))
      const rows = await db.select({ micros: usageLogs.costMicros }).from(usageLogs)
      cost = rows.reduce((sum, { micros }) => sum + micros, 0)
    })
    afterAll(async () => {
      await gateway?.stop()
      await people?.stop()
    })
    const micros = (rows: { cost_usd: number }[]) =>
      rows.reduce((sum, { cost_usd: usd }) => sum + Math.round(usd * 1_000_000), 0)

    test.each(['UTC', 'Asia/Kathmandu', 'America/New_York'])('add up to the log in %s', async (tz) => {
      const cuts = ['', 'user', 'group', 'key', 'model', 'backend', 'client', 'project', 'user,model']
      const questions = [
        ...cuts.map((cut) => ({ cut, bucket: 'day' })),
        ...['none', 'week', 'month'].flatMap((bucket) => ['', 'group'].map((cut) => ({ cut, bucket }))),
      ]
      for (const { cut, bucket } of questions) {
        const query = `${WHEN}&tz=${tz}&group_by=${cut}&bucket=${bucket}&compare=true&page_size=1000`
        const { status, body } = await boss.get(`/admin/api/reports?${query}`)
        expect([query, status]).toEqual([query, 200])
        expect([query, micros(body.rows), micros([body.totals])]).toEqual([query, cost, cost])
        expect(body.rows.length).toBe(body.total)
      }
    })

    test.each(['UTC', 'Asia/Kathmandu'])('tell how long calls took in %s', async (tz) => {
      const { db } = gateway
      const log = await db.select().from(usageLogs).where(eq(usageLogs.outcome, 'ok'))
      const { dateAt } = createCalendar(tz)
      for (const { cut, of } of CUTS) {
        const query = `group_by=${cut}&bucket=day&timings=true&compare=true&sort=duration_p95&page_size=1000`
        const { body } = await boss.get(`/admin/api/reports?${query}&${WHEN}&tz=${tz}`)
        expect(body.totals.timings).toEqual(timingsOf(log))
        expect(body.timings_every).toBe(1)
        for (const row of body.rows) {
          const calls = log.filter((call) => dateAt(call.createdAt) === row.bucket && of(call, row))
          expect([cut, row.bucket, row.timings]).toEqual([cut, row.bucket, timingsOf(calls)])
          expect(row.before.timings.duration.calls).toBe(0)
        }
        const slowest = body.rows.map((row: TimedRow) => row.timings.duration.p95_ms ?? -1)
        expect(slowest).toEqual(slowest.toSorted((a: number, b: number) => b - a))
      }
    })

    test('of all groups make statements that add up to the log', async () => {
      let sum = 0
      for (const month of ['2026-10', '2026-11']) {
        const { body } = await boss.get(`/admin/api/reports/statements?month=${month}`)
        for (const { group_id: id } of body.groups) {
          const statement = await boss.get(`/admin/api/reports/statements/${id}?month=${month}`)
          for (const list of ['by_user', 'by_model', 'by_project', 'by_day']) {
            expect(micros(statement.body[list])).toBe(micros([statement.body.totals]))
          }
          sum += micros([statement.body.totals])
        }
      }
      expect(sum).toBe(cost)
    })

    test('show a lead what was booked to their group, in a file, too', async () => {
      const lea = await people.signIn(gateway, 'lea')
      const { body } = await lea.get(`/api/reports?scope=led&group_by=group&${WHEN}`)
      expect(body.rows.map(({ group_name: group }: { group: string; group_name: string }) => group)).toEqual([
        'field',
      ])
      const { text } = await lea.get(`/api/reports/export?scope=led&group_by=user&bucket=day&${WHEN}`)
      expect(text.trim().split('\r\n').length).toBeGreaterThan(5)
    })

    test('have views that are saved, found by others, and removed', async () => {
      const wanted = { page: '/admin/explore', name: 'By group', query: 'by=group', shared: true }
      const { status, body } = await boss.post('/api/views', wanted)
      expect([status, body.view]).toMatchObject([201, wanted])
      const auditor = await people.signIn(gateway, 'reader', 'auditor')
      const found = await auditor.get('/api/views?page=/admin/explore')
      expect(found.body).toMatchObject({ views: [], shared: [{ name: 'By group', shared_by: 'boss' }] })
      expect((await auditor.delete(`/api/views/${body.view.id}`)).status).toBe(404)
      expect((await boss.delete(`/api/views/${body.view.id}`)).status).toBe(200)
    })

    test('come from sums that agree with the log, and are mended where they do not', async () => {
      const { db } = gateway
      const periods = createPeriods('UTC')
      const now = FROM + 69 * 37_000_003
      expect(await repairSums(db, 0)).toBe(false)
      expect(await repairSpent(db, periods, now)).toBe(false)
      await db.run(sql`update usage_by_group set cost_micros = cost_micros + 1 where cut = 'target_day'`)
      await db.run(
        sql`update limit_spent set micros = micros + 1 where owner = 'group:5' and period = 'monthly'`,
      )
      expect(await repairSums(db, 0)).toBe(true)
      expect(await repairSpent(db, periods, now)).toBe(true)
      expect(await repairSpent(db, periods, now)).toBe(false)
      expect(await pruneSpent(db, periods, now)).toBeGreaterThan(0)
    })
  })
}

import { sql } from 'drizzle-orm'
import { beforeEach, describe, expect, test } from 'vitest'
import type { CallRecord } from '../../core/ports.ts'
import { recordText } from '../../core/reports/stored-record.ts'
import { writeRecords } from '../../core/reports/write.ts'
import { type App, startApp } from '../support/app.ts'
import type { Person } from '../support/people.ts'
import { callRecord } from '../support/records.ts'

const at = (text: string) => Date.parse(text)
const WHEN = 'start_date=2026-11-01&end_date=2026-11-30'

describe('reports', () => {
  let app: App
  let ann: Person
  let lea: Person
  let boss: Person
  let calls: CallRecord[]
  beforeEach(async () => {
    app = await startApp({ limits: { time_zone: 'Asia/Kathmandu' } })
    ann = await app.signIn('ann')
    lea = await app.signIn('lea')
    boss = await app.signIn('boss', 'admin')
    await app.db.run(sql`insert into groups (id, name, source, bills, created_at, updated_at)
      values (5, 'sales', 'direct', 1, 1, 1), (6, '=cmd()', 'direct', 1, 1, 1)`)
    await app.db.run(sql`insert into group_members (group_id, user_id, role, created_at)
      values (5, ${lea.id}, 'lead', 1), (6, ${lea.id}, 'member', 1), (5, ${ann.id}, 'member', 1)`)
    const parts = { inputMicros: 300, outputMicros: 200, savedMicros: -40, costMicros: 500 }
    calls = [
      callRecord({
        userId: ann.id,
        billingGroupIds: [5],
        client: 'claude-code',
        createdAt: at('2026-11-02T18:20Z'),
        ...parts,
      }),
      callRecord({
        userId: ann.id,
        billingGroupIds: [6],
        client: 'codex',
        createdAt: at('2026-11-02T18:10Z'),
        costMicros: 7,
      }),
      callRecord({
        userId: lea.id,
        billingGroupIds: [5],
        project: 'x',
        createdAt: at('2026-11-09T01:00Z'),
        costMicros: 11,
      }),
      callRecord({ userId: boss.id, createdAt: at('2026-10-20T01:00Z'), costMicros: 13, outcome: 'error' }),
    ]
    await writeRecords(app.db, calls.map(recordText))
    return () => app.close()
  })

  const costs = (rows: { cost_usd: number }[]) => rows.map(({ cost_usd }) => Math.round(cost_usd * 1e6))

  test("have everybody's use by what is asked for, with names, totals and the period before", async () => {
    const { body } = await boss.get(`/admin/api/reports?group_by=user,group&compare=true&${WHEN}`)
    expect(body).toMatchObject({
      time_zone: 'Asia/Kathmandu',
      group_by: ['user', 'group'],
      total: 3,
      page: 1,
    })
    expect(body.from).toBe('2026-10-31T18:15:00.000Z')
    expect(body.rows[0]).toMatchObject({
      itcode: 'ann',
      group_name: 'sales',
      requests: 1,
      total_tokens: 36,
      cost_usd: 0.0005,
      input_usd: 0.0003,
      output_usd: 0.0002,
      saved_usd: -0.00004,
      before: { requests: 0 },
    })
    expect(costs(body.rows)).toEqual([500, 11, 7])
    expect(costs([body.totals])).toEqual([518])
    expect(body.before).toEqual({ requests: 1, total_tokens: 36, cost_usd: 0.000013, timings: null })
  })

  test('are by days of the zone that is named, else of limits.time_zone', async () => {
    const days = async (tz: string) => {
      const { body } = await boss.get(`/admin/api/reports?bucket=day&sort=time&order=asc&${WHEN}${tz}`)
      return body.rows.map((row: { bucket: string; requests: number }) => [row.bucket, row.requests])
    }
    expect(await days('')).toEqual([
      ['2026-11-02', 1],
      ['2026-11-03', 1],
      ['2026-11-09', 1],
    ])
    expect(await days('&tz=UTC')).toEqual([
      ['2026-11-02', 2],
      ['2026-11-09', 1],
    ])
  })

  test('show people their own calls, and leads those of the groups that they lead', async () => {
    const own = await ann.get(`/api/reports?group_by=group&${WHEN}`)
    expect(costs(own.body.rows)).toEqual([500, 7])
    expect((await ann.get(`/api/reports?user_id=${lea.id}&${WHEN}`)).body.totals.requests).toBe(2)
    expect((await ann.get(`/api/reports?scope=led&${WHEN}`)).body.totals.requests).toBe(0)
    const led = await lea.get(`/api/reports?scope=led&group_by=user&${WHEN}`)
    expect(led.body.rows.map(({ itcode }: { itcode: string }) => itcode)).toEqual(['ann', 'lea'])
    expect((await lea.get(`/api/reports?scope=led&group_id=6&${WHEN}`)).body.totals.requests).toBe(0)
    expect((await lea.get(`/api/reports?scope=led&user_id=${ann.id}&${WHEN}`)).body.totals.requests).toBe(1)
    expect((await lea.get(`/admin/api/reports?${WHEN}`)).status).toBe(403)
  })

  test('tell the hours of a week, each as often as it was, and all of them add up to the report', async () => {
    const query = `${WHEN.replace('11-30', '11-28')}&tz=Asia/Kathmandu`
    for (const [figure, field] of [
      ['cost', 'cost_usd'],
      ['tokens', 'total_tokens'],
      ['requests', 'requests'],
      ['errors', 'errors'],
    ] as const) {
      const { body } = await boss.get(`/admin/api/reports/week?${query}&figure=${figure}`)
      const { body: report } = await boss.get(`/admin/api/reports?${query}`)
      const all: number = body.week.flat().reduce((sum: number, each: number) => sum + each, 0)
      expect([body.week.length, body.week.every((day: number[]) => day.length === 24)]).toEqual([7, true])
      expect(all).toBeCloseTo(report.totals[field], 9)
    }
    // 18:20 in London is five past midnight of the Tuesday in Kathmandu.
    const own = await ann.get(`/api/reports/week?${query}&figure=requests`)
    expect(own.body.week[1][0]).toBe(1)
    expect((await lea.get(`/api/reports/week?${query}&figure=requests`)).body.week[1][0]).toBe(0)
    expect((await lea.get(`/api/reports/week?scope=led&${query}&figure=requests`)).body.week[1][0]).toBe(1)
    expect((await lea.get(`/admin/api/reports/week?${query}`)).status).toBe(403)
    const slow = await ann.get(
      '/api/reports/week?start_date=2026-11-02&end_date=2026-11-08&figure=duration_p50&tz=Asia/Kathmandu',
    )
    expect(slow.body.week[1][0]).toBe(calls[0]?.latencyMs)
    const refused = await ann.get(`/api/reports/week?${query}&figure=duration_p50`)
    expect([refused.status, Object.keys(refused.body.error.fields)]).toEqual([400, ['start_date']])
  })

  test('are files with all rows, in which no name is a formula', async () => {
    const { text, headers } = await boss.get(`/admin/api/reports/export?group_by=group&compare=true&${WHEN}`)
    expect(headers.get('content-type')).toContain('text/csv')
    const [head, ...lines] = text.trim().split('\r\n')
    expect(head).toMatch(/^bucket,from,to,group_id,group_name,requests,.*,before_cost_usd$/)
    expect(lines.length).toBe(2)
    expect(text).toContain(",'=cmd(),")
    const own = await ann.get(`/api/reports/export?group_by=model&${WHEN}`)
    expect(own.text.trim().split('\r\n').length).toBe(2)
  })

  test('name what is wrong with a question', async () => {
    const bad: [string, string][] = [
      ['group_by=name', 'group_by'],
      ['group_by=user,user', 'group_by'],
      ['group_by=user,model,key', 'group_by'],
      ['bucket=year', 'bucket'],
      ['bucket=minute&start_date=2026-11-01&end_date=2026-11-02', 'start_date'],
      ['bucket=day&start_date=2025-11-01&end_date=2026-11-30', 'start_date'],
      ['tz=Mars', 'tz'],
      ['sort=id', 'sort'],
      ['page_size=1001', 'page_size'],
      ['compare=1', 'compare'],
    ]
    for (const [query, field] of bad) {
      for (const path of ['/api/reports', '/admin/api/reports']) {
        const answer = await boss.get(`${path}?${query}`)
        expect([path, query, answer.status, Object.keys(answer.body.error.fields)]).toEqual([
          path,
          query,
          400,
          [field],
        ])
      }
    }
  })

  test('tell what a month cost every group, and the statements add up to it', async () => {
    const { body } = await boss.get('/admin/api/reports/statements?month=2026-11')
    expect(costs([body.totals])).toEqual([518])
    const ids: number[] = body.groups.map(({ group_id }: { group_id: number }) => group_id)
    expect(ids).toEqual([5, 6])
    let sum = 0
    for (const id of ids) {
      const { body: one } = await boss.get(`/admin/api/reports/statements/${id}?month=2026-11`)
      const [total = 0] = costs([one.totals])
      for (const list of [one.by_user, one.by_model, one.by_project, one.by_day]) {
        expect(costs(list).reduce((all, each) => all + each, 0)).toBe(total)
      }
      sum += total
    }
    expect(sum).toBe(518)
    // Groups without calls in a month are in no row of it, but in what the month before came to.
    const december = await boss.get('/admin/api/reports/statements?month=2026-12')
    expect([december.body.groups, costs([december.body.before])]).toEqual([[], [518]])
    const october = await boss.get('/admin/api/reports/statements/0?month=2026-10')
    expect(october.body).toMatchObject({ group: { name: 'unassigned' }, totals: { errors: 1 } })
  })

  test('give a lead the statement of their group, and say that no other exists', async () => {
    const { body } = await lea.get('/api/reports/statements/5?month=2026-11')
    expect(costs([body.totals])).toEqual([511])
    for (const [person, group] of [
      [lea, 6],
      [ann, 5],
      [boss, 5],
      [lea, 77],
    ] as const) {
      expect((await person.get(`/api/reports/statements/${group}?month=2026-11`)).status).toBe(404)
    }
    expect((await boss.get('/admin/api/reports/statements/77?month=2026-11')).status).toBe(404)
  })
})

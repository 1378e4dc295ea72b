/** A company of three hundred people in twelve departments over a month, whatever runtime the gateway is on. */
import { eq, sql } from 'drizzle-orm'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { sha256 } from '../../adapters/drivers/sha256.ts'
import { COMMAND_LINE } from '../../core/audit/record.ts'
import { systemClock } from '../../core/clock.ts'
import { groups, usageLogs, users } from '../../core/db/schema.ts'
import { createKey } from '../../core/keys/manage.ts'
import { createPeriods } from '../../core/limits/period.ts'
import { recordText } from '../../core/reports/stored-record.ts'
import { writeRecords } from '../../core/reports/write.ts'
import { type People, type Person, startPeople } from '../support/people.ts'
import { callRecord } from '../support/records.ts'
import type { Gateway, Runtime } from '../support/runtime.ts'
import { type FakeUpstream, messageJson, messageStream, startUpstream } from '../support/upstream.ts'

const DEPARTMENTS = 12
const PEOPLE_EACH = 25
const ASK = { model: 'claude-opus-5-5', max_tokens: 10, messages: [{ role: 'user', content: 'hi' }] }
/** 249,900 input tokens at 4 and 20 output tokens at 20 micro-dollars: a call costs a dollar. */
const DOLLAR = { input_tokens: 249_900, output_tokens: 20 }
const SEEN = { timeout: 15_000 }
const MINUTES = 180_000

const nameOf = (department: number, person: number) => `p${department}-${person}`
const departmentOf = (department: number) => `Department ${department}`

export function companyContract({ name, start }: Runtime) {
  describe(`a company on ${name}`, () => {
    let people: People
    let upstream: FakeUpstream
    let gateway: Gateway
    let boss: Person
    const groupIds = new Map<string, number>()
    const userIds = new Map<string, number>()

    beforeAll(async () => {
      people = await startPeople()
      upstream = await startUpstream()
      gateway = await start({
        backends: [{ name: 'a', url: upstream.url }],
        auth: { send_code_url: people.url, admin_itcode: 'boss' },
        server: { public_url: '' },
      })
      boss = await people.signIn(gateway, 'boss')
      await makeCompany()
      await liveThroughLastMonth()
    }, MINUTES)
    afterAll(async () => {
      await gateway?.stop()
      await upstream?.stop()
      await people?.stop()
    })
    beforeEach(() => {
      upstream.reset()
      upstream.answer({
        headers: { 'content-type': 'application/json' },
        chunks: [messageJson({ usage: DOLLAR })],
      })
    })

    async function makeGroup(group: object): Promise<void> {
      const made = await boss.post('/admin/api/groups', group)
      expect(made.status).toBe(201)
      groupIds.set(made.body.group.name, made.body.group.id)
    }
    /** Three divisions of four departments; the first person of each department leads it. */
    async function makeCompany() {
      for (let division = 0; division < DEPARTMENTS / 4; division++)
        await makeGroup({ name: `Division ${division}` })
      for (let i = 0; i < DEPARTMENTS; i++) {
        const parent = groupIds.get(`Division ${Math.floor(i / 4)}`)
        await makeGroup({ name: departmentOf(i), parent_id: parent, lead_max_usd: 10, priority: 50 })
      }
      const now = Date.now()
      const everybody = Array.from({ length: DEPARTMENTS * PEOPLE_EACH }, (_, i) =>
        nameOf(Math.floor(i / PEOPLE_EACH), i % PEOPLE_EACH),
      )
      await gateway.db.run(sql`insert into users (itcode, name, role, status, created_at, updated_at)
        select value, value, 'user', 'active', ${now}, ${now} from json_each(${JSON.stringify(everybody)})`)
      for (const { id, itcode } of await gateway.db.select().from(users)) userIds.set(itcode, id)
      const members = everybody.map((itcode, i) => [
        groupIds.get(departmentOf(Math.floor(i / PEOPLE_EACH))),
        userIds.get(itcode),
        i % PEOPLE_EACH === 0 ? 'lead' : 'member',
      ])
      await gateway.db.run(sql`insert into group_members (group_id, user_id, role, created_at)
        select value->>0, value->>1, value->>2, ${now} from json_each(${JSON.stringify(members)})`)
    }
    /** Everybody called ten times last month, for odd amounts; each tenth call failed. */
    async function liveThroughLastMonth() {
      const month = createPeriods('UTC').spanOf('monthly', Date.now()).start - 15 * 86_400_000
      const records = Array.from({ length: DEPARTMENTS * PEOPLE_EACH * 10 }, (_, i) => {
        const department = Math.floor(i / 10 / PEOPLE_EACH)
        return callRecord({
          userId: userIds.get(nameOf(department, Math.floor(i / 10) % PEOPLE_EACH)) ?? 0,
          billingGroupIds: [
            groupIds.get(departmentOf(department)) ?? 0,
            groupIds.get(`Division ${Math.floor(department / 4)}`) ?? 0,
          ],
          costMicros: (i * 7_919) % 1_000_003,
          outcome: i % 10 === 0 ? 'error' : 'ok',
          createdAt: month + i * 60_000,
          project: i % 3 === 0 ? 'apollo' : '',
        })
      })
      for (let i = 0; i < records.length; i += 500) {
        await writeRecords(gateway.db, records.slice(i, i + 500).map(recordText))
      }
    }

    const idOf = (group: string) => groupIds.get(group) ?? -1
    const keyOf = async (itcode: string) => {
      const parts = { db: gateway.db, clock: systemClock, actor: COMMAND_LINE, sha256 }
      const { secret } = await createKey(parts, {
        userId: userIds.get(itcode) ?? 0,
        name: 'laptop',
        expiresAt: null,
      })
      const isKnown = async () => {
        const path = '/v1/messages/count_tokens'
        return (await gateway.send({ ...ASK, max_tokens: undefined }, { key: secret, path })).status
      }
      await expect.poll(isKnown, SEEN).toBe(200)
      return secret
    }
    const call = async (key: string) => {
      const answer = await gateway.send(ASK, { key })
      const text = await answer.text()
      return { status: answer.status, headers: answer.headers, text }
    }
    const setLimit = async (scope: string, scopeId: number, period: string, usd: number | null) => {
      const limit = { scope, scope_id: scopeId, period, amount_usd: usd }
      expect((await boss.put('/admin/api/limits', limit)).status).toBe(200)
    }
    /** Another process may let a call pass, or not know a key, until it has read what changed, within a second. */
    const refusalOf = async (key: string) => {
      let last = await call(key)
      const status = async () => {
        if (last.status !== 429) last = await call(key)
        return last.status
      }
      await expect.poll(status, SEEN).toBe(429)
      return last
    }
    const streamed = async (key: string) => {
      const open = () => gateway.send({ ...ASK, stream: true }, { key })
      let answer = await open()
      const status = async () => {
        if (answer.status !== 200) answer = await open()
        return answer.status
      }
      await expect.poll(status, SEEN).toBe(200)
      return answer
    }
    const passes = (key: string) => expect.poll(async () => (await call(key)).status, SEEN).toBe(200)

    test(
      'a department that runs out is refused by its pool, and goes on when it is raised',
      async () => {
        // One after the other: a Lambda would have a process for each.
        const keys: string[] = []
        for (const person of [1, 2, 3]) keys.push(await keyOf(nameOf(0, person)))
        await setLimit('group_pool', idOf(departmentOf(0)), 'monthly', 3)
        const other = await keyOf(nameOf(0, 4))
        for (const key of keys) await passes(key)
        const refused = await refusalOf(other)
        expect(refused.status).toBe(429)
        expect(JSON.parse(refused.text).error.type).toBe('billing_error')
        expect(refused.headers.get('anthropic-ratelimit-unified-overage-scope')).toBe('group_pool')
        expect(refused.headers.get('x-should-retry')).toBe('false')
        await setLimit('group_pool', idOf(departmentOf(0)), 'monthly', 50)
        await passes(other)
        // What its departments spend together counts against the division.
        await setLimit('group_pool', idOf('Division 0'), 'monthly', 5)
        const neighbour = await keyOf(nameOf(1, 1))
        const { headers } = await refusalOf(neighbour)
        expect(headers.get('anthropic-ratelimit-unified-overage-scope')).toBe('group_pool')
        await setLimit('group_pool', idOf('Division 0'), 'monthly', null)
        await passes(neighbour)
      },
      MINUTES,
    )

    test(
      'who has spent what each member may asks for more; their lead grants it, and nobody else',
      async () => {
        await setLimit('group_each', idOf(departmentOf(4)), 'daily', 2)
        const key = await keyOf(nameOf(4, 1))
        for (let i = 0; i < 2; i++) await passes(key)
        const refused = await refusalOf(key)
        expect([refused.status, refused.headers.get('anthropic-ratelimit-unified-overage-period')]).toEqual([
          429,
          'daily',
        ])
        expect(refused.headers.get('anthropic-ratelimit-unified-overage-scope')).toBe(null)
        const person = await people.signIn(gateway, nameOf(4, 1))
        const asked = await person.post('/api/requests', {
          period: 'daily',
          amount_usd: 9,
          reason: 'a deadline',
        })
        expect(asked.status).toBe(201)
        const decision = `/api/queue/requests/${asked.body.request.id}`
        expect((await person.put(decision, { status: 'approved' })).status).toBeGreaterThanOrEqual(400)
        const stranger = await people.signIn(gateway, nameOf(5, 0))
        expect((await stranger.put(decision, { status: 'approved' })).status).toBe(404)
        const lead = await people.signIn(gateway, nameOf(4, 0))
        expect((await lead.get('/api/queue')).body.requests).toHaveLength(1)
        expect((await lead.put(decision, { status: 'approved', amount_usd: 11 })).status).toBe(400)
        expect((await lead.put(decision, { status: 'approved' })).status).toBe(200)
        await passes(key)
        await refusalOf(key)
      },
      MINUTES,
    )

    test(
      'who changes departments takes along what they spent, and leaves what was booked',
      async () => {
        const mover = nameOf(6, 1)
        const key = await keyOf(mover)
        await passes(key)
        const [from, to] = [idOf(departmentOf(6)), idOf(departmentOf(9))]
        const member = `members/${userIds.get(mover)}`
        expect((await boss.put(`/admin/api/groups/${to}/${member}`, {})).status).toBe(200)
        expect((await boss.delete(`/admin/api/groups/${from}/${member}`)).status).toBe(200)
        const booked = async () => {
          await call(key)
          const rows = await gateway.db
            .select()
            .from(usageLogs)
            .where(eq(usageLogs.userId, userIds.get(mover) ?? 0))
            .orderBy(usageLogs.id)
          return rows.map(({ billingGroupId }) => billingGroupId).slice(10)
        }
        await expect.poll(async () => (await booked()).at(-1), SEEN).toBe(to)
        expect((await booked())[0]).toBe(from)
      },
      MINUTES,
    )

    test(
      'who leaves in mid-stream gets the end of it, which is booked, and nothing more',
      async () => {
        const leaver = nameOf(7, 1)
        const key = await keyOf(leaver)
        const [first = '', ...rest] = messageStream({ usage: { input_tokens: 1_000 } })
        const gone = Promise.withResolvers<void>()
        upstream.answer({ chunks: [first, gone.promise, ...rest] })
        const answer = await streamed(key)
        const reader = answer.body?.getReader()
        await reader?.read()
        expect(
          (await boss.put(`/admin/api/users/${userIds.get(leaver)}`, { status: 'disabled' })).status,
        ).toBe(200)
        gone.resolve()
        let text = ''
        for (let chunk = await reader?.read(); chunk && !chunk.done; chunk = await reader?.read()) {
          text += new TextDecoder().decode(chunk.value)
        }
        expect(text).toContain('message_stop')
        expect(await gateway.rowOf(answer)).toMatchObject({
          outcome: 'ok',
          billingGroupId: idOf(departmentOf(7)),
        })
        await expect.poll(async () => (await call(key)).status, SEEN).toBe(403)
      },
      MINUTES,
    )

    test(
      'the statements of all departments add up to the log, to the micro-dollar',
      async () => {
        const periods = createPeriods('UTC')
        const { start } = periods.spanOf('monthly', Date.now())
        const months = [start - 1, start].map((at) => new Date(at).toISOString().slice(0, 7))
        const bounds = [periods.spanOf('monthly', start - 1).start, start, Number.MAX_SAFE_INTEGER]
        for (const [i, month] of months.entries()) {
          const { body } = await boss.get(`/admin/api/reports/statements?month=${month}&tz=UTC`)
          const logged = await gateway.db
            .select({
              group: usageLogs.billingGroupId,
              micros: sql<number>`sum(${usageLogs.costMicros})`.mapWith(Number),
              requests: sql<number>`count(*)`.mapWith(Number),
            })
            .from(usageLogs)
            .where(sql`${usageLogs.createdAt} >= ${bounds[i]} and ${usageLogs.createdAt} < ${bounds[i + 1]}`)
            .groupBy(usageLogs.billingGroupId)
          const told = body.groups.map((row: { group_id: number; cost_usd: number; requests: number }) => ({
            group: row.group_id,
            micros: Math.round(row.cost_usd * 1e6),
            requests: row.requests,
          }))
          const byGroup = (one: { group: number }, other: { group: number }) => one.group - other.group
          expect(told.sort(byGroup)).toEqual(logged.sort(byGroup))
          const total = logged.reduce((sum, { micros }) => sum + micros, 0)
          expect(Math.round(body.totals.cost_usd * 1e6)).toBe(total)
          for (const { group, micros } of logged) {
            const { body: one } = await boss.get(
              `/admin/api/reports/statements/${group}?month=${month}&tz=UTC`,
            )
            expect(Math.round(one.totals.cost_usd * 1e6)).toBe(micros)
            const people = one.by_user.reduce(
              (sum: number, row: { cost_usd: number }) => sum + row.cost_usd * 1e6,
              0,
            )
            expect(Math.round(people)).toBe(micros)
          }
        }
        expect(await gateway.db.$count(groups)).toBe(1 + DEPARTMENTS + DEPARTMENTS / 4)
      },
      MINUTES,
    )
  })
}

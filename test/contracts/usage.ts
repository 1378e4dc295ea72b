/** What was used, as its owner and administrators see it, whatever runtime the gateway is on. */
import { eq, sql } from 'drizzle-orm'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { auditEvents, usageLogs } from '../../core/db/schema.ts'
import { repairSums } from '../../core/reports/repair.ts'
import { type People, startPeople } from '../support/people.ts'
import type { Gateway, Runtime } from '../support/runtime.ts'
import { FORMULA, type UsagePeople, usagePeople } from '../support/usage-people.ts'

const at = (text: string) => Date.parse(text)
const OWN = ['', '/daily', '/hourly', '/summary', '/export'].map((path) => `/api/usage${path}`)
const ALL = OWN.map((path) => `/admin${path}`)

/** A CSV file without quoted line ends, as objects. */
function parsed(text: string): Record<string, string>[] {
  const [head = [], ...rows] = text
    .trimEnd()
    .split('\r\n')
    .map((line) =>
      [...line.matchAll(/("(?:[^"]|"")*"|[^,]*)(?:,|$)/g)]
        .slice(0, line.endsWith(',') ? undefined : -1)
        .map(([, cell = '']) => (cell.startsWith('"') ? cell.slice(1, -1).replaceAll('""', '"') : cell)),
    )
  return rows.map((row) => Object.fromEntries(head.map((name, i) => [name, row[i] ?? ''])))
}

export function usageContract({ name, start }: Runtime) {
  describe(`usage on ${name}`, () => {
    let people: People
    let gateway: Gateway
    let scene: UsagePeople
    beforeAll(async () => {
      people = await startPeople()
      gateway = await start({
        auth: { send_code_url: people.url },
        backends: [{ name: 'a', url: 'http://127.0.0.1:9' }],
      })
      scene = await usagePeople(gateway.db, (itcode, role) => people.signIn(gateway, itcode, role))
    })
    afterAll(async () => {
      await gateway?.stop()
      await people?.stop()
    })
    beforeEach(async () => {
      await gateway.db.delete(usageLogs)
      await repairSums(gateway.db, 0)
      await scene.renewKey()
    })

    test('a row shows everything of its call, and the name of a key that was deleted', async () => {
      const { ann, annKey, write, ofAnn } = scene
      const parts = { inputMicros: 1_234_000, outputMicros: 567, savedMicros: -500_000, webSearches: 2 }
      const named = { client: 'codex', project: 'web', serviceTier: 'standard', speed: 'fast', geo: 'eu' }
      const record = ofAnn({
        outcome: 'upstream_cut',
        estimated: true,
        costMicros: 1_234_567,
        ttftMs: null,
        billingGroupIds: [3, 1],
        contextWindow: '0-200k',
        ...parts,
        ...named,
      })
      await write([record])
      await ann.delete(`/api/keys/${annKey}`)
      const { body } = await ann.get('/api/usage')
      expect(body).toEqual({
        logs: [
          {
            id: expect.any(Number),
            request_id: record.id,
            user_id: ann.id,
            itcode: 'ann',
            api_key_id: annKey,
            key_name: FORMULA,
            model: 'claude-opus-5-5',
            backend: 'a',
            input_tokens: 10,
            output_tokens: 20,
            cache_read_tokens: 3,
            cache_write_5m_tokens: 2,
            cache_write_1h_tokens: 1,
            total_tokens: 36,
            cost_usd: 1.234567,
            status_code: 200,
            outcome: 'upstream_cut',
            estimated: true,
            stream: true,
            latency_ms: 100,
            ttft_ms: null,
            created_at: '2026-11-23T12:30:00.000Z',
            billing_group_id: 3,
            client: 'codex',
            project: 'web',
            input_usd: 1.234,
            output_usd: 0.000567,
            cache_read_usd: 0,
            cache_write_5m_usd: 0,
            cache_write_1h_usd: 0,
            server_tool_usd: 0,
            saved_usd: -0.5,
            web_searches: 2,
            service_tier: 'standard',
            speed: 'fast',
            geo: 'eu',
            context_window: '0-200k',
            session: null,
          },
        ],
        total: 1,
        page: 1,
        page_size: 50,
        next_cursor: null,
      })
    })

    test("Z03: no list, chart, summary or file of a user holds anybody else's rows", async () => {
      const { ann, bobKey, write, ofAnn, ofBob } = scene
      const createdAt = Date.now()
      await write([ofAnn({ createdAt, costMicros: 1 }), ofBob({ createdAt, costMicros: 1_000 })])
      for (const query of ['', `?key_id=${bobKey}`, '?model=claude-opus-5-5']) {
        const own = query.includes('key_id') ? 0 : 1
        const answers = await Promise.all(OWN.map((path) => ann.get(`${path}${query}`)))
        for (const { text } of answers) expect(text).not.toMatch(/bob|0\.001/)
        const [list, daily, hourly, summary, file] = answers
        expect([list?.body.total, list?.body.logs.length]).toEqual([own, own])
        expect([daily?.body.stats.length, hourly?.body.stats.length]).toEqual([own, own])
        expect(summary?.body.totals.requests).toBe(own)
        expect(parsed(file?.text ?? '').map(({ itcode }) => itcode)).toEqual(own ? ['ann'] : [])
      }
    })

    test('Z04: a user cannot ask for others or for backends, an administrator can', async () => {
      const { ann, bob, boss, annKey, write, ofAnn, ofBob } = scene
      const createdAt = Date.now()
      await write([ofAnn({ createdAt }), ofBob({ createdAt }), ofBob({ createdAt, backend: '' })])
      for (const path of OWN) {
        for (const field of ['user_id', 'backend']) {
          const answer = await ann.get(`${path}?${field}=${bob.id}`)
          expect([answer.status, answer.body.error.fields]).toEqual([
            400,
            { [field]: 'this field is not known' },
          ])
        }
      }
      const totals = async (query: string) => (await boss.get(`/admin/api/usage${query}`)).body.total
      expect(await totals('')).toBe(3)
      expect(await totals(`?user_id=${bob.id}`)).toBe(2)
      expect(await totals('?backend=b')).toBe(1)
      expect(await totals('?backend=')).toBe(1)
      expect(await totals(`?key_id=${annKey}`)).toBe(1)
      expect(await totals(`?key_id=${annKey}&user_id=${bob.id}`)).toBe(0)
      expect(await totals('?key_id=99')).toBe(0)
      const [, daily, hourly] = await Promise.all(ALL.map((path) => boss.get(`${path}?user_id=${bob.id}`)))
      expect([daily?.body.stats[0].requests, hourly?.body.stats[0].requests]).toEqual([2, 2])
    })

    test('pages by number and by cursor hold every row once, newest first', async () => {
      const { ann, write, ofAnn } = scene
      await write(
        Array.from({ length: 25 }, (_, i) => ofAnn({ createdAt: at('2026-11-20') + i * 3_600_000 })),
      )
      const [oldest] = await gateway.rows(25)
      const ids = (rows: { id: number }[]) => rows.map(({ id }) => id - (oldest?.id ?? 0) + 1)
      const second = (await ann.get('/api/usage?page=2&page_size=10')).body
      expect(second).toMatchObject({ total: 25, page: 2, page_size: 10 })
      expect(ids(second.logs)).toEqual([15, 14, 13, 12, 11, 10, 9, 8, 7, 6])
      await write([ofAnn({ createdAt: at('2026-11-23') })])
      const third = (await ann.get(`/api/usage?page_size=10&cursor=${second.next_cursor}`)).body
      expect(third).toMatchObject({ total: null, page: null, next_cursor: null })
      expect(ids(third.logs)).toEqual([5, 4, 3, 2, 1])
      expect((await ann.get('/api/usage?page=9')).body).toMatchObject({
        logs: [],
        total: 26,
        next_cursor: null,
      })
    })

    test('I13: the file holds the fields of a row, and nothing that a spreadsheet would run', async () => {
      const { ann, write, ofAnn, ofBob } = scene
      await write([ofAnn({ ttftMs: null, model: '+cmd, "x"', backend: '@b' }), ofBob()])
      const answer = await ann.get('/api/usage/export?tz=Asia/Shanghai&start_date=2026-11-01')
      expect(answer.status).toBe(200)
      expect(Object.fromEntries(answer.headers)).toMatchObject({
        'content-type': 'text/csv; charset=utf-8; header=present',
        'content-disposition': 'attachment; filename="usage.csv"',
        'cache-control': 'no-store',
        'x-content-type-options': 'nosniff',
        'request-id': expect.stringMatching(/^req_/),
      })
      const [list] = (await ann.get('/api/usage')).body.logs
      expect(answer.text.split('\r\n')[0]).toBe(Object.keys(list).join())
      expect(parsed(answer.text)).toEqual([
        {
          ...Object.fromEntries(Object.entries(list).map(([name, value]) => [name, String(value ?? '')])),
          key_name: '\'=HYPERLINK("http://evil.test","x")',
          model: '\'+cmd, "x"',
          backend: "'@b",
        },
      ])
    })

    test('L06: taking a file is in the audit, with what was asked for', async () => {
      const { ann, boss } = scene
      await ann.get('/api/usage/export?model=claude-opus-5-5')
      await boss.get(`/admin/api/usage/export?backend=a`)
      const exports = eq(auditEvents.action, 'usage.export')
      const all = await gateway.db.select().from(auditEvents).where(exports).orderBy(auditEvents.id)
      const events = all.slice(-2)
      expect(events.map(({ actorId, target, after }) => [actorId, target, JSON.parse(after ?? '')])).toEqual([
        [ann.id, `user:${ann.id}`, { tz: 'UTC', model: 'claude-opus-5-5' }],
        [boss.id, 'usage', { tz: 'UTC', backend: 'a' }],
      ])
    })

    test('M16: rows, pages, days, hours, summary and file add up to the same micro-dollar', async () => {
      const { boss, write, ofAnn, ofBob } = scene
      const records = Array.from({ length: 700 }, (_, i) =>
        (i % 3 ? ofAnn : ofBob)({
          createdAt: at('2026-11-02T22:10Z') + i * 1_234_567,
          costMicros: (i * 7_919) % 1_000_003,
          model: i % 50 ? 'claude-opus-5-5' : 'rare',
        }),
      )
      await write(records)
      const micros = (rows: { cost_usd: unknown }[]) =>
        rows.reduce((total, { cost_usd }) => total + Math.round(Number(cost_usd) * 1e6), 0)
      for (const model of ['', '&model=rare']) {
        const query = `start_date=2026-11-03&end_date=2026-11-10&tz=Asia/Kolkata${model}`
        const get = async (path: string) => boss.get(`/admin/api/usage${path}?${query}`)
        const wanted = records
          .filter(
            ({ createdAt }) => createdAt >= at('2026-11-02T18:30Z') && createdAt < at('2026-11-10T18:30Z'),
          )
          .filter((record) => model === '' || record.model === 'rare')
        const cost = wanted.reduce((total, { costMicros }) => total + costMicros, 0)
        const { body: first } = await boss.get(`/admin/api/usage?page_size=200&${query}`)
        const logs = [...first.logs]
        for (let cursor = first.next_cursor; cursor; ) {
          const { body } = await boss.get(`/admin/api/usage?page_size=200&cursor=${cursor}&${query}`)
          logs.push(...body.logs)
          cursor = body.next_cursor
        }
        const file = parsed((await get('/export')).text)
        const { body: summary } = await get('/summary')
        expect([first.total, logs.length, file.length]).toEqual([wanted.length, wanted.length, wanted.length])
        const [daily, hourly] = [await get('/daily'), await get('/hourly')]
        const { totals, by_user, by_key, by_backend } = summary
        const told = [logs, file, daily.body.stats, hourly.body.stats, [totals], by_user, by_key, by_backend]
        expect(told.map(micros)).toEqual(told.map(() => cost))
      }
    })

    test('a file that breaks off in the middle is no whole file, and the log tells why', async () => {
      const { ann } = scene
      await gateway.db.run(sql`alter table usage_logs rename to gone`)
      await expect(ann.get('/api/usage/export')).rejects.toThrow()
      await expect.poll(() => gateway.output()).toContain('"level":"error","event":"usage.export_failed"')
      await gateway.db.run(sql`alter table gone rename to usage_logs`)
    })
  })
}

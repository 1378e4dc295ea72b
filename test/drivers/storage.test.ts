import { fork } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, mkdirSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { eq, sql } from 'drizzle-orm'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { backUp } from '../../adapters/backup/database-copy.ts'
import { belongsTo, hasPages } from '../../adapters/drivers/storage/file-head.ts'
import { openFile } from '../../adapters/drivers/storage/libsql.ts'
import { migrate, NewerSchema } from '../../core/db/migrate.ts'
import { migrations } from '../../core/db/migrations.gen.ts'
import {
  keyRevision,
  promptLosses,
  usageHourly,
  usageLatency,
  usageLogs,
  usageSummed,
  usageSums,
  users,
} from '../../core/db/schema.ts'
import type { CallRecord } from '../../core/ports.ts'
import { backendStats } from '../../core/reports/backend-stats.ts'
import { dailyChart, hourlyChart } from '../../core/reports/charts.ts'
import { logPage, logsAfter } from '../../core/reports/log-pages.ts'
import { ALL_TIME, daySpans, hoursOf, rangeOf } from '../../core/reports/range.ts'
import { repairSums } from '../../core/reports/repair.ts'
import { recordText } from '../../core/reports/stored-record.ts'
import { summarize } from '../../core/reports/summary.ts'
import { totalsByUser } from '../../core/reports/totals.ts'
import { writeRecords } from '../../core/reports/write.ts'
import { memoryStore, type OpenedStore } from '../support/memory-store.ts'
import { callRecord } from '../support/records.ts'
import { STORES, temporaryFolder } from '../support/stores.ts'

const person = (itcode: string) =>
  ({ itcode, name: itcode, role: 'user', status: 'active', createdAt: 1, updatedAt: 1 }) as const
const texts = (records: CallRecord[]) => records.map(recordText)

describe.each(Object.entries(STORES))('storage on %s', (_name, open) => {
  let store: OpenedStore
  beforeEach(async () => {
    store = await open()
  })
  afterEach(() => store.close())

  test('has every migration applied once, however often it is asked', async () => {
    expect(await migrate(store.db)).toEqual([])
    const names = await store.db.all<{ name: string }>(sql`select name from d1_migrations order by id`)
    expect(names.map(({ name }) => name)).toEqual(migrations.map(({ name }) => name))
  })

  test('refuses a database of a newer gateway', async () => {
    await store.db.run(sql`insert into d1_migrations (name) values ('9999_from_the_future.sql')`)
    await expect(migrate(store.db)).rejects.toThrow(NewerSchema)
  })

  test('takes back a whole batch when one statement fails', async () => {
    const { db } = store
    await expect(
      db.batch([db.insert(users).values(person('ann')), db.insert(users).values(person('ann'))]),
    ).rejects.toThrow()
    expect(await db.select().from(users)).toEqual([])
  })

  test('answers inserted rows, and never gives an id twice', async () => {
    const { db } = store
    const [first] = await db.insert(users).values(person('ann')).returning()
    await db.delete(users).where(eq(users.id, first?.id ?? 0))
    const [second] = await db.insert(users).values(person('ben')).returning()
    expect(second?.id).toBe((first?.id ?? 0) + 1)
  })

  test('raises the key revision with every change of users, whoever makes it', async () => {
    const { db } = store
    const revision = async () => (await db.select().from(keyRevision))[0]?.revision ?? 0
    const before = await revision()
    await db.insert(users).values(person('ann'))
    await db.update(users).set({ status: 'disabled' }).where(eq(users.itcode, 'ann'))
    await db.delete(users).where(eq(users.itcode, 'ann'))
    expect(await revision()).toBe(before + 3)
  })

  test('books each request id once, and its hourly sums with it', async () => {
    const { db } = store
    const records = [callRecord(), callRecord({ outcome: 'error', costMicros: 7 }), callRecord({ userId: 2 })]
    await writeRecords(db, texts(records))
    await writeRecords(db, texts([...records, callRecord({ createdAt: Date.UTC(2026, 10, 23, 13, 0) })]))
    expect(await db.$count(usageLogs)).toBe(4)
    const sums = await db.select().from(usageHourly).orderBy(usageHourly.userId, usageHourly.hour)
    expect(
      sums.map(({ userId, requests, errors, costMicros }) => [userId, requests, errors, costMicros]),
    ).toEqual([
      [1, 2, 1, 507],
      [1, 1, 0, 500],
      [2, 1, 0, 500],
    ])
  })

  test('corrects the row of a call that was taken for interrupted when its end is known, and every sum with it', async () => {
    const { db } = store
    const begun = { outcome: 'interrupted', estimated: true, backend: '', attempts: 0, latencyMs: 0 } as const
    const [whole, stopped, other] = [callRecord(), callRecord(), callRecord({ userId: 2 })]
    const losses = [{ kind: 'cache_miss', reason: 'system', blocks: 0, tokens: 7 }] as const
    const sent = { ...stopped, outcome: 'interrupted', latencyMs: 50, promptLosses: losses } as const
    const steps = [
      [other, { ...whole, ...begun }, { ...stopped, ...begun }],
      // Its usage was known, and the answer was still being sent.
      [sent],
      [whole, { ...stopped, promptLosses: losses }],
      // Late and again: nothing is worse known than before.
      [{ ...whole, ...begun }, sent, whole],
    ]
    for (const records of steps) await writeRecords(db, texts(records))
    const fresh = await memoryStore()
    await writeRecords(fresh.db, texts([other, whole, { ...stopped, promptLosses: losses }]))
    for (const table of [usageHourly, usageSums, usageLatency, promptLosses]) {
      const [corrected, right] = [await db.select().from(table), await fresh.db.select().from(table)]
      expect(corrected.map((row) => JSON.stringify(row)).sort()).toEqual(
        right.map((row) => JSON.stringify(row)).sort(),
      )
    }
    expect((await db.select().from(usageLogs)).map(({ outcome }) => outcome)).toEqual(['ok', 'ok', 'ok'])
    expect(await repairSums(db, 0)).toBe(false)
    await fresh.close()
  })

  test('makes sums anew that differ from the log, and leaves right ones alone', async () => {
    const { db } = store
    await writeRecords(db, texts([callRecord(), callRecord({ userId: 2, costMicros: 9 })]))
    const right = await db.select().from(usageHourly).orderBy(usageHourly.userId)
    expect(await repairSums(db, 0)).toBe(false)
    await db.update(usageHourly).set({ costMicros: 1 }).where(eq(usageHourly.userId, 2))
    expect(await repairSums(db, 0)).toBe(true)
    expect(await db.select().from(usageHourly).orderBy(usageHourly.userId)).toEqual(right)
  })

  test('writes 500 records in one batch and reads every field back', async () => {
    const { db } = store
    const record = callRecord({
      extra: '{"server_tool_use":{"web_search_requests":1}}',
      ttftMs: null,
      estimated: true,
      promptLosses: [{ kind: 'cache_miss', reason: 'tools_changed', blocks: 0, tokens: 9 }],
      billingGroupIds: [7, 3],
      client: 'codex',
      project: 'apollo',
      inputMicros: 1,
      outputMicros: 2,
      cacheReadMicros: 3,
      cacheWrite5mMicros: 4,
      cacheWrite1hMicros: 5,
      serverToolMicros: 485,
      savedMicros: -6,
      webSearches: 2,
      serviceTier: 'priority',
      speed: 'fast',
      geo: 'us',
      contextWindow: '0-200k',
    })
    await writeRecords(db, texts([record, ...Array.from({ length: 499 }, () => callRecord())]))
    const [row] = await db.select().from(usageLogs).where(eq(usageLogs.requestId, record.id))
    const { id, userId, keyId, promptLosses: losses, billingGroupIds, periodStarts: _, ...rest } = record
    expect(row).toMatchObject({
      ...rest,
      requestId: id,
      userId,
      apiKeyId: keyId,
      billingGroupId: billingGroupIds[0],
    })
    expect(await db.select().from(promptLosses)).toMatchObject([{ userId, calls: 1, ...losses[0] }])
    expect((await totalsByUser(db, [userId])).get(userId)).toMatchObject({
      totalTokens: 36 * 500,
      costMicros: 500 * 500,
    })
  })

  test('answers charts, pages and totals from sums, in a zone whose days begin within an hour', async () => {
    const { db } = store
    const timeZone = 'Asia/Kolkata'
    const records = Array.from({ length: 60 }, (_, i) =>
      callRecord({
        id: `req_${String(i).padStart(2, '0')}`,
        userId: 1 + (i % 2),
        keyId: 1 + (i % 2),
        model: i % 20 === 0 ? 'rare' : 'usual',
        costMicros: i,
        latencyMs: 1_000,
        createdAt: Date.UTC(2026, 9, 24, 16) + i * 37 * 60_000,
      }),
    )
    await writeRecords(db, texts(records))
    const dates = { startDate: '2026-10-25', endDate: '2026-10-25', timeZone }
    const dayOf = ({ createdAt }: CallRecord) => new Date(createdAt).toLocaleDateString('sv-SE', { timeZone })
    const wanted = records.filter((record) => dayOf(record) === '2026-10-25')
    const cost = wanted.reduce((total, { costMicros }) => total + costMicros, 0)
    const costOf = (rows: { costMicros: number }[]) =>
      rows.reduce((total, { costMicros }) => total + costMicros, 0)
    const [range, now] = [rangeOf(dates), Date.UTC(2026, 9, 26)]
    expect(costOf(await dailyChart(db, {}, daySpans(dates, now)))).toBe(cost)
    expect(costOf(await hourlyChart(db, {}, hoursOf(dates, now)))).toBe(cost)
    expect((await summarize(db, { userId: 1 }, range)).totals.requests).toBe(wanted.length / 2)
    const ids = (rows: { requestId: string }[]) => rows.map(({ requestId }) => requestId)
    const page = await logPage(db, {}, range, { page: 2, pageSize: 7 })
    const newest = wanted.toReversed().map(({ id }) => id)
    expect([page.total, ids(page.logs)]).toEqual([wanted.length, newest.slice(7, 14)])
    const next = await logsAfter(db, {}, range, { cursor: page.next, take: 7 })
    expect(ids(next.logs)).toEqual(newest.slice(14, 21))
    const rare = await logPage(db, { model: 'rare' }, ALL_TIME, { page: 1, pageSize: 2 })
    expect([rare.total, ids(rare.logs)]).toEqual([3, ['req_40', 'req_20']])
    const last = await logsAfter(db, { model: 'rare' }, ALL_TIME, { cursor: rare.next, take: 2 })
    expect([ids(last.logs), last.next]).toEqual([['req_00'], null])
    const [stats] = await backendStats(db, range)
    expect(stats).toMatchObject({ backend: 'a', requests: wanted.length, averageMs: 1_000 })
    // All are in the bucket of 864 to 1024 ms.
    expect(stats?.p95Ms).toBe(864 + 0.95 * 160)
    expect(await totalsByUser(db, [1])).toEqual(
      new Map([
        [1, { requests: 30, totalTokens: 36 * 30, costMicros: 870, lastUsedAt: records[58]?.createdAt }],
      ]),
    )
  })
})

describe('a database with a history', () => {
  test('gets all sums with the migration that brings them, and hours without minutes', async () => {
    const { db, close } = await openFile(':memory:')
    const older = migrations.filter(({ name }) => name < '0003')
    await db.run(sql`create table d1_migrations (id integer primary key autoincrement, name text unique)`)
    for (const { name, statements } of older) {
      for (const statement of statements) await db.run(sql.raw(statement))
      await db.run(sql`insert into d1_migrations (name) values (${name})`)
    }
    for (let i = 0; i < 40; i++) {
      const { id, keyId, ...record } = callRecord({
        createdAt: Date.UTC(2026, 10, 20) + i * 7_777_777,
        userId: i % 3,
        outcome: i % 5 === 0 ? 'error' : 'ok',
        latencyMs: i * i * 100,
      })
      await db.run(sql`insert into usage_logs (request_id, user_id, api_key_id, requested_model, model, backend, input_tokens,
        output_tokens, cache_read_tokens, cache_write_5m_tokens, cache_write_1h_tokens, cost_micros, status_code, outcome,
        estimated, unpriced, stream, attempts, latency_ms, created_at) values (${id}, ${record.userId}, ${keyId},
        ${record.model}, ${record.model}, ${record.backend}, 10, 20, 3, 2, 1, 500, 200, ${record.outcome}, 0, 0, 1, 1,
        ${record.latencyMs}, ${record.createdAt})`)
    }
    await db.run(sql`insert into usage_hourly select created_at, user_id, api_key_id, model, backend, 1,
      outcome <> 'ok', input_tokens, output_tokens, cache_read_tokens, cache_write_5m_tokens, cache_write_1h_tokens,
      cost_micros, latency_ms, created_at from usage_logs`)
    const begun: string[] = []
    expect(await migrate(db, (name) => begun.push(name))).toContain('0003_usage_rollups.sql')
    expect(begun).toEqual(migrations.slice(older.length).map(({ name }) => name))
    const tables = async () => [
      await db.select().from(usageHourly),
      await db.select().from(usageSums),
      await db.select().from(usageLatency),
      await db.select().from(usageSummed),
    ]
    const migrated = await tables()
    expect(await repairSums(db, 0)).toBe(false)
    await db.run(sql`delete from usage_sums`)
    expect(await repairSums(db, 0)).toBe(true)
    expect(migrated).toEqual(await tables())
    await close()
  })
})

describe('a libSQL file', () => {
  const folder = temporaryFolder()
  const path = (name: string) => join(folder.path, name)

  test('is created with its folder, readable by its owner only, and in WAL mode', async () => {
    const { db, close } = await openFile(path('new/deep/gateway.db'))
    expect(statSync(path('new/deep/gateway.db')).mode & 0o777).toBe(0o600)
    expect(await db.get(sql`pragma journal_mode`)).toEqual({ journal_mode: 'wal' })
    expect(await db.get(sql`pragma foreign_keys`)).toEqual({ foreign_keys: 1 })
    await close()
  })

  test('that others could read is closed to them', async () => {
    writeFileSync(path('open.db'), '')
    chmodSync(path('open.db'), 0o644)
    await (await openFile(path('open.db'))).close()
    expect(statSync(path('open.db')).mode & 0o777).toBe(0o600)
  })

  test.each([
    ['no database', () => writeFileSync(path('text.db'), 'this is a text, '.repeat(100)), 'text.db'],
    ['a folder', () => mkdirSync(path('folder.db')), 'folder.db'],
  ])('that is %s is refused by name and left as it is', async (_what, make, name) => {
    make()
    await expect(openFile(path(name))).rejects.toThrow(path(name))
  })

  test('is migrated once by processes that start together', async () => {
    const script = join(import.meta.dirname, '../support/migrate-process.ts')
    const processes = [1, 2, 3].map(() => fork(script, [path('race.db')], { stdio: 'ignore' }))
    const codes = await Promise.all(processes.map(async (child) => (await once(child, 'exit'))[0]))
    expect(codes).toEqual([0, 0, 0])
    const { db, close } = await openFile(path('race.db'))
    expect(await db.$count(keyRevision)).toBe(1)
    await close()
  })

  test('whose log another process has just removed was no other file', () => {
    const head = { mark: 1, usesLog: true }
    expect([hasPages(path('gone-wal')), belongsTo(path('gone-wal'), head)]).toEqual([false, true])
  })

  test('that another process holds for a while does not stop the event loop, and the write arrives', async () => {
    const { db, close } = await openFile(path('held.db'))
    await migrate(db)
    const holder = fork(join(import.meta.dirname, '../support/hold-process.ts'), [path('held.db'), '600'])
    await once(holder, 'message')
    let longestMs = 0
    let last = performance.now()
    const ticker = setInterval(() => {
      longestMs = Math.max(longestMs, performance.now() - last)
      last = performance.now()
    }, 5)
    await writeRecords(db, texts([callRecord()]))
    clearInterval(ticker)
    expect(await db.$count(usageLogs)).toBe(1)
    // Far below the 600 ms that the lock was held: the loop went on turning.
    expect(longestMs).toBeLessThan(300)
    await close()
  })

  test('that another process holds for a while takes all that waits, however many ask at once', async () => {
    const { db, close } = await openFile(path('busy.db'))
    await migrate(db)
    const holder = fork(join(import.meta.dirname, '../support/hold-process.ts'), [path('busy.db'), '300'])
    await once(holder, 'message')
    await Promise.all(Array.from({ length: 40 }, () => writeRecords(db, texts([callRecord()]))))
    expect(await db.$count(usageLogs)).toBe(40)
    await close()
  })

  test('is backed up while it is written to', async () => {
    const { db, close } = await openFile(path('source.db'))
    await migrate(db)
    await writeRecords(db, texts([callRecord()]))
    const writing = writeRecords(db, texts([callRecord()]))
    backUp(path('source.db'), path('copy.db'))
    await writing
    expect(() => backUp(path('source.db'), path('copy.db'))).toThrow('exists already')
    await close()
    const copy = await openFile(path('copy.db'))
    expect(statSync(path('copy.db')).mode & 0o777).toBe(0o600)
    expect(await copy.db.$count(usageLogs)).toBeGreaterThanOrEqual(1)
    await copy.close()
  })
})

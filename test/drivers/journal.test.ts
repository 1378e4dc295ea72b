/** What a process leaves in its journal, and who takes it over. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import fs, { mkdirSync, readdirSync, readFileSync, rmdirSync, utimesSync, writeFileSync } from 'node:fs'
import { syncBuiltinESMExports } from 'node:module'
import { join } from 'node:path'
import { crc32 } from 'node:zlib'
import { sql } from 'drizzle-orm'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { recordsOf } from '../../adapters/drivers/ledger/journal-lines.ts'
import { lockFile } from '../../adapters/drivers/ledger/journal-lock.ts'
import { journalledRecords } from '../../adapters/drivers/ledger/journalled.ts'
import { localLedger } from '../../adapters/drivers/ledger/local.ts'
import { createTurn } from '../../adapters/drivers/turn.ts'
import { systemClock } from '../../core/clock.ts'
import { databaseId } from '../../core/db/identity.ts'
import { usageHourly, usageLogs } from '../../core/db/schema.ts'
import type { CallRecord, Clock, Db } from '../../core/ports.ts'
import { recordText } from '../../core/reports/stored-record.ts'
import { fakeClock } from '../support/clock.ts'
import { keptLogs } from '../support/logs.ts'
import { admission, callRecord, NO_LIMITS } from '../support/records.ts'
import { fileStore, temporaryFolder } from '../support/stores.ts'

const settings = { failClosed: false } as const

describe('the journal of the local ledger', () => {
  let store: Awaited<ReturnType<typeof fileStore>>
  const folder = () => temporaries.path
  let temporaries: ReturnType<typeof temporaryFolder>
  /** Name of the journal of a process that is dead. */
  let dead: string
  beforeEach(async () => {
    store = await fileStore()
    temporaries = temporaryFolder()
    dead = `usage-${await databaseId(store.db)}-0badcafe-0.journal`
  })
  afterEach(async () => {
    await store.close()
    temporaries.remove()
  })
  const open = async (
    db: Db = store.db,
    logger = keptLogs(),
    clock: Clock = systemClock,
    turn = createTurn(),
  ) => {
    const records = await journalledRecords({ db, folder: folder(), turn, clock, logger })
    return localLedger({ db, records, clock, ...settings })
  }
  /** As a process that was killed would leave it. */
  const leave = (name: string, records: CallRecord[], tail = '') => {
    const lines = records.map(recordText).map((text) => `${sum(text)} ${text}\n`)
    writeFileSync(join(folder(), name), lines.join('') + tail)
  }
  const sum = (json: string) => crc32(json).toString(16).padStart(8, '0')
  const rows = () => store.db.select().from(usageLogs)

  test('is replayed at the next start; the last line of a call counts, and a call without an end is interrupted', async () => {
    const [done, cut] = [callRecord(), callRecord({ outcome: 'interrupted', estimated: true })]
    leave(dead, [{ ...done, outcome: 'interrupted' }, cut, done])
    await (await open()).close()
    expect((await rows()).map(({ requestId, outcome }) => [requestId, outcome]).sort()).toEqual(
      [
        [done.id, 'ok'],
        [cut.id, 'interrupted'],
      ].sort(),
    )
    expect(readdirSync(folder())).toEqual([])
  })

  test('of the release before is replayed whole', async () => {
    const record = callRecord()
    const values: unknown[] = JSON.parse(recordText(record))
    // It ended with when the call arrived, or with what was lost and made.
    const old = JSON.stringify(values.slice(0, 22))
    leave(
      dead,
      [{ ...callRecord(), promptLosses: [{ kind: 'cache_miss', reason: 'x', blocks: 0, tokens: 1 }] }],
      `${sum(old)} ${old}\n`,
    )
    await (await open()).close()
    expect((await rows()).map(({ requestId }) => requestId)).toContain(record.id)
    expect(await rows()).toHaveLength(2)
  })

  test('read twice doubles nothing', async () => {
    const records = [callRecord(), callRecord()]
    for (let i = 0; i < 2; i++) {
      leave(dead, records)
      await (await open()).close()
    }
    expect(await rows()).toHaveLength(2)
    expect(await store.db.select().from(usageHourly)).toMatchObject([{ requests: 2, costMicros: 1000 }])
  })

  test('a torn or damaged line is put aside alone, and reported', async () => {
    const [good, bad] = [callRecord(), callRecord()]
    const flipped = `${sum(recordText(bad))} ${recordText({ ...bad, costMicros: 999_999 })}\n`
    leave(dead, [good], `${flipped}0badc0de ["req_torn",1,`)
    const logger = keptLogs()
    await (await open(store.db, logger)).close()
    expect((await rows()).map(({ requestId }) => requestId)).toEqual([good.id])
    expect(readFileSync(join(folder(), 'damaged.journal'), 'utf8').split('\n')).toHaveLength(3)
    expect(logger.lines).toContainEqual({
      level: 'warn',
      event: 'journal.replayed',
      fields: { records: 1, damaged: 2 },
    })
  })

  test('a damaged line of a file that is read again, because the database was away, is put aside once', () => {
    leave(dead, [callRecord(), callRecord()], '0badc0de torn\n')
    const read = () => recordsOf(join(folder(), dead), 1)
    for (let i = 0; i < 3; i++) expect(read().next().done).toBe(false)
    expect([...read()].map(({ records }) => records.size)).toEqual([1, 1, 0])
    expect(readFileSync(join(folder(), 'damaged.journal'), 'utf8')).toBe('0badc0de torn\n')
  })

  test('holds a call before its answer ends, and forgets it when the database has it', async () => {
    const turn = createTurn()
    const ledger = await open(store.db, keptLogs(), systemClock, turn)
    const call = admission()
    await ledger.reserve(call)
    ledger.update({ ...call.begun, outputTokens: 99 })
    const text = () =>
      readdirSync(folder())
        .map((name) => readFileSync(join(folder(), name), 'utf8'))
        .join('')
    await turn.written()
    expect(text()).toContain(recordText({ ...call.begun, outputTokens: 99 }))
    await ledger.settle({ ...call.begun, outcome: 'ok' })
    await expect.poll(text).toBe('')
    await ledger.close()
    expect(readdirSync(folder())).toEqual([])
  })

  test('keeps what a broken database did not take, and writes it when it works again', async () => {
    const logger = keptLogs()
    let broken = true
    const flaky = new Proxy(store.db, {
      get(target, name) {
        if (name === 'batch' && broken) return () => Promise.reject(new Error('disk I/O error'))
        const value = Reflect.get(target, name)
        return typeof value === 'function' ? value.bind(target) : value
      },
    })
    const ledger = await open(flaky, logger)
    const calls = [admission(), admission()]
    for (const call of calls) {
      expect(await ledger.reserve(call)).toMatchObject({ ok: true })
      await ledger.settle(call.begun)
    }
    await expect.poll(() => ledger.healthy()).toBe(false)
    broken = false
    await expect.poll(() => ledger.healthy(), { timeout: 5_000 }).toBe(true)
    await expect.poll(async () => (await rows()).length).toBe(2)
    expect(logger.lines.filter(({ event }) => event === 'ledger.database_failed')).toHaveLength(1)
    await ledger.close()
  })

  test('of a living process is left alone; once it is killed, those that live take the journal over', async () => {
    const holder = join(import.meta.dirname, '../support/journal-process.ts')
    const child = spawn(process.execPath, [holder, store.file, folder()], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    const [id] = await once(child.stdout, 'data')
    const clock = fakeClock()
    const ledger = await open(store.db, keptLogs(), clock)
    expect(await rows()).toEqual([])
    const locks = readdirSync(folder()).filter((name) => name.endsWith('.lock'))
    const held = async () => {
      const taken = await Promise.all(locks.map((lock) => lockFile(join(folder(), lock))))
      for (const lock of taken) lock?.remove()
      return taken.filter((lock) => lock === undefined)
    }
    // Its own, and that of the ledger here.
    expect(await held()).toHaveLength(2)
    child.kill('SIGKILL')
    await once(child, 'exit')
    expect(await held()).toHaveLength(1)
    clock.advance(30_000)
    await expect.poll(rows).toMatchObject([{ requestId: String(id).trim(), outcome: 'interrupted' }])
    // Its use counts.
    const user = { ...NO_LIMITS, budgetMicros: 500 }
    const next = admission({ user, record: { createdAt: clock.now() } })
    expect(await ledger.reserve(next)).toMatchObject({ ok: false, limit: 'budget' })
    await ledger.close()
    expect(readdirSync(folder())).toEqual([])
  })

  test('named after a process id, as older releases did, is read at once and deleted when nobody writes to it', async () => {
    const record = callRecord()
    leave(`usage-${process.pid}-1.journal`, [record])
    const clock = fakeClock()
    const ledger = await open(store.db, keptLogs(), clock)
    expect((await rows()).map(({ requestId }) => requestId)).toEqual([record.id])
    const left = () => readdirSync(folder()).filter((name) => name === `usage-${process.pid}-1.journal`)
    expect(left()).toHaveLength(1)
    const quarterHourAgo = Date.now() / 1000 - 900
    utimesSync(join(folder(), left()[0] ?? ''), quarterHourAgo, quarterHourAgo)
    clock.advance(30_000)
    await expect.poll(left).toEqual([])
    expect(await rows()).toHaveLength(1)
    await ledger.close()
  })

  test('of another database is left where it is, and named', async () => {
    const other = 'usage-0123456789abcdef-0badcafe-0.journal'
    leave(other, [callRecord()])
    const logger = keptLogs()
    await (await open(store.db, logger)).close()
    expect(await rows()).toEqual([])
    expect(readdirSync(folder())).toEqual([other])
    expect(logger.lines).toContainEqual({
      level: 'error',
      event: 'journal.of_other_database',
      fields: { folder: folder(), journal: 'usage-0123456789abcdef-0badcafe', files: 1 },
    })
  })

  test('that cannot be read does not end the start; it is reported, and taken when it can be read', async () => {
    mkdirSync(join(folder(), dead))
    const logger = keptLogs()
    const clock = fakeClock()
    const ledger = await open(store.db, logger, clock)
    expect(ledger.healthy()).toBe(false)
    expect(logger.lines.map(({ event }) => event)).toContain('journal.not_taken')
    rmdirSync(join(folder(), dead))
    leave(dead, [callRecord()])
    clock.advance(30_000)
    await expect.poll(() => ledger.healthy()).toBe(true)
    expect(await rows()).toHaveLength(1)
    await ledger.close()
  })

  test('with fsync an answer waits for the disk itself, and many wait for it together', async () => {
    const syncs: (() => void)[] = []
    const disk = vi
      .spyOn(fs, 'fdatasync')
      .mockImplementation((_file, done) => void syncs.push(() => done(null)))
    syncBuiltinESMExports()
    const parts = {
      db: store.db,
      folder: folder(),
      turn: createTurn(),
      clock: systemClock,
      logger: keptLogs(),
      fsync: true,
    }
    const ledger = await localLedger({ ...parts, records: await journalledRecords(parts), ...settings })
    const ended: number[] = []
    const end = async (nth: number) => {
      await ledger.settle(callRecord())
      ended.push(nth)
    }
    const all = [end(0), end(1), end(2)]
    expect(syncs).toHaveLength(1)
    syncs[0]?.()
    // What was appended after the disk began needs another turn.
    await expect.poll(() => syncs.length).toBe(2)
    expect(ended).toEqual([0])
    syncs[1]?.()
    await Promise.all(all)
    disk.mockRestore()
    syncBuiltinESMExports()
    await ledger.close()
  })

  test('that a full disk does not take lets calls pass, or none where limits fail closed, because a row could be missing', async () => {
    const disk = vi.spyOn(fs, 'writeSync').mockImplementation(() => {
      throw new Error('ENOSPC: no space left on device')
    })
    syncBuiltinESMExports()
    const parts = { db: store.db, turn: createTurn(), clock: systemClock, logger: keptLogs() }
    const open = async (name: string, failClosed: boolean) => {
      const records = await journalledRecords({ ...parts, folder: join(folder(), name) })
      return localLedger({ ...parts, records, failClosed })
    }
    const [ajar, shut] = [await open('ajar', false), await open('shut', true)]
    expect(await ajar.reserve(admission())).toMatchObject({ ok: true })
    const user = { ...NO_LIMITS, concurrentRequests: 1 }
    const refused = { ok: false, limit: 'unavailable' }
    for (let i = 0; i < 2; i++) expect(await shut.reserve(admission({ user }))).toEqual(refused)
    disk.mockRestore()
    syncBuiltinESMExports()
    expect(await shut.reserve(admission({ user }))).toMatchObject({ ok: true })
    for (const ledger of [ajar, shut]) await ledger.close()
  })

  test('that neither disk nor database takes until the stop are told by their number', async () => {
    const disk = vi.spyOn(fs, 'writeSync').mockImplementation(() => {
      throw new Error('ENOSPC: no space left on device')
    })
    syncBuiltinESMExports()
    const logger = keptLogs()
    const parts = { db: store.db, turn: createTurn(), clock: systemClock, logger, folder: folder() }
    const ledger = await localLedger({ ...parts, ...settings, records: await journalledRecords(parts) })
    await store.db.run(sql`alter table usage_logs rename to usage_away`)
    for (let i = 0; i < 3; i++) await ledger.settle(callRecord())
    await ledger.close()
    disk.mockRestore()
    syncBuiltinESMExports()
    expect(logger.lines.filter(({ event }) => event === 'ledger.records_lost')).toMatchObject([
      { fields: { records: 3 } },
    ])
  })
})

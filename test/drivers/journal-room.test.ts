/** A database that is away for long fills no memory, and loses no row. */
import { mkdirSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { count, eq } from 'drizzle-orm'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { journalledRecords } from '../../adapters/drivers/ledger/journalled.ts'
import { localLedger } from '../../adapters/drivers/ledger/local.ts'
import { systemClock } from '../../core/clock.ts'
import { usageHourly, usageLogs } from '../../core/db/schema.ts'
import type { Db, Ledger } from '../../core/ports.ts'
import { keptLogs } from '../support/logs.ts'
import type { OpenedStore } from '../support/memory-store.ts'
import { admission, callRecord } from '../support/records.ts'
import { fileStore, temporaryFolder } from '../support/stores.ts'

/** More than two files that are set aside, and some rows in memory. */
const MANY = 20_500
const MOST = 100_000

describe('while the database is away', () => {
  let store: OpenedStore
  let folder: ReturnType<typeof temporaryFolder>
  let away: boolean
  beforeEach(async () => {
    store = await fileStore()
    folder = temporaryFolder()
    away = true
  })
  afterEach(async () => {
    await store.close()
    folder.remove()
  })

  const database = (): Db =>
    new Proxy(store.db, {
      get(target, name) {
        if (name === 'batch' && away) return () => Promise.reject(new Error('disk I/O error'))
        const value = Reflect.get(target, name)
        return typeof value === 'function' ? value.bind(target) : value
      },
    })
  const open = async (): Promise<Ledger> => {
    const parts = { folder: folder.path, clock: systemClock, logger: keptLogs() }
    const records = await journalledRecords({ ...parts, db: database() })
    const ledger = {
      db: store.db,
      records,
      clock: systemClock,
      failClosed: false,
    } as const
    return localLedger(ledger)
  }
  const settleMany = async (ledger: Ledger, calls: number) => {
    for (let i = 0; i < calls; i++) await ledger.settle(callRecord())
  }
  const files = () => readdirSync(folder.path).filter((name) => name.endsWith('.journal'))
  const rows = async () => (await store.db.select({ rows: count() }).from(usageLogs))[0]?.rows
  const billed = async () => {
    const sums = await store.db.select().from(usageHourly)
    return sums.reduce((total, { requests }) => total + requests, 0)
  }

  test('rows wait on the disk, and each is there once when the database is back, also of a call that went on meanwhile', async () => {
    const ledger = await open()
    const long = admission()
    await ledger.reserve(long)
    ledger.update({ ...long.begun, outcome: 'interrupted' })
    await settleMany(ledger, MANY)
    expect(files()).toHaveLength(3)
    away = false
    await expect.poll(rows, { timeout: 20_000 }).toBe(MANY)
    await ledger.settle({ ...long.begun, outcome: 'ok', outputTokens: 99 })
    await ledger.close()
    const ofLong = store.db.select().from(usageLogs).where(eq(usageLogs.requestId, long.begun.id))
    expect(await ofLong).toMatchObject([{ outcome: 'ok', outputTokens: 99 }])
    expect([await rows(), await billed()]).toEqual([MANY + 1, MANY + 1])
    expect(readdirSync(folder.path)).toEqual([])
  })

  test('what waits on the disk when the process ends is there after the next start', async () => {
    const ledger = await open()
    const long = admission()
    await ledger.reserve(long)
    ledger.update({ ...long.begun, outcome: 'interrupted' })
    await settleMany(ledger, MANY)
    await ledger.settle({ ...long.begun, outcome: 'ok', outputTokens: 99 })
    await ledger.close()
    away = false
    await (await open()).close()
    const ofLong = store.db.select().from(usageLogs).where(eq(usageLogs.requestId, long.begun.id))
    expect(await ofLong).toMatchObject([{ outcome: 'ok', outputTokens: 99 }])
    expect([await rows(), await billed()]).toEqual([MANY + 1, MANY + 1])
    expect(readdirSync(folder.path)).toEqual([])
  })

  test('and the disk takes no other file, calls are refused before memory is, so that no row is lost', async () => {
    const ledger = await open()
    mkdirSync(join(folder.path, files()[0]?.replace('-0.', '-1.') ?? ''))
    await settleMany(ledger, MOST - 1)
    expect(await ledger.reserve(admission())).toMatchObject({ ok: true })
    await settleMany(ledger, 1)
    expect(await ledger.reserve(admission())).toEqual({ ok: false, limit: 'unavailable' })
    away = false
    await ledger.close()
    expect(await rows()).toBe(MOST)
  }, 300_000)
})

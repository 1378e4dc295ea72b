/** Limits that processes share in the database, on every kind of it. */
import { join } from 'node:path'
import { eq } from 'drizzle-orm'
import { describe, expect, test } from 'vitest'
import { databaseLedger } from '../../adapters/drivers/ledger/database.ts'
import { directRecords } from '../../adapters/drivers/ledger/direct.ts'
import { journalledRecords } from '../../adapters/drivers/ledger/journalled.ts'
import { openServer } from '../../adapters/drivers/storage/libsql-http.ts'
import { createTurn } from '../../adapters/drivers/turn.ts'
import { systemClock } from '../../core/clock.ts'
import { migrate } from '../../core/db/migrate.ts'
import { ledgerHolds, usageLogs } from '../../core/db/schema.ts'
import { HOLD_EXPIRY_MS } from '../../core/limits/decide.ts'
import { sweepHolds } from '../../core/limits/shared.ts'
import type { Clock, Db } from '../../core/ports.ts'
import { recordText } from '../../core/reports/stored-record.ts'
import { writeRecords } from '../../core/reports/write.ts'
import { ledgerContract, sharedLedgerContract } from '../contracts/ledger.ts'
import { poolContract } from '../contracts/ledger-pools.ts'
import { sharedPoolContract } from '../contracts/ledger-shared-pools.ts'
import { fakeClock } from '../support/clock.ts'
import { startHrana } from '../support/hrana.ts'
import { keptLogs } from '../support/logs.ts'
import { admission, NO_LIMITS } from '../support/records.ts'
import { d1Store, fileStore, serverStore, temporaryFolder } from '../support/stores.ts'

const settings = { failClosed: false } as const

/** As on Node: each process has a journal of its own. */
const journalled = async (db: Db, clock: Clock = systemClock) => {
  const logger = keptLogs()
  const records = await journalledRecords({
    db,
    folder: temporaryFolder().path,
    turn: createTurn(),
    clock: systemClock,
    logger,
  })
  return databaseLedger({ db, records, ...settings, clock, logger })
}
/** As on Workers and Lambda. */
const direct = async (db: Db, clock: Clock = systemClock) => {
  const logger = keptLogs()
  return databaseLedger({ db, records: directRecords({ db, logger }), ...settings, clock, logger })
}

const SUITES = [
  { name: 'database, a libSQL file', open: journalled },
  {
    name: 'database, a libSQL server',
    open: journalled,
    openStore: serverStore,
    parallel: 300,
    written: 100,
  },
  { name: 'database, D1', open: direct, openStore: d1Store, parallel: 120, written: 20 },
]
const expireHolds = async (db: Db) =>
  void (await db.update(ledgerHolds).set({ endsAt: 1 }).where(eq(ledgerHolds.running, true)))
for (const suite of SUITES) {
  ledgerContract(suite)
  sharedLedgerContract({ ...suite, expireHolds })
  poolContract(suite)
  sharedPoolContract({ ...suite, expireHolds })
}

describe('limits in the database', () => {
  const budget = { ...NO_LIMITS, budgetMicros: 500 }

  test('begin anew with the period; a call of the old one no longer counts', async () => {
    const store = await fileStore()
    const clock = fakeClock(Date.UTC(2026, 10, 30, 23, 59))
    const ledger = await direct(store.db, clock)
    const call = admission({ user: budget, record: { createdAt: clock.now() } })
    expect(await ledger.reserve(call)).toMatchObject({
      ok: true,
      used: { resetAt: Date.UTC(2026, 11, 1) },
    })
    expect(await ledger.reserve(admission({ user: budget }))).toMatchObject({ ok: false, limit: 'budget' })
    clock.advance(60_000)
    await ledger.settle(call.begun)
    const next = admission({ user: budget, record: { createdAt: clock.now() } })
    expect(await ledger.reserve(next)).toEqual({
      ok: true,
      used: { share: 0, period: 'monthly', resetAt: Date.UTC(2027, 0, 1) },
    })
    await store.close()
  })

  test('held by a process that died are free when its journal is replayed, or when nobody renews them', async () => {
    const store = await fileStore()
    const clock = fakeClock()
    const [dead, living] = [await direct(store.db, fakeClock()), await direct(store.db, clock)]
    const one = { ...NO_LIMITS, concurrentRequests: 1 }
    const [replayed, lost] = [admission({ user: one }), admission({ user: one })]
    await dead.reserve(replayed)
    expect((await living.reserve(lost)).ok).toBe(false)
    await writeRecords(store.db, [recordText(replayed.begun)])
    expect((await dead.reserve(lost)).ok).toBe(true)
    clock.advance(HOLD_EXPIRY_MS - 1)
    expect((await living.reserve(admission({ user: one }))).ok).toBe(false)
    clock.advance(1)
    expect((await living.reserve(admission({ user: one }))).ok).toBe(true)
    await store.close()
  })

  test('leave nothing behind', async () => {
    const store = await fileStore()
    const ledger = await direct(store.db)
    const calls = [
      admission(),
      admission({ user: { ...NO_LIMITS, requestsPerMinute: 9 }, record: { userId: 2 } }),
    ]
    for (const call of calls) {
      await ledger.reserve(call)
      await ledger.settle(call.begun)
    }
    const left = async (inMs: number) => {
      await sweepHolds(store.db, Date.now() + inMs)
      return (await store.db.select().from(ledgerHolds)).map(({ userId }) => userId)
    }
    expect(await left(0)).toEqual([2])
    expect(await left(60_000)).toEqual([])
    await store.close()
  })

  test('hold nothing for a call that was refused because only their answer was lost', async () => {
    const store = await fileStore()
    let lost = true
    const db = new Proxy(store.db, {
      get(target, name) {
        const value = Reflect.get(target, name)
        if (typeof value !== 'function') return value
        if (name !== 'batch' || !lost) return value.bind(target)
        return async (...given: unknown[]) => {
          await value.apply(target, given)
          throw new Error('connection reset')
        }
      },
    })
    const logger = keptLogs()
    const parts = { ...settings, failClosed: true, clock: systemClock, logger }
    const ledger = await databaseLedger({ db, records: directRecords({ db: store.db, logger }), ...parts })
    const user = { ...NO_LIMITS, budgetMicros: 500, concurrentRequests: 1 }
    expect(await ledger.reserve(admission({ user }))).toEqual({ ok: false, limit: 'unavailable' })
    lost = false
    await expect.poll(() => ledger.reserve(admission({ user }))).toMatchObject({ ok: true })
    await store.close()
  })

  test('without the database calls pass and are recorded, or none passes, and both say so once', async () => {
    const folder = temporaryFolder()
    const hrana = await startHrana(join(folder.path, 'server.db'))
    const { db, close } = openServer(hrana.url, hrana.token)
    await migrate(db)
    const logger = keptLogs()
    const open = async (name: string, failClosed: boolean) => {
      const parts = { db, folder: join(folder.path, name), turn: createTurn(), clock: systemClock, logger }
      const records = await journalledRecords(parts)
      return databaseLedger({ db, records, ...settings, failClosed, clock: systemClock, logger })
    }
    const [ajar, shut] = [await open('ajar', false), await open('shut', true)]
    hrana.down(true)
    const call = admission({ user: { ...NO_LIMITS, budgetMicros: 1 } })
    for (let i = 0; i < 2; i++) {
      expect(await ajar.reserve(call)).toMatchObject({ ok: true, used: undefined })
      await ajar.settle({ ...call.begun, outcome: 'ok' })
      expect(await shut.reserve(admission())).toEqual({ ok: false, limit: 'unavailable' })
    }
    expect([ajar.healthy(), shut.healthy()]).toEqual([false, false])
    expect(logger.lines.filter(({ event }) => event === 'ledger.limits_failed')).toHaveLength(2)
    hrana.down(false)
    await expect.poll(async () => (await db.select().from(usageLogs)).length, { timeout: 5_000 }).toBe(1)
    // What was used in the meantime counts.
    const next = admission({ user: { ...NO_LIMITS, budgetMicros: 500 } })
    expect(await ajar.reserve(next)).toMatchObject({ ok: false, limit: 'budget' })
    expect(await shut.reserve(admission())).toMatchObject({ ok: true })
    expect([ajar.healthy(), shut.healthy()]).toEqual([true, true])
    for (const ledger of [ajar, shut]) await ledger.close()
    close()
    await hrana.stop()
    folder.remove()
  })
})

import type { Redis } from 'ioredis'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { directRecords } from '../../adapters/drivers/ledger/direct.ts'
import { journalledRecords } from '../../adapters/drivers/ledger/journalled.ts'
import { localLedger } from '../../adapters/drivers/ledger/local.ts'
import { redisLedger } from '../../adapters/drivers/ledger/redis.ts'
import { SEED } from '../../adapters/drivers/ledger/redis-seed.ts'
import { connectRedis, type RedisClient, readyRedis } from '../../adapters/drivers/redis/connection.ts'
import { createTurn } from '../../adapters/drivers/turn.ts'
import { systemClock } from '../../core/clock.ts'
import { usageLogs } from '../../core/db/schema.ts'
import type { Clock, Db } from '../../core/ports.ts'
import { recordText } from '../../core/reports/stored-record.ts'
import { writeRecords } from '../../core/reports/write.ts'
import { ledgerContract, sharedLedgerContract } from '../contracts/ledger.ts'
import { poolContract } from '../contracts/ledger-pools.ts'
import { sharedPoolContract } from '../contracts/ledger-shared-pools.ts'
import { keptLogs } from '../support/logs.ts'
import { admission, callRecord, NO_LIMITS } from '../support/records.ts'
import { HAS_REDIS, type RealRedis, startRedis } from '../support/redis.ts'
import { fileStore, temporaryFolder } from '../support/stores.ts'

const settings = { failClosed: false, clock: systemClock } as const

ledgerContract({
  name: 'local, records written directly',
  open: async (db) => localLedger({ db, records: directRecords({ db, logger: keptLogs() }), ...settings }),
})

/** Each database has its own journal, also when it is opened again. */
const folders = new WeakMap<Db, string>()
const recordsOf = (db: Db) => {
  const folder = folders.get(db) ?? temporaryFolder().path
  folders.set(db, folder)
  return journalledRecords({ db, folder, turn: createTurn(), clock: systemClock, logger: keptLogs() })
}
const local = {
  name: 'local',
  open: async (db: Db) => localLedger({ db, records: await recordsOf(db), ...settings }),
}
ledgerContract(local)
poolContract(local)

describe.skipIf(!HAS_REDIS && !process.env.CI)('with a real Redis', () => {
  let server: RealRedis
  let redis: RedisClient
  const logger = keptLogs()
  beforeAll(async () => {
    server = await startRedis()
    redis = connectRedis({ url: server.url }, logger)
    await readyRedis(redis)
  })
  beforeEach(() => server.flush())
  afterAll(async () => {
    redis.disconnect()
    await server.stop()
  })
  const open = async (
    db: Db,
    failClosed = false,
    client = redis,
    given: { clock?: Clock; seedMs?: number } = {},
  ) => {
    const parts = { redis: client, seedMs: 60_000, db, records: await recordsOf(db), logger }
    return redisLedger({ ...parts, ...settings, failClosed, ...given })
  }
  const suite = {
    name: 'redis',
    open: (db: Db, clock: Clock = systemClock) => open(db, false, redis, { clock }),
    async expireHolds() {
      const keys = await redis.keys('claude-gateway:{limits}:*')
      for (const key of keys.filter((name) => name.endsWith(':ends'))) {
        for (const id of await redis.zrange(key, '0', '-1')) await redis.zadd(key, 1, id)
      }
    },
  }
  ledgerContract(suite)
  sharedLedgerContract(suite)
  poolContract(suite)
  sharedPoolContract(suite)

  test('what is used is taken from the database once; a process that comes late with it changes nothing', async () => {
    const store = await fileStore()
    const [asked, late] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
    const held = new Proxy(redis, {
      get(target, name) {
        if (name !== 'evalsha') return Reflect.get(target, name)
        return async (...given: Parameters<Redis['evalsha']>) => {
          if (given[0] === SEED.sha1) {
            asked.resolve()
            await late.promise
          }
          return target.evalsha(...given)
        }
      },
    })
    const [prompt, slow] = [await open(store.db), await open(store.db, false, held)]
    const waiting = slow.reserve(admission({ costMicros: 0 }))
    await asked.promise
    const call = admission()
    await prompt.reserve(call)
    await prompt.settle({ ...call.begun, outcome: 'ok' })
    late.resolve()
    await waiting
    const user = { ...NO_LIMITS, budgetMicros: 500 }
    expect(await prompt.reserve(admission({ user }))).toMatchObject({ ok: false, limit: 'budget' })
    for (const ledger of [prompt, slow]) await ledger.close()
    await store.close()
  })

  test('what was used is taken from the database again and again, so that no mistake stays', async () => {
    const store = await fileStore()
    const [busy, fresh] = [await open(store.db), await open(store.db, false, redis, { seedMs: 1 })]
    const createdAt = Date.now()
    const first = admission({ record: { createdAt } })
    await busy.reserve(first)
    await busy.settle({ ...first.begun, outcome: 'ok' })
    // Another 500, of which Redis has never heard.
    await writeRecords(store.db, [recordText(callRecord({ createdAt }))])
    const fits = (budgetMicros: number) =>
      fresh.reserve(admission({ user: { ...NO_LIMITS, budgetMicros }, tokens: 0, costMicros: 0 }))
    await expect.poll(() => fits(1_000)).toMatchObject({ ok: false, limit: 'budget', held: false })
    expect(await fits(1_001)).toMatchObject({ ok: true })
    for (const ledger of [busy, fresh]) await ledger.close()
    await store.close()
  })

  test('without Redis calls pass and are recorded, or none passes, and both say so once', async () => {
    const store = await fileStore()
    const [ajar, shut] = [await open(store.db), await open(store.db, true)]
    await server.stop()
    const call = admission({ user: { ...NO_LIMITS, budgetMicros: 1 } })
    expect(await ajar.reserve(call)).toMatchObject({ ok: true })
    await ajar.settle({ ...call.begun, outcome: 'ok' })
    expect(await shut.reserve(admission())).toEqual({ ok: false, limit: 'unavailable' })
    expect([ajar.healthy(), shut.healthy()]).toEqual([false, false])
    expect(logger.lines.filter(({ event }) => event === 'ledger.limits_failed')).toHaveLength(2)
    await expect.poll(async () => (await store.db.select().from(usageLogs)).length).toBe(1)
    await server.start()
    await expect.poll(() => redis.status).toBe('ready')
    // What was used in the meantime is counted again from the database.
    const user = { ...NO_LIMITS, budgetMicros: 500 }
    const next = admission({ user, record: { createdAt: Date.now() } })
    expect(await ajar.reserve(next)).toMatchObject({ ok: false, limit: 'budget' })
    expect(ajar.healthy()).toBe(true)
    for (const ledger of [ajar, shut]) await ledger.close()
    await store.close()
  })
})

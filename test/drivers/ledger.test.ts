import { appendFileSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { crc32 } from 'node:zlib'
import type { Redis } from 'ioredis'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { directRecords } from '../../adapters/drivers/ledger/direct.ts'
import { journalledRecords } from '../../adapters/drivers/ledger/journalled.ts'
import { localLedger } from '../../adapters/drivers/ledger/local.ts'
import { redisLedger } from '../../adapters/drivers/ledger/redis.ts'
import { SEED } from '../../adapters/drivers/ledger/redis-scripts.ts'
import { connectRedis, type RedisClient, readyRedis } from '../../adapters/drivers/redis/connection.ts'
import { systemClock } from '../../core/clock.ts'
import { usageHourly, usageLogs } from '../../core/db/schema.ts'
import type { CallRecord, Db } from '../../core/ports.ts'
import { recordText } from '../../core/reports/write.ts'
import { ledgerContract, sharedLedgerContract } from '../contracts/ledger.ts'
import { keptLogs } from '../support/logs.ts'
import { admission, callRecord, NO_LIMITS } from '../support/records.ts'
import { HAS_REDIS, type RealRedis, startRedis } from '../support/redis.ts'
import { fileStore, type OpenedStore, temporaryFolder } from '../support/stores.ts'

const settings = { period: 'monthly', failClosed: false, clock: systemClock } as const

ledgerContract({
  name: 'local, records written directly',
  open: async (db) => localLedger({ db, records: directRecords({ db, logger: keptLogs() }), ...settings }),
})

/** Each database has its own journal, also when it is opened again. */
const folders = new WeakMap<Db, string>()
const recordsOf = (db: Db) => {
  const folder = folders.get(db) ?? temporaryFolder().path
  folders.set(db, folder)
  return journalledRecords({ db, folder, clock: systemClock, logger: keptLogs() })
}
ledgerContract({
  name: 'local',
  open: async (db) => localLedger({ db, records: await recordsOf(db), ...settings }),
})

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
  const open = async (db: Db, failClosed = false, client = redis) =>
    redisLedger({ redis: client, db, records: await recordsOf(db), ...settings, failClosed, logger })

  const suite = { name: 'redis', open: (db: Db) => open(db) }
  ledgerContract(suite)
  sharedLedgerContract(suite)

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

describe('the journal of the local ledger', () => {
  let store: OpenedStore
  const folder = () => temporaries.path
  let temporaries: ReturnType<typeof temporaryFolder>
  beforeEach(async () => {
    store = await fileStore()
    temporaries = temporaryFolder()
  })
  afterEach(async () => {
    await store.close()
    temporaries.remove()
  })
  const open = (db: Db = store.db, logger = keptLogs()) =>
    journalledRecords({ db, folder: folder(), clock: systemClock, logger }).then((records) =>
      localLedger({ db, records, ...settings }),
    )
  /** As a process that was killed would leave it. */
  const leave = (name: string, records: CallRecord[], tail = '') => {
    const lines = records.map(recordText).map((text) => `${sum(text)} ${text}\n`)
    writeFileSync(join(folder(), name), lines.join('') + tail)
  }
  const sum = (json: string) => crc32(json).toString(16).padStart(8, '0')
  const rows = () => store.db.select().from(usageLogs)
  const DEAD = 'usage-999999999.journal'

  test('is replayed at the next start; the last line of a call counts, and a call without an end is interrupted', async () => {
    const [done, cut] = [callRecord(), callRecord({ outcome: 'interrupted', estimated: true })]
    leave(DEAD, [{ ...done, outcome: 'interrupted' }, cut, done])
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
    const old = recordText(record)
    expect(JSON.parse(old)).toHaveLength(22)
    leave(
      DEAD,
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
      leave(DEAD, records)
      await (await open()).close()
    }
    expect(await rows()).toHaveLength(2)
    expect(await store.db.select().from(usageHourly)).toMatchObject([{ requests: 2, costMicros: 1000 }])
  })

  test('a torn or damaged line is put aside alone, and reported', async () => {
    const [good, bad] = [callRecord(), callRecord()]
    const flipped = `${sum(recordText(bad))} ${recordText({ ...bad, costMicros: 999_999 })}\n`
    leave(DEAD, [good], `${flipped}0badc0de ["req_torn",1,`)
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

  test('holds a call before its answer ends, and forgets it when the database has it', async () => {
    const ledger = await open()
    const call = admission()
    await ledger.reserve(call)
    ledger.update({ ...call.begun, outputTokens: 99 })
    const text = () =>
      readdirSync(folder())
        .map((name) => readFileSync(join(folder(), name), 'utf8'))
        .join('')
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

  test('leaves the file of a living process alone', async () => {
    const living = `usage-${process.ppid}.journal`
    appendFileSync(join(folder(), living), 'its business\n')
    await (await open()).close()
    expect(readdirSync(folder())).toEqual([living])
  })
})

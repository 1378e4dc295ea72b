/** Limits and health on a real Redis Cluster of three nodes. */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { redisHealth } from '../../adapters/drivers/health/redis.ts'
import { journalledRecords } from '../../adapters/drivers/ledger/journalled.ts'
import { redisLedger } from '../../adapters/drivers/ledger/redis.ts'
import {
  connectRedis,
  openRedis,
  type RedisClient,
  readyRedis,
} from '../../adapters/drivers/redis/connection.ts'
import { createTurn } from '../../adapters/drivers/turn.ts'
import { systemClock } from '../../core/clock.ts'
import type { Db } from '../../core/ports.ts'
import { healthStoreContract } from '../contracts/health-store.ts'
import { ledgerContract, sharedLedgerContract } from '../contracts/ledger.ts'
import { keptLogs } from '../support/logs.ts'
import { admission } from '../support/records.ts'
import { HAS_REDIS, type RedisCluster, startRedisCluster } from '../support/redis.ts'
import { fileStore, temporaryFolder } from '../support/stores.ts'

describe.skipIf(!HAS_REDIS && !process.env.CI)('with a real Redis Cluster', () => {
  let cluster: RedisCluster
  let redis: RedisClient
  const logger = keptLogs()
  beforeAll(async () => {
    cluster = await startRedisCluster()
    redis = connectRedis({ url: cluster.url, cluster: true }, logger)
    await readyRedis(redis)
  })
  beforeEach(() => cluster.flush())
  afterAll(async () => {
    redis?.disconnect()
    await cluster?.stop()
  })
  /** Each database has its own journal, also when it is opened again. */
  const folders = new WeakMap<Db, string>()
  const open = async (db: Db) => {
    const folder = folders.get(db) ?? temporaryFolder().path
    folders.set(db, folder)
    const records = await journalledRecords({ db, folder, turn: createTurn(), clock: systemClock, logger })
    return redisLedger({
      redis,
      seedMs: 60_000,
      db,
      records,
      failClosed: false,
      clock: systemClock,
      logger,
    })
  }

  const suite = { name: 'redis cluster', open }
  ledgerContract(suite)
  sharedLedgerContract(suite)
  healthStoreContract('redis cluster', async () => redisHealth(redis))

  test('all limits are kept on one node', async () => {
    const store = await fileStore()
    const ledger = await open(store.db)
    for (let id = 1; id <= 20; id++) {
      const call = admission({ record: { userId: id, keyId: id, createdAt: Date.now() } })
      expect(await ledger.reserve(call)).toMatchObject({ ok: true })
      await ledger.settle(call.begun)
    }
    expect((await cluster.sizes()).filter((size) => size > 0)).toHaveLength(1)
    expect(ledger.healthy()).toBe(true)
    await ledger.close()
    await store.close()
  })

  test('one node taken for all of Redis ends the start, with the setting that is wrong', async () => {
    const opened = openRedis({ redis: { url: cluster.url, cluster: false } }, keptLogs())
    await expect(opened).rejects.toThrow(/redis\.cluster/)
  })
})

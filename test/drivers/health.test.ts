import { afterAll, afterEach, beforeAll, describe } from 'vitest'
import { databaseHealth } from '../../adapters/drivers/health/database.ts'
import { memoryHealth } from '../../adapters/drivers/health/memory.ts'
import { redisHealth } from '../../adapters/drivers/health/redis.ts'
import { connectRedis, readyRedis } from '../../adapters/drivers/redis/connection.ts'
import { healthStoreContract } from '../contracts/health-store.ts'
import { keptLogs } from '../support/logs.ts'
import type { OpenedStore } from '../support/memory-store.ts'
import { HAS_REDIS, type RealRedis, startRedis } from '../support/redis.ts'
import { d1Store, fileStore, serverStore } from '../support/stores.ts'

healthStoreContract('memory', async () => memoryHealth())

describe.each(Object.entries({ 'a libSQL file': fileStore, 'a libSQL server': serverStore, D1: d1Store }))(
  'in %s',
  (_, open) => {
    let store: OpenedStore | undefined
    afterEach(() => store?.close())
    healthStoreContract('database', async () => {
      store = await open()
      return databaseHealth(store.db)
    })
  },
)

describe.skipIf(!HAS_REDIS && !process.env.CI)('with a real Redis', () => {
  let server: RealRedis
  let redis: ReturnType<typeof connectRedis>
  beforeAll(async () => {
    server = await startRedis()
    redis = connectRedis({ url: server.url }, keptLogs())
    await readyRedis(redis)
  })
  afterAll(async () => {
    redis.disconnect()
    await server.stop()
  })
  healthStoreContract('redis', async () => {
    await server.flush()
    return redisHealth(redis)
  })
})

import { afterAll, beforeAll, describe } from 'vitest'
import { memoryHealth } from '../../adapters/drivers/health/memory.ts'
import { redisHealth } from '../../adapters/drivers/health/redis.ts'
import { connectRedis, readyRedis } from '../../adapters/drivers/redis/connection.ts'
import { healthStoreContract } from '../contracts/health-store.ts'
import { keptLogs } from '../support/logs.ts'
import { HAS_REDIS, type RealRedis, startRedis } from '../support/redis.ts'

healthStoreContract('memory', async () => memoryHealth())

describe.skipIf(!HAS_REDIS && !process.env.CI)('with a real Redis', () => {
  let server: RealRedis
  let redis: ReturnType<typeof connectRedis>
  beforeAll(async () => {
    server = await startRedis()
    redis = connectRedis(server.url, keptLogs())
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

/** One connection to Redis for all stores of a process. It fails at once when Redis is away: no call waits for it. */
import { Redis } from 'ioredis'
import type { Logger } from '../../../core/ports.ts'

const COMMAND_TIMEOUT_MS = 1_000

export function connectRedis(url: string, logger: Logger): Redis {
  const redis = new Redis(url, {
    maxRetriesPerRequest: 1,
    enableOfflineQueue: false,
    commandTimeout: COMMAND_TIMEOUT_MS,
    connectTimeout: COMMAND_TIMEOUT_MS,
    retryStrategy: (times) => Math.min(times * 50, 1_000),
  })
  let away = false
  redis.on('error', (cause) => {
    // Said once, not at every attempt.
    if (!away) logger.error('redis.away', { cause: String(cause) })
    away = true
  })
  redis.on('ready', () => {
    if (away) logger.info('redis.back')
    away = false
  })
  return redis
}

/** Resolves when commands can be sent; rejects when they cannot within a second. */
export async function readyRedis(redis: Redis): Promise<void> {
  if (redis.status === 'ready') return
  await new Promise<void>((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error('Redis does not answer')), COMMAND_TIMEOUT_MS)
    redis.once('ready', () => {
      clearTimeout(timer)
      resolve()
    })
  })
}

/** One connection to Redis for all stores of a process. It fails at once when Redis is away: no call waits for it. */
import { Cluster, Redis, type RedisOptions } from 'ioredis'
import { ConfigError } from '../../../config/error.ts'
import type { Config } from '../../../config/schema.ts'
import { createOutage } from '../../../core/outage.ts'
import type { Logger } from '../../../core/ports.ts'

const COMMAND_TIMEOUT_MS = 1_000

/** A server, or a cluster of them. */
export type RedisClient = Redis | Cluster

/** `cluster`: the address is that of one node of a cluster, which tells the others. */
export function connectRedis(
  { url, cluster = false }: { url: string; cluster?: boolean },
  logger: Logger,
): RedisClient {
  const options = {
    maxRetriesPerRequest: 1,
    commandTimeout: COMMAND_TIMEOUT_MS,
    connectTimeout: COMMAND_TIMEOUT_MS,
  }
  const retryStrategy = (times: number) => Math.min(times * 50, 1_000)
  const redis: RedisClient = cluster
    ? new Cluster([url], {
        enableOfflineQueue: false,
        clusterRetryStrategy: retryStrategy,
        slotsRefreshTimeout: COMMAND_TIMEOUT_MS,
        redisOptions: { ...options, ...credentialsOf(url) },
      })
    : new Redis(url, { ...options, enableOfflineQueue: false, retryStrategy })
  const outage = createOutage(logger, { failed: 'redis.away', worksAgain: 'redis.back' })
  redis.on('error', (cause) => outage.failed(cause))
  redis.on('ready', () => outage.worked())
  return redis
}

/** The nodes of a cluster tell each other's addresses only. */
function credentialsOf(url: string): Pick<RedisOptions, 'username' | 'password' | 'tls'> {
  const { username, password, protocol } = new URL(url)
  return {
    ...(username && { username: decodeURIComponent(username) }),
    ...(password && { password: decodeURIComponent(password) }),
    ...(protocol === 'rediss:' && { tls: {} }),
  }
}

/** Resolves when commands can be sent; rejects when they cannot within a second. */
export async function readyRedis(redis: RedisClient): Promise<void> {
  if (redis.status === 'ready') return
  await new Promise<void>((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error('Redis does not answer')), COMMAND_TIMEOUT_MS)
    redis.once('ready', () => {
      clearTimeout(timer)
      resolve()
    })
  })
}

/**
 * The connection that the configuration names; undefined for none. When Redis is away the start goes on: what then holds
 * for calls is the ledger's to say. Throws ConfigError where a node of a cluster is taken for all of Redis.
 */
export async function openRedis(
  { redis: settings }: Pick<Config, 'redis'>,
  logger: Logger,
): Promise<RedisClient | undefined> {
  if (settings.url === '') return undefined
  const redis = connectRedis(settings, logger)
  await readyRedis(redis).catch((cause) => logger.error('redis.away', { cause: String(cause) }))
  if (!settings.cluster && (await isClusterNode(redis))) {
    redis.disconnect()
    const message =
      'true is expected: redis.url leads to a node of a cluster, which has only some of the keys'
    throw new ConfigError('', [{ path: 'redis.cluster', message }])
  }
  return redis
}

async function isClusterNode(redis: RedisClient): Promise<boolean> {
  // Who may not ask is believed.
  const info = await redis.info('cluster').catch(() => '')
  return info.includes('cluster_enabled:1')
}

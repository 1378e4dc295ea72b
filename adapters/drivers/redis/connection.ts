/** The connection to Redis that all stores of a process share. Commands fail at once while it is down: no call waits. */
import { Cluster, Redis, type RedisOptions } from 'ioredis'
import { ConfigError } from '../../../config/error.ts'
import type { Config } from '../../../config/schema.ts'
import { createOutage } from '../../../core/outage.ts'
import type { Logger } from '../../../core/ports.ts'

const COMMAND_TIMEOUT_MS = 1_000

/** A connection to a single server or to a cluster. */
export type RedisClient = Redis | Cluster

/** `cluster`: `url` is one node of a cluster, from which the client learns the others. */
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

/** Credentials for all nodes, because the addresses that a cluster reports have none. */
function credentialsOf(url: string): Pick<RedisOptions, 'username' | 'password' | 'tls'> {
  const { username, password, protocol } = new URL(url)
  return {
    ...(username && { username: decodeURIComponent(username) }),
    ...(password && { password: decodeURIComponent(password) }),
    ...(protocol === 'rediss:' && { tls: {} }),
  }
}

/** Resolves when commands can be sent; rejects after COMMAND_TIMEOUT_MS. */
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
 * Connects to `redis.url`; undefined if it is ''. If Redis is down the gateway starts all the same, and the ledger decides
 * about calls. Throws ConfigError if the URL is a node of a cluster but `redis.cluster` is false.
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
  // Without permission for INFO the setting is trusted.
  const info = await redis.info('cluster').catch(() => '')
  return info.includes('cluster_enabled:1')
}

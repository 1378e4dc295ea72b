/** The drivers of a Node process. */
import { dirname, join } from 'node:path'
import type { Duplex } from 'node:stream'
import type { Config } from '../../config/schema.ts'
import { systemClock } from '../../core/clock.ts'
import type { Logger } from '../../core/ports.ts'
import { fileArchive } from '../backup/archive.ts'
import { migrateDatabase, openStores, prepareDatabase } from '../compose.ts'
import { primaryHealth } from '../drivers/health/primary.ts'
import { redisHealth } from '../drivers/health/redis.ts'
import { journalledRecords } from '../drivers/ledger/journalled.ts'
import { primaryLedger } from '../drivers/ledger/primary.ts'
import { redisLedger } from '../drivers/ledger/redis.ts'
import { openChannel } from '../drivers/primary/channel.ts'
import { databaseClock } from '../drivers/storage/database-clock.ts'
import type { DatabaseThread } from '../drivers/storage/database-host.ts'
import { openFile, type Storage } from '../drivers/storage/libsql.ts'
import { openServedFile } from '../drivers/storage/served.ts'
import { createTurn } from '../drivers/turn.ts'
import { undiciUpstream } from '../drivers/upstream/undici.ts'
import { siteFrom } from '../shared/site.ts'
import { reportsOn } from './reports.ts'

const SITE = join(import.meta.dirname, '../../site/build')

/** Opens and migrates the database for a command; logs what a migration changes for callers. Throws if it cannot be used. */
export async function openStorage(config: Config, logger: Pick<Logger, 'info' | 'warn'>): Promise<Storage> {
  const storage = await opened(config, (path) => openFile(path, logger))
  await migrateDatabase(storage.db, config, logger)
  return storage
}

async function opened(
  { database: { path, url, auth_token } }: Config,
  openAt: (path: string) => Promise<Storage>,
): Promise<Storage> {
  return url ? serverAt(url, auth_token) : openAt(path)
}

/** Loaded only where it is configured, as Redis is, because each takes several MB of memory. */
async function serverAt(url: string, authToken: string): Promise<Storage> {
  const { openServer } = await import('../drivers/storage/libsql-http.ts')
  return openServer(url, authToken)
}

async function redisOf(config: Config, logger: Logger) {
  if (config.redis.url === '') return undefined
  const { openRedis } = await import('../drivers/redis/connection.ts')
  return openRedis(config, logger)
}

/** The folder of the database file, which also holds the journal. */
function dataFolder(config: Config): string {
  return dirname(config.database.path)
}

/** The drivers that stay open when the configuration changes. */
export async function openDrivers(
  config: Config,
  logger: Logger,
  { primary, thread }: { primary?: Duplex | undefined; thread?: DatabaseThread | undefined },
) {
  const clock = systemClock
  const turn = createTurn()
  const storage = await opened(config, (path) => openServedFile(path, logger, { ...config.journal, thread }))
  const { db, lastCommit } = storage
  await prepareDatabase(db, config, logger)
  const folder = join(dataFolder(config), 'journal')
  const records = await journalledRecords({ db, folder, ...config.journal, turn, clock, logger })
  const redis = await redisOf(config, logger)
  const channel = primary && (await openChannel(primary, turn))
  const { ledger, health } = await openStores(config, {
    place: redis ? 'Node' : 'Node without redis.url',
    db,
    records,
    clock,
    ...(config.database.url ? { databaseClock: await databaseClock(db, clock) } : {}),
    logger,
    ledgers: {
      ...(channel ? { local: (parts) => primaryLedger({ ...parts, channel }) } : {}),
      ...(redis ? { redis: (parts) => redisLedger({ ...parts, redis }) } : {}),
    },
    healths: {
      ...(channel ? { memory: () => primaryHealth(channel) } : {}),
      ...(redis ? { redis: () => redisHealth(redis) } : {}),
    },
  })
  const reports = storage.file && reportsOn(storage.file, logger)
  const upstream = undiciUpstream(process.env.NO_PROXY ?? process.env.no_proxy, turn)
  const archive = fileArchive(join(dataFolder(config), 'archive'))
  const site = siteFrom(SITE)
  if (!site) logger.warn('site.not_built', { hint: 'npm run build:site' })
  return {
    parts: {
      db,
      ...(lastCommit ? { lastCommit } : {}),
      clock,
      logger,
      ledger,
      health,
      upstream,
      archive,
      ...(site ? { site } : {}),
    },
    turn,
    channel,
    reports,
    async close() {
      await ledger.close()
      redis?.disconnect()
      await upstream.close()
      await reports?.close()
      await storage.close()
    },
  }
}

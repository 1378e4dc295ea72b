/** A gateway in a Node process: opens the drivers, serves, reloads and stops. */
import cluster from 'node:cluster'
import type { Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { dirname, join } from 'node:path'
import type { Config } from '../../config/schema.ts'
import { auditRow, COMMAND_LINE } from '../../core/audit/record.ts'
import type { BackendMemory } from '../../core/backends/memory.ts'
import { systemClock } from '../../core/clock.ts'
import type { Logger } from '../../core/ports.ts'
import { scheduleBackups } from '../backup/schedule.ts'
import { compose, openStores, prepareDatabase } from '../compose.ts'
import { redisHealth } from '../drivers/health/redis.ts'
import { journalledRecords } from '../drivers/ledger/journalled.ts'
import { redisLedger } from '../drivers/ledger/redis.ts'
import { openRedis } from '../drivers/redis/connection.ts'
import { databaseClock } from '../drivers/storage/database-clock.ts'
import { openFile, openServedFile, openServer, type Storage } from '../drivers/storage/libsql.ts'
import { undiciUpstream } from '../drivers/upstream/undici.ts'
import { codesFrom } from '../shared/codes.ts'
import { createPendingWork } from '../shared/pending-work.ts'
import { siteFrom } from '../shared/site.ts'
import { createHttpServer } from './http-server.ts'
import { upToRestart } from './reload.ts'
import { drain } from './stop.ts'
import { socketWire } from './wire.ts'

const SITE = join(import.meta.dirname, '../../site/build')
const TASK_TICK_MS = 100

export interface RunningServer {
  url: string
  /** The open database, for callers in the same process. */
  db: Storage['db']
  /** Adopts a new configuration for new requests; calls under way keep the old one. Rejects if it cannot be used. */
  reload(config: Config): Promise<void>
  /** Stops accepting work, lets answers end within `drain_timeout` and writes all records. A second call ends the wait. */
  stop(): Promise<void>
}

/** Opens and migrates the database for a command; logs what a migration changes for callers. Throws if it cannot be used. */
export async function openStorage(
  config: Config,
  logger: Pick<Logger, 'info' | 'warn'>,
  open: (path: string) => Promise<Storage> = (path) => openFile(path, logger),
): Promise<Storage> {
  const { path, url, auth_token } = config.database
  const storage = url ? openServer(url, auth_token) : await open(path)
  await prepareDatabase(storage.db, config, logger)
  return storage
}

/** The folder of the database file, which also holds the journal. */
function dataFolder(config: Config): string {
  return dirname(config.database.path)
}

/** The drivers that stay open when the configuration changes. */
async function openDrivers(config: Config, logger: Logger) {
  const clock = systemClock
  const storage = await openStorage(config, logger, (path) => openServedFile(path, logger, config.journal))
  const { db } = storage
  const folder = join(dataFolder(config), 'journal')
  const records = await journalledRecords({ db, folder, ...config.journal, clock, logger })
  const redis = await openRedis(config, logger)
  const { ledger, health } = await openStores(config, {
    place: redis ? 'Node' : 'Node without redis.url',
    db,
    records,
    clock,
    ...(config.database.url ? { databaseClock: await databaseClock(db, clock) } : {}),
    logger,
    ledgers: redis ? { redis: (parts) => redisLedger({ ...parts, redis }) } : {},
    healths: redis ? { redis: () => redisHealth(redis) } : {},
  })
  const upstream = undiciUpstream()
  const site = siteFrom(SITE)
  if (!site) logger.warn('site.not_built', { hint: 'npm run build:site' })
  return {
    parts: { db, clock, logger, ledger, health, upstream, ...(site ? { site } : {}) },
    async close() {
      await ledger.close()
      redis?.disconnect()
      await upstream.close()
      await storage.close()
    },
  }
}

export async function startServer(config: Config, logger: Logger): Promise<RunningServer> {
  const { parts, close } = await openDrivers(config, logger)
  const { db, clock } = parts
  const { waitUntil, settled } = createPendingWork()
  let stopping: Promise<void> | undefined
  const composed = async (settings: Config, known?: BackendMemory) => {
    const brought = {
      ...{ ...parts, waitUntil, wire: socketWire(waitUntil), codes: codesFrom(settings, logger) },
      accepting: () => !stopping,
      functions: process.env.GATEWAY_FUNCTIONS,
      listens: true,
      // Only one of several workers logs the warnings.
      warns: !cluster.worker || cluster.worker.id === 1,
    }
    const made = await compose(settings, brought, known)
    await made.deps.keyCache.refresh()
    return made
  }

  let settings = config
  let current = await composed(config)
  const server = createHttpServer((request, bindings) => current.gateway.fetch(request, bindings))
  const url = await listen(server, config)
  const checkBackends = () => void current.deps.catalogue.checkAll()
  checkBackends()
  const ticker = setInterval(() => void current.runTasks(), TASK_TICK_MS)
  const backups = scheduleBackups(() => settings, { db, clock, logger })
  logger.info('server.listening', { url, backends: current.deps.settings.backends.length })

  async function reload(next: Config) {
    const { changed, inForce } = upToRestart(config, next)
    for (const name of changed) logger.warn('config.needs_restart', { setting: name })
    current = await composed(inForce, current.deps.balancer.memory)
    settings = inForce
    checkBackends()
    await auditRow(db, { actor: COMMAND_LINE, at: clock.now(), action: 'config.reload', target: 'config' })
    logger.info('config.reloaded')
  }
  async function stop() {
    await drain(server, settings.server.drain_timeout)
    // Calls whose connections were closed notice it in the next turn of the event loop and settle then.
    await new Promise(setImmediate)
    await settled()
    clearInterval(ticker)
    await backups.stop()
    await close()
    logger.info('server.stopped')
  }
  return {
    url,
    db,
    reload,
    stop() {
      if (stopping) server.closeAllConnections()
      stopping ??= stop()
      return stopping
    },
  }
}

function listen(server: Server, { server: { port, host } }: Config): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>()
  server.once('error', reject)
  server.listen(port, host, () => {
    // The cast holds because the address is a string only for pipes.
    const { port: bound } = server.address() as AddressInfo
    resolve(`http://${host === '0.0.0.0' || host === '::' ? 'localhost' : host}:${bound}`)
  })
  return promise
}

/** One gateway on one Node process: opens the drivers, wires the core, serves, reloads and stops. */
import cluster from 'node:cluster'
import type { Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { dirname, join } from 'node:path'
import type { Config } from '../../config/schema.ts'
import { policyFrom } from '../../config/settings.ts'
import { warningsOf } from '../../config/warnings.ts'
import { auditRow, COMMAND_LINE } from '../../core/audit/record.ts'
import type { BackendMemory } from '../../core/backends/memory.ts'
import { systemClock } from '../../core/clock.ts'
import { migrate } from '../../core/db/migrate.ts'
import { createDeps, type Deps } from '../../core/deps.ts'
import { announceObjects } from '../../core/objects/announce.ts'
import type { Logger } from '../../core/ports.ts'
import { createTaskRunner } from '../../core/tasks.ts'
import { ensureAdmin, hasAdmin } from '../../core/users/first-admin.ts'
import { createGateway, functionsFrom } from '../../functions/gateway.ts'
import { databaseHealth } from '../drivers/health/database.ts'
import { memoryHealth } from '../drivers/health/memory.ts'
import { redisHealth } from '../drivers/health/redis.ts'
import { databaseLedger } from '../drivers/ledger/database.ts'
import { journalledRecords } from '../drivers/ledger/journalled.ts'
import { localLedger } from '../drivers/ledger/local.ts'
import { redisLedger } from '../drivers/ledger/redis.ts'
import { openRedis } from '../drivers/redis/connection.ts'
import { sha256 } from '../drivers/sha256.ts'
import { openFile, openServer, type Storage } from '../drivers/storage/libsql.ts'
import { openHealth, openLedger } from '../drivers/stores.ts'
import { undiciUpstream } from '../drivers/upstream/undici.ts'
import { codesFrom } from '../shared/codes.ts'
import { siteFrom } from '../shared/site.ts'
import { knownPrices, pricesFrom, shippedAbilities } from '../shared/tables.ts'
import { createHttpServer } from './http-server.ts'
import { upToRestart } from './reload.ts'
import { drain } from './stop.ts'
import { socketWire } from './wire.ts'

const SITE = join(import.meta.dirname, '../../site/build')
const TASK_TICK_MS = 100

export interface RunningServer {
  url: string
  /** For the command line and the demo. */
  db: Storage['db']
  /** Puts a new configuration in force between two requests. Calls under way keep the old one. */
  reload(config: Config): Promise<void>
  /** Refuses new work, lets streams end within the grace time, writes everything out. A second call cuts the grace short. */
  stop(): Promise<void>
}

/** `logger` is told what a new schema changes for callers. */
export async function openStorage(config: Config, logger: Pick<Logger, 'info' | 'warn'>): Promise<Storage> {
  const { path, url, auth_token } = config.database
  const storage = url ? openServer(url, auth_token) : await openFile(path)
  announceObjects(logger, await migrate(storage.db), config.objects)
  return storage
}

/** Where the journal and generated secrets are kept: beside the database file. */
export function dataFolder(config: Config): string {
  return dirname(config.database.path)
}

export async function startServer(config: Config, logger: Logger): Promise<RunningServer> {
  const clock = systemClock
  const storage = await openStorage(config, logger)
  const upstream = undiciUpstream()
  const { period, failClosed } = policyFrom(config).limits
  const folder = join(dataFolder(config), 'journal')
  const records = await journalledRecords({ db: storage.db, folder, clock, logger })
  const redis = await openRedis(config, logger)
  const shared = { db: storage.db, records, period, failClosed, clock, logger }
  const place = redis ? 'Node' : 'Node without redis.url'
  const ledger = await openLedger(config, {
    place,
    stores: {
      local: () => localLedger(shared),
      database: () => databaseLedger(shared),
      ...(redis && { redis: () => redisLedger({ ...shared, redis }) }),
    },
  })
  const healthStores = {
    memory: memoryHealth,
    database: () => databaseHealth(storage.db),
    ...(redis && { redis: () => redisHealth(redis) }),
  }
  const health = openHealth(config, { place, stores: healthStores })
  const pending = new Set<Promise<unknown>>()
  const waitUntil = (work: Promise<unknown>) => {
    const kept = work.catch(() => {}).finally(() => pending.delete(kept))
    pending.add(kept)
  }
  let stopping: Promise<void> | undefined
  const site = siteFrom(SITE)
  if (!site) logger.warn('site.not_built', { hint: 'npm run build:site' })

  const build = async (settings: Config, known?: BackendMemory) => {
    const deps = createDeps({
      db: storage.db,
      health,
      ledger,
      upstream,
      codes: codesFrom(settings, logger),
      clock,
      logger,
      policy: policyFrom(settings),
      prices: pricesFrom(settings),
      abilities: shippedAbilities(),
      sha256,
      random: Math.random,
      waitUntil,
      wire: socketWire(waitUntil),
      ...(site ? { site } : {}),
      accepting: () => !stopping,
      ...(known ? { backendMemory: known } : {}),
    })
    const admin = await ensureAdmin(deps)
    if (admin) logger.info('admin.created', { itcode: admin })
    await warn(settings)
    await deps.directory.refresh()
    return {
      deps,
      gateway: createGateway(deps, functionsFrom(process.env.GATEWAY_FUNCTIONS)),
      runTasks: createTaskRunner(deps),
    }
  }

  /** Once, where several processes read one file. */
  const warn = async (settings: Config) => {
    if (cluster.worker && cluster.worker.id > 1) return
    const known = { ...knownPrices(settings), hasAdmin: await hasAdmin(storage.db), listens: true }
    for (const { path, message } of warningsOf(settings, known)) {
      logger.warn('config.open', { setting: path, message })
    }
  }

  let settings = config
  let current = await build(settings)
  const server = createHttpServer((request, bindings) => current.gateway.fetch(request, bindings))
  const url = await listen(server, config)
  const startCheck = (deps: Deps) => void deps.catalogue.checkAll()
  startCheck(current.deps)
  const ticker = setInterval(() => void current.runTasks(), TASK_TICK_MS)
  logger.info('server.listening', { url, backends: current.deps.policy.backends.length })

  return {
    url,
    db: storage.db,
    async reload(next) {
      const { changed, inForce } = upToRestart(config, next)
      for (const name of changed) logger.warn('config.needs_restart', { setting: name })
      current = await build(inForce, current.deps.balancer.memory)
      settings = inForce
      startCheck(current.deps)
      const event = { actor: COMMAND_LINE, at: clock.now(), action: 'config.reload', target: 'config' }
      await auditRow(storage.db, event)
      logger.info('config.reloaded')
    },
    stop() {
      if (stopping) server.closeAllConnections()
      stopping ??= stop()
      return stopping
    },
  }

  async function stop() {
    await drain(server, settings.server.drain_timeout)
    // Calls that were cut with their connections hear of it in the next turn, and book what they know.
    await new Promise(setImmediate)
    while (pending.size > 0) await Promise.allSettled(pending)
    clearInterval(ticker)
    await ledger.close()
    redis?.disconnect()
    await upstream.close()
    storage.close()
    logger.info('server.stopped')
  }
}

function listen(server: Server, { server: { port, host } }: Config): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>()
  server.once('error', reject)
  server.listen(port, host, () => {
    // Only ever a pipe's name when listening on a pipe.
    const { port: bound } = server.address() as AddressInfo
    resolve(`http://${host === '0.0.0.0' || host === '::' ? 'localhost' : host}:${bound}`)
  })
  return promise
}

/** A gateway in a Node process: opens the drivers, serves, reloads and stops. */

import type { Server } from 'node:http'
import type { Duplex } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Config } from '../../config/schema.ts'
import { auditRow, SYSTEM } from '../../core/audit/record.ts'
import { renewCredentials } from '../../core/backends/credentials.ts'
import type { Deps } from '../../core/deps.ts'
import { rootOf } from '../../core/errors.ts'
import type { Logger } from '../../core/ports.ts'
import { scheduleBackups } from '../backup/schedule.ts'
import { type Composed, compose, type Runtime } from '../compose.ts'
import { compress } from '../drivers/compress.ts'
import { CHAINS } from '../drivers/credentials/chains.ts'
import { ldapLogin } from '../drivers/login/ldap.ts'
import type { DatabaseThread } from '../drivers/storage/database-host.ts'
import type { Turn } from '../drivers/turn.ts'
import { hostLookup } from '../shared/host-lookup.ts'
import { mailerFrom } from '../shared/mail.ts'
import { notifierFrom } from '../shared/notifier.ts'
import { createPendingWork } from '../shared/pending-work.ts'
import { watchDescriptors } from './descriptors.ts'
import { openDrivers } from './drivers.ts'
import { createHttpServer } from './http-server.ts'
import { whatStays } from './memory.ts'
import { createObservability } from './observability.ts'
import { upToRestart } from './reload.ts'
import type { ReportThreads } from './reports.ts'
import { createDeparture, type Departure } from './stop.ts'
import { socketWire } from './wire.ts'

/** As often as the most frequent task: each tick takes 0.3 ms of an idle process. */
const TASK_TICK_MS = 500
/** After the first answers, because tasks have much to do at first. */
const FIRST_TICK_MS = 100
/** How long the first check of the backends may keep a process from listening whose place others fill meanwhile. */
const CHECK_MS = 10_000

export interface RunningServer {
  url: string
  /** Adopts a new configuration for new requests; calls under way keep the old one. Rejects if it cannot be used. */
  reload(config: Config): Promise<void>
  /**
   * Says on /readyz that it leaves, takes calls for `acceptMs` more, by default `drain_delay`, lets answers end within
   * `drain_timeout` and writes all records. A second call, also after `retire`, waits no longer.
   */
  stop(acceptMs?: number): Promise<void>
  /** Leaves its place to another process on the same socket: takes no new connection and lets every answer end. */
  retire(): Promise<void>
}

export interface Place {
  /** A listening socket that another process opened, as a file descriptor; without it the server opens one. */
  socket?: number | undefined
  /** Whether to log warnings about the configuration; false if another process on it does. */
  warns: boolean
  /** The way to the primary process, which keeps what workers share; absent where this process is the only one. */
  primary?: Duplex
  /** Whether the backends are checked before the first connection is taken, because other processes serve meanwhile. */
  listensReady: boolean
  /** The thread for the database file, where it was started while this program was loaded. */
  thread?: DatabaseThread | undefined
}

/** Composes a gateway from settings, with all keys read. `before`: of the gateway that it replaces. */
function createComposer(
  reports: ReportThreads | undefined,
  brought: Omit<Runtime, 'mailer' | 'notifier' | 'ldap' | 'reports' | 'hasProxies' | 'functions' | 'listens'>,
) {
  return async (settings: Config, before?: Deps): Promise<Composed> => {
    const mailer = mailerFrom(settings, brought.logger)
    const notifier = notifierFrom(settings, brought.clock)
    const made = await compose(
      settings,
      {
        ...brought,
        mailer,
        notifier,
        ldap: ldapLogin,
        compress,
        lookup: hostLookup,
        platformCredentials: CHAINS,
        hasProxies: true,
        functions: process.env.GATEWAY_FUNCTIONS,
        listens: true,
        ...(reports ? { reports: reports.under(settings) } : {}),
      },
      before?.balancer.memory,
    )
    if (before) made.deps.telemetry.takeOver(before.telemetry.left())
    await whatStays(() => Promise.all([made.deps.keyCache.refresh(), renewCredentials(made.deps)]))
    return made
  }
}

export async function startServer(
  config: Config,
  logger: Logger,
  place: Place = { warns: true, listensReady: false },
): Promise<RunningServer> {
  const { parts, turn, channel, reports, close } = await openDrivers(config, logger, place)
  const { waitUntil, settled } = createPendingWork()
  let current: Composed
  const server = createHttpServer((request, bindings) => current.gateway.fetch(request, bindings), {
    turn,
    isLeaving: () => departure.leaving(),
  })
  const departure = createDeparture(server, async () => {
    // Calls whose connections were closed notice it in the next turn of the event loop and settle then.
    await new Promise(setImmediate)
    await settled()
    ticking.end()
    await Promise.all([backups.stop(), observability.close()])
    await close()
    logger.info('server.stopped')
  })
  const observability = createObservability({
    ...parts,
    config,
    channel,
    current: () => current.deps,
    leaving: departure.leaving,
  })
  const composed = createComposer(reports, {
    ...parts,
    observability,
    ...callsOn(server, departure, { turn, waitUntil, logger }),
    warns: place.warns,
  })

  let settings = config
  current = await composed(config)
  const checking = current.deps.catalogue.checkAll()
  if (place.listensReady) await Promise.race([checking, sleep(CHECK_MS, undefined, { ref: false })])
  await observability.begin()
  const url = await listen(server, config, place.socket)
  const ticking = beginTicking(() => void current.runTasks())
  const backups = scheduleBackups(() => settings, parts)
  logger.info('server.listening', { url, backends: current.deps.settings.backends.length })
  return {
    url,
    async reload(next) {
      const inForce = withoutRestart(config, next, logger)
      current = await composed(inForce, current.deps)
      settings = inForce
      void current.deps.catalogue.checkAll()
      await tellReload(parts)
    },
    stop(acceptMs = settings.server.drain_delay) {
      const { drain_delay: idleMs, drain_timeout: answerMs } = settings.server
      return departure.stop({ acceptMs, idleMs, answerMs })
    },
    retire: () => departure.retire(settings.server.drain_delay),
  }
}

/** How this server carries calls, and when it takes none. */
function callsOn(
  server: Server,
  departure: Departure,
  { turn, waitUntil, logger }: { turn: Turn } & Pick<Runtime, 'waitUntil' | 'logger'>,
) {
  return {
    waitUntil,
    wire: socketWire({ waitUntil, cuts: departure.cutting, turn }),
    accepting: departure.accepting,
    hasRoomForCall: watchDescriptors(server, logger),
  }
}

/** What of `next` can be put in force now; what cannot is logged. */
function withoutRestart(config: Config, next: Config, logger: Logger): Config {
  const { changed, inForce } = upToRestart(config, next)
  for (const name of changed) logger.warn('config.needs_restart', { setting: name })
  return inForce
}

/** Never rejects, because the configuration is in force already. */
async function tellReload({ db, clock, logger }: Pick<Deps, 'db' | 'clock' | 'logger'>): Promise<void> {
  logger.info('config.reloaded')
  const event = { actor: SYSTEM, at: clock.now(), action: 'config.reload', target: 'config' } as const
  await auditRow(db, event).catch((cause) =>
    logger.error('audit.failed', { action: event.action, cause: String(rootOf(cause)) }),
  )
}

function listen(server: Server, { server: { port, host } }: Config, socket?: number): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>()
  server.once('error', reject)
  const where = socket === undefined ? { port, host } : { fd: socket }
  server.listen(where, () => {
    const bound = server.address()
    // The address of a socket in the file system is a string; a listening server has one.
    if (bound === null || typeof bound === 'string') return resolve(`unix:${bound}`)
    const { address, family } = bound
    const everywhere = address === '0.0.0.0' || address === '::'
    resolve(`http://${everywhere ? 'localhost' : family === 'IPv6' ? `[${address}]` : address}:${bound.port}`)
  })
  return promise
}

function beginTicking(tick: () => void): { end(): void } {
  let timer = setTimeout(next, FIRST_TICK_MS)
  function next() {
    tick()
    timer = setTimeout(next, TASK_TICK_MS)
  }
  return { end: () => clearTimeout(timer) }
}

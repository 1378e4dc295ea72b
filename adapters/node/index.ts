/** `npm start`: runs the gateway on Node and handles signals. */
import cluster from 'node:cluster'
import { setFlagsFromString } from 'node:v8'
import { ConfigError } from '../../config/error.ts'
import type { Config } from '../../config/schema.ts'
import { systemClock } from '../../core/clock.ts'
import type { Logger } from '../../core/ports.ts'
import { hostFigures } from '../drivers/primary/figures.ts'
import { createPrimaryStores } from '../drivers/primary/stores.ts'
import { type DatabaseThread, startDatabaseThread } from '../drivers/storage/database-host.ts'
import { problemOf } from '../shared/problem.ts'
import {
  EXIT_CONFIG,
  inForceOf,
  NoConfig,
  readSettings,
  readSettingsFile,
  type SettingsFile,
} from '../shared/settings.ts'
import { VERSION } from '../shared/version.ts'
import { superviseWorkers } from './cluster.ts'
import { openLog } from './log.ts'
import { collectAsItGrows } from './memory.ts'
import { serveMetrics } from './metrics-server.ts'
import { readsMetrics } from './observability.ts'
import { watchProcess } from './process-figures.ts'
import { upToRestart } from './reload.ts'
import { oneAtATime } from './restarts.ts'
import { start } from './starting.ts'
import { notifyStarted, socketOfSystemd } from './systemd.ts'
import { work } from './worker.ts'

// After a thousand concurrent streams V8 assumes that a call's objects live long and allocates them as old ones for good,
// which made each later call of the benchmark cost half as much again.
setFlagsFromString('--no-allocation-site-pretenuring')
collectAsItGrows()

try {
  // Before anything else, because that takes as long as all the rest of the start.
  const thread = startDatabaseThread()
  await (cluster.isPrimary ? main(thread) : work(thread))
} catch (cause) {
  console.error(problemOf(cause))
  const isConfig = cause instanceof ConfigError || cause instanceof NoConfig
  process.exit(isConfig ? EXIT_CONFIG : codeOf(cause))
}

async function main(thread: DatabaseThread) {
  const reloading = heardFrom('SIGHUP')
  const replacing = heardFrom('SIGUSR2')
  const found = readSettingsFile()
  const { config, file } = found ? inForceOf(found) : { config: readSettings(), file: undefined }
  const logger = openLog(config)
  logger.info('server.starting', { version: VERSION, node: process.version })
  const socket = socketOfSystemd(process.env, process.pid)
  if (file && config.server.workers > 1) {
    void thread.end()
    await supervise(config, { file, socket, logger, reloading, replacing })
  } else await serve(config, { socket, logger, thread, reloading, replacing })
  notifyStarted(process.env, logger)
}

interface Parts {
  socket: number | undefined
  logger: Logger
  reloading: Heard
  replacing: Heard
}

/** Calls `action` at each signal, and for one that came before. */
type Heard = (action: () => void) => void

/** Heard from now on, because a signal that nobody hears ends the process, and a start may take minutes of migrating. */
function heardFrom(signal: 'SIGHUP' | 'SIGUSR2'): Heard {
  let act: (() => void) | undefined
  let came = false
  process.on(signal, () => {
    came = true
    act?.()
  })
  return (action) => {
    act = action
    if (came) action()
  }
}

async function serve(config: Config, parts: Parts & { thread: DatabaseThread }) {
  const { socket, logger, thread, reloading, replacing } = parts
  const server = await start(config, logger, { socket, thread, warns: true, listensReady: false })
  onStop(logger, (now) => {
    const stopped = now ? server.stop(0) : server.stop()
    void stopped.then(() => process.exit(0))
  })
  // One after the other, because the one that was read first may take longer, and would then be in force.
  const reload = oneAtATime<Config>(async (next) => {
    const failed = (cause: unknown) => logger.error('config.reload_failed', { cause: String(cause) })
    if (next) await server.reload(next).catch(failed)
  })
  reloading(() => reading(logger, () => reload(readSettings())))
  replacing(() => logger.warn('cluster.no_workers', { hint: 'server.workers: 2 or more' }))
}

async function supervise(
  config: Config,
  { file, socket, logger, reloading, replacing }: Parts & { file: SettingsFile },
) {
  const { workers: count } = config.server
  const onFailed = (code: number) => process.exit(code)
  const hosted = hostFigures(readsMetrics(config) ? watchProcess() : undefined)
  await serveMetrics(config, logger, async () => hosted.figures())
  const serveStores = createPrimaryStores(systemClock, hosted)
  const supervisor = await superviseWorkers({ count, file, socket, logger, serveStores, onFailed })
  onStop(logger, supervisor.stop)
  reloading(() =>
    reading(logger, () => {
      const found = readSettingsFile()
      if (!found) throw new NoConfig(`${file.file}: cannot be read.`)
      const next = inForceOf(found)
      const { changed } = upToRestart(config, next.config)
      for (const name of changed) logger.warn('config.needs_restart', { setting: name })
      supervisor.restart(next.file)
    }),
  )
  replacing(() => supervisor.restart())
}

/** At Ctrl-C nobody asks /readyz, so new calls are refused at once. */
function onStop(logger: Logger, stop: (now: boolean) => void) {
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    process.on(signal, () => {
      logger.info('server.stopping', { signal })
      stop(signal === 'SIGINT')
    })
  }
}

/** A configuration that cannot be read or used leaves the running one as it is. */
function reading(logger: Logger, read: () => void) {
  try {
    read()
  } catch (cause) {
    logger.error('config.reload_failed', { cause: cause instanceof Error ? cause.message : String(cause) })
  }
}

/** The exit code of a worker that could not start, because its primary ends for the same reason. */
function codeOf(cause: unknown): number {
  return cause instanceof Error && 'code' in cause && typeof cause.code === 'number' ? cause.code : 1
}

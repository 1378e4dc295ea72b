/** `npm start`: runs the gateway on Node and handles signals. */
import cluster from 'node:cluster'
import { setFlagsFromString } from 'node:v8'
import { ConfigError } from '../../config/error.ts'
import { systemClock } from '../../core/clock.ts'
import { createLogger } from '../../core/logger.ts'
import { flushPrint, print } from '../cli/print.ts'
import { EXIT_CONFIG, NoConfig, readSettings } from '../shared/settings.ts'
import { VERSION } from '../shared/version.ts'
import { superviseWorkers } from './cluster.ts'
import { startServer } from './server.ts'

// After a thousand concurrent streams V8 assumes that a call's objects live long and allocates them as old ones for good,
// which made each later call of the benchmark cost half as much again.
setFlagsFromString('--no-allocation-site-pretenuring')

function settingsOrExit() {
  try {
    return readSettings()
  } catch (cause) {
    if (!(cause instanceof ConfigError || cause instanceof NoConfig)) throw cause
    console.error(cause.message)
    process.exit(EXIT_CONFIG)
  }
}

const config = settingsOrExit()
const logger = createLogger({ ...config.log, clock: systemClock, print })
if (cluster.isPrimary) logger.info('server.starting', { version: VERSION, node: process.version })
process.once('exit', flushPrint)

// The process exits, because its state is unknown. Records are safe in the journal.
for (const event of ['uncaughtException', 'unhandledRejection'] as const) {
  process.once(event, (cause: unknown) => {
    logger.error('process.crashed', {
      event,
      cause: cause instanceof Error ? (cause.stack ?? cause.message) : String(cause),
    })
    flushPrint()
    process.exit(1)
  })
}

if (config.server.workers > 1 && cluster.isPrimary) superviseWorkers(config.server.workers, logger)
else await serve()

async function serve() {
  const server = await startServer(config, logger).catch((cause: unknown) => {
    console.error(cause instanceof Error ? cause.message : String(cause))
    process.exit(cause instanceof ConfigError ? EXIT_CONFIG : 1)
  })

  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    process.on(signal, () => {
      logger.info('server.stopping', { signal })
      void server.stop().then(() => process.exit(0))
    })
  }

  process.on('SIGHUP', () => {
    try {
      server
        .reload(readSettings())
        .catch((cause) => logger.error('config.reload_failed', { cause: String(cause) }))
    } catch (cause) {
      // The running configuration stays as it is.
      logger.error('config.reload_failed', { cause: cause instanceof Error ? cause.message : String(cause) })
    }
  })
}

/** The log of a process, which also gets its crashes. */
import type { Config } from '../../config/schema.ts'
import { systemClock } from '../../core/clock.ts'
import { createLogger } from '../../core/logger.ts'
import type { Logger } from '../../core/ports.ts'
import { flushPrint, print } from '../cli/print.ts'

/** Called once in a process. An error that nothing caught ends the process with 1. */
export function openLog({ log }: Pick<Config, 'log'>): Logger {
  const logger = createLogger({ ...log, clock: systemClock, print })
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
  return logger
}

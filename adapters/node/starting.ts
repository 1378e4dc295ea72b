/** Starts a server soon: settings are read and most of the program is loaded while the thread of its database file starts. */
import type { Config } from '../../config/schema.ts'
import type { Logger } from '../../core/ports.ts'
import type { DatabaseThread } from '../drivers/storage/database-host.ts'
import type { Place, RunningServer } from './server.ts'

export async function start(
  config: Config,
  logger: Logger,
  place: Place & { thread: DatabaseThread },
): Promise<RunningServer> {
  if (config.database.url) void place.thread.end()
  const { startServer } = await import('./server.ts')
  return startServer(config, logger, place)
}

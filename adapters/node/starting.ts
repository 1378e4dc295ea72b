/** Starts a server soon: most of the program is loaded while the thread of its database file starts. */
import type { Config } from '../../config/schema.ts'
import type { Logger } from '../../core/ports.ts'
import { startDatabaseThread } from '../drivers/storage/database-host.ts'
import type { Place, RunningServer } from './server.ts'

export async function start(config: Config, logger: Logger, place: Place): Promise<RunningServer> {
  const thread = config.database.url ? undefined : startDatabaseThread()
  const { startServer } = await import('./server.ts')
  return startServer(config, logger, { ...place, thread })
}

/** One of several processes on one port (`server.workers`). It does what the primary tells it. */
import cluster from 'node:cluster'
import { once } from 'node:events'
import { Socket } from 'node:net'
import type { Logger } from '../../core/ports.ts'
import type { DatabaseThread } from '../drivers/storage/database-host.ts'
import { settingsOf } from '../shared/settings.ts'
import { openLog } from './log.ts'
import { upToRestart } from './reload.ts'
import type { RunningServer } from './server.ts'
import { start } from './starting.ts'
import { Order, Start } from './worker-orders.ts'

/** Serves until the primary ends it. Rejects with what kept it from starting. */
export async function work(thread: DatabaseThread): Promise<void> {
  // A terminal and systemd signal every process of a group. The primary hears it too and says what is to be done.
  for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP', 'SIGUSR2'] as const) process.on(signal, () => {})
  const [first] = await once(process, 'message')
  const { started, inForce, socket, primary: fd, warns } = Start.parse(first)
  const config = upToRestart(settingsOf(started), settingsOf(inForce)).inForce
  const logger = openLog(config)
  const primary = fd === undefined ? undefined : new Socket({ fd, readable: true, writable: true })
  const place = { socket, thread, warns, ...(primary && { primary }), listensReady: true }
  const server = await start(config, logger, place)
  endWithPrimary(server, primary, logger)
  process.on('message', (message) => {
    const order = Order.parse(message)
    const ended = order === 'retire' ? server.retire() : order === 'stop' ? server.stop() : server.stop(0)
    void ended.then(() => process.exit(0))
  })
}

/**
 * A worker without its primary would keep the port from the next one and know no limits. It cuts its answers and writes their
 * records.
 */
function endWithPrimary(server: RunningServer, primary: Socket | undefined, logger: Logger) {
  const { worker } = cluster
  // Before that Node itself would still send to the primary, and throw.
  primary?.once('close', () => {
    if (process.connected) process.disconnect()
  })
  worker?.on('disconnect', () => {
    // Otherwise Node ends the process right after this.
    worker.exitedAfterDisconnect = true
    logger.error('cluster.primary_gone')
    void server.stop(0)
    void server.stop().then(() => process.exit(0))
  })
}

/**
 * `server.workers`: several processes on one port. The primary serves no calls; it starts the workers, replaces those that die
 * and, at a signal, all of them one by one, and keeps what they share in its memory.
 *
 * Decision: the workers share one listening socket, because a primary that hands connections over keeps those of a worker
 * that was killed open for ever, and because sockets of their own (SO_REUSEPORT) take waiting connections with them.
 */
import cluster, { type Worker } from 'node:cluster'
import type { Logger } from '../../core/ports.ts'
import type { ServeWorker } from '../drivers/primary/stores.ts'
import type { SettingsFile } from '../shared/settings.ts'
import { oneAtATime } from './restarts.ts'
import type { Order } from './worker-orders.ts'
import { createWorkerPool } from './worker-pool.ts'

interface Supervisor {
  /** Replaces all workers one by one, each by one that listens already. `inForce`: the configuration from now on. */
  restart(inForce?: SettingsFile): void
  /** Ends the workers, then the process with 0. `now`: new calls are refused at once. A second call cuts their answers. */
  stop(now: boolean): void
}

/** Starts the workers. Resolves when all listen; rejects with a FailedStart if the first one does not. */
export async function superviseWorkers(parts: {
  count: number
  /** The configuration at the start. */
  file: SettingsFile
  socket: number | undefined
  logger: Logger
  /** Answers what workers ask of the stores that they share. */
  serveStores: ServeWorker
  /** No worker is left and none can be started; `code`: how the last one ended. */
  onFailed(code: number): void
}): Promise<Supervisor> {
  const { count, logger } = parts
  cluster.schedulingPolicy = cluster.SCHED_NONE
  cluster.setupPrimary({ stdio: ['inherit', 'inherit', 'inherit', 'ipc', 'pipe'] })
  const pool = createWorkerPool(parts)
  const { serving } = pool

  function retire(worker: Worker) {
    if (serving.delete(worker)) tell(worker, 'retire')
  }
  async function restartAll(next: SettingsFile) {
    const old = [...serving]
    const before = pool.use(next)
    try {
      // Only the first may fail for good: what one worker could start with, the others can.
      await pool.start(true)
    } catch (cause) {
      pool.use(before)
      logger.error('cluster.restart_failed', { cause: String(cause) })
      return
    }
    for (const [i, worker] of old.entries()) {
      if (i > 0 && serving.has(worker)) await pool.replace()
      if (pool.stopping()) return
      retire(worker)
    }
    // One that died meanwhile was replaced twice.
    for (const spare of [...serving].slice(count)) retire(spare)
    logger.info('cluster.restarted', { workers: serving.size })
  }

  await pool.start(true)
  await Promise.all(Array.from({ length: count - 1 }, pool.replace))
  logger.info('cluster.started', { workers: serving.size })
  return {
    restart: oneAtATime((next) => restartAll(next ?? pool.inForce())),
    stop(now) {
      pool.stop()
      const left = Object.values(cluster.workers ?? {})
      for (const worker of left) if (worker) tell(worker, now ? 'stop now' : 'stop')
      const endWithLast = () => Object.keys(cluster.workers ?? {}).length === 0 && process.exit(0)
      cluster.on('exit', endWithLast)
      endWithLast()
    },
  }
}

function tell(worker: Worker, order: Order) {
  // A worker that ended in this moment needs no order.
  if (worker.isConnected()) worker.send(order, () => {})
}

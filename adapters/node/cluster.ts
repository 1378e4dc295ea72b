/** `server.workers`: several processes on one port. The first only starts the others, passes signals on, and starts anew what died. */
import cluster, { type Worker } from 'node:cluster'
import type { Logger } from '../../core/ports.ts'

const RESTART_MS = 1_000

/** Starts the workers and looks after them. Never returns: the process ends with its last worker. */
export function superviseWorkers(count: number, logger: Logger): void {
  let stopping = false
  const each = (action: (worker: Worker) => void) =>
    Object.values(cluster.workers ?? {}).map((one) => one && action(one))
  for (let i = 0; i < count; i++) cluster.fork()
  logger.info('cluster.started', { workers: count })

  cluster.on('exit', (worker, code, signal) => {
    if (stopping) {
      if (Object.keys(cluster.workers ?? {}).length === 0) process.exit(0)
      return
    }
    logger.error('cluster.worker_died', { pid: worker.process.pid, code, signal })
    // Not at once: what dies at its start would otherwise be started without end.
    setTimeout(() => !stopping && cluster.fork(), RESTART_MS)
  })
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    process.on(signal, () => {
      stopping = true
      each((worker) => worker.process.kill(signal))
    })
  }
  process.on('SIGHUP', () => each((worker) => worker.process.kill('SIGHUP')))
}

/** `server.workers`: several processes on one port. The primary starts them, forwards signals and replaces dead ones. */
import cluster, { type Worker } from 'node:cluster'
import type { Logger } from '../../core/ports.ts'

const RESTART_MS = 1_000

/** Starts the workers and replaces those that die. After a signal the process ends with its last worker. */
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
    // Delayed, because a worker that dies at its start would otherwise be restarted in a busy loop.
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

/** The workers that serve: starts them with the configuration in force, and replaces those that die. */
import cluster, { type Worker } from 'node:cluster'
import { once } from 'node:events'
import { Duplex } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Logger } from '../../core/ports.ts'
import type { ServeWorker } from '../drivers/primary/stores.ts'
import type { SettingsFile } from '../shared/settings.ts'
import { PRIMARY_SOCKET, type Start } from './worker-orders.ts'

const RETRY_MS = 1_000

/** A worker ended with `code` before it listened. */
class FailedStart extends Error {
  readonly code: number
  constructor(code: number) {
    super(`a worker ended with ${code} before it listened`)
    this.code = code
  }
}

interface WorkerPool {
  /** Those that listen and were not told to leave. One that is taken out is not replaced when it ends. */
  serving: Set<Worker>
  inForce(): SettingsFile
  /** Sets the configuration of workers that start from now on; returns the one before. */
  use(file: SettingsFile): SettingsFile
  /** Resolves when the worker listens. Rejects with a FailedStart if it ends before. */
  start(warns: boolean): Promise<Worker>
  /** Starts a worker, again and again while others serve. */
  replace(): Promise<void>
  /** From now on nobody is replaced. */
  stop(): void
  stopping(): boolean
}

function fork(serveStores: ServeWorker): Worker {
  const worker = cluster.fork()
  const channel = worker.process.stdio[PRIMARY_SOCKET]
  if (channel instanceof Duplex) serveStores(channel)
  return worker
}

interface Parts {
  file: SettingsFile
  socket: number | undefined
  logger: Logger
  /** Answers what workers ask of the stores that they share. */
  serveStores: ServeWorker
  onFailed(code: number): void
}

export function createWorkerPool({ file, socket, logger, serveStores, onFailed }: Parts): WorkerPool {
  let inForce = file
  let stopping = false
  const serving = new Set<Worker>()
  let starting = 0

  async function start(warns: boolean): Promise<Worker> {
    starting += 1
    const worker = fork(serveStores)
    const order: Start = { started: file, inForce, socket, primary: PRIMARY_SOCKET, warns }
    worker.send(order)
    const ended = once(worker, 'exit').then(([code, signal]) => ({ code, signal }))
    const listening = once(worker, 'listening').then(() => undefined)
    const early = await Promise.race([listening, ended])
    starting -= 1
    if (early) throw new FailedStart(early.code || 1)
    serving.add(worker)
    void ended.then(({ code, signal }) => {
      if (!serving.delete(worker) || stopping) return
      logger.error('cluster.worker_died', { pid: worker.process.pid, code, signal })
      void replace()
    })
    return worker
  }
  async function replace() {
    while (!stopping) {
      try {
        await start(false)
        return
      } catch (cause) {
        logger.error('cluster.start_failed', { cause: String(cause) })
        const code = cause instanceof FailedStart ? cause.code : 1
        if (serving.size === 0 && starting === 0 && !stopping) onFailed(code)
        await sleep(RETRY_MS)
      }
    }
  }
  return {
    serving,
    inForce: () => inForce,
    use(next) {
      const before = inForce
      inForce = next
      return before
    },
    start,
    replace,
    stop() {
      stopping = true
    },
    stopping: () => stopping,
  }
}

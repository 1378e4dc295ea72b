/** How much of this process's memory the bodies of requests may take up. */
import { totalmem } from 'node:os'
import type { Config } from '../../config/schema.ts'

/** Of the whole; the rest is for the program, for answers, and for what the collector has not freed yet. */
const SHARE = 1 / 4
const MOST_BYTES = 2 ** 30

/** The memory of the container, or of the machine where there is no limit, in bytes. */
function memoryOfProcess(): number {
  // Without a limit some kernels report one that no machine has, others 0.
  return Math.min(process.constrainedMemory() || Number.POSITIVE_INFINITY, totalmem())
}

/** The configuration with `limits.body_memory`. Where it is left open, the processes on this configuration share a quarter. */
export function withBodyMemory(config: Config, memoryBytes = memoryOfProcess()): Config {
  const { limits, server } = config
  const share = Math.floor(Math.min((memoryBytes * SHARE) / server.workers, MOST_BYTES))
  return { ...config, limits: { ...limits, body_memory: limits.body_memory ?? share } }
}

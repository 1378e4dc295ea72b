/** The figures of a gateway process: what is counted, and what is looked up when somebody asks. */
import type { Config } from '../../config/schema.ts'
import type { Deps } from '../../core/deps.ts'
import { gauge, gaugesOf, liveStateOf } from '../../core/observability/gauges.ts'
import { createLive } from '../../core/observability/live.ts'
import { createMetricsMemory } from '../../core/observability/metrics.ts'
import type { Observability } from '../../core/observability/observability.ts'
import type { Series } from '../../core/observability/series.ts'
import type { Clock, Logger } from '../../core/ports.ts'
import { watchProcess } from './process-figures.ts'

/** Whether anybody is to read metrics. */
function readsMetrics({ metrics }: Config): boolean {
  return metrics.port !== null || metrics.token !== ''
}

/** `current`: the gateway in force. `leaving`: whether the process ends. */
export function createObservability(parts: {
  config: Config
  clock: Clock
  logger: Logger
  current(): Pick<Deps, 'balancer' | 'ledger' | 'intake' | 'version'>
  leaving(): boolean
}): Observability {
  const { config, clock, logger, current, leaving } = parts
  const memory = createMetricsMemory(clock)
  const ofProcess = readsMetrics(config) ? watchProcess() : () => []
  const gauges = (): Series[] => [
    ...gaugesOf(current(), memory),
    gauge('claude_gateway.live.readers', live.readers()),
    ...ofProcess(),
  ]
  const processes = {
    figures: async () => [...memory.registry.all(), ...gauges()],
    live: async () => [liveStateOf(current(), memory)],
  }
  const live = createLive({ clock, logger, processes, leaving })
  return { memory, processes, live }
}

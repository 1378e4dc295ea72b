/** The figures of a gateway process: what is counted, and what is looked up when somebody asks. */
import type { Config } from '../../config/schema.ts'
import type { Deps } from '../../core/deps.ts'
import { gauge, gaugesOf, liveStateOf } from '../../core/observability/gauges.ts'
import { createLive } from '../../core/observability/live.ts'
import { createMetricsMemory } from '../../core/observability/metrics.ts'
import type { Observability } from '../../core/observability/observability.ts'
import type { Processes } from '../../core/observability/processes.ts'
import type { Series } from '../../core/observability/series.ts'
import type { Clock, Logger } from '../../core/ports.ts'
import type { Otlp } from '../drivers/otlp/exporter.ts'
import type { PrimaryChannel } from '../drivers/primary/channel.ts'
import { type PrimaryFigures, primaryFigures } from '../drivers/primary/figures.ts'
import { serveMetrics } from './metrics-server.ts'
import { watchProcess } from './process-figures.ts'

const REPORT_MS = 1_000

/** Whether anybody is to read metrics. */
export function readsMetrics({ metrics }: Pick<Config, 'metrics'>): boolean {
  return metrics.port !== null || metrics.token !== ''
}

function exportsMetrics({ otlp }: Config): boolean {
  return otlp.endpoint !== '' && otlp.metrics
}

export interface ProcessObservability extends Observability {
  /**
   * Begins to serve the metrics on their port or, in a worker, to report them; and to export them. Rejects if the port is taken.
   */
  begin(): Promise<void>
  close(): Promise<void>
}

/**
 * `current`: the gateway in force. `leaving`: whether the process ends. `channel`: the way to the primary process, whose
 * workers are shown as one.
 */
export function createObservability(parts: {
  config: Config
  clock: Clock
  logger: Logger
  channel: PrimaryChannel | undefined
  current(): Pick<Deps, 'balancer' | 'ledger' | 'intake' | 'version'>
  leaving(): boolean
}): ProcessObservability {
  const { config, clock, logger, channel, current, leaving } = parts
  const memory = createMetricsMemory(clock)
  const isRead = readsMetrics(config)
  const ofProcess = isRead || exportsMetrics(config) ? watchProcess() : () => []
  let otlp: Otlp | undefined
  const gauges = (): Series[] => [
    ...gaugesOf(current(), memory),
    gauge('claude_gateway.live.readers', live.readers()),
    ...(otlp ? [gauge('claude_gateway.otlp.waiting', otlp.waiting())] : []),
    ...ofProcess(),
  ]
  const ownLive = () => liveStateOf(current(), memory)
  const shared =
    channel &&
    primaryFigures(channel, {
      changes: () => (isRead ? [...memory.registry.changes(), ...gauges()] : []),
      live: ownLive,
    })
  const processes: Processes = shared ?? {
    figures: async () => [...memory.registry.all(), ...gauges()],
    live: async () => [ownLive()],
  }
  const live = createLive({ clock, logger, processes, leaving })
  let end: () => void | Promise<void> = () => {}
  return {
    memory,
    processes,
    live,
    async begin() {
      end = shared ? reporting(shared) : await serveMetrics(config, logger, processes.figures)
      if (config.otlp.endpoint === '') return
      const { openOtlp } = await import('../drivers/otlp/exporter.ts')
      const figures = () => [...memory.registry.all(), ...gauges()]
      otlp = openOtlp({ config: config.otlp, version: current().version, memory, figures, logger })
    },
    async close() {
      await Promise.all([end(), otlp?.close()])
    },
  }
}

/** Tells the primary process once a second how this worker is; the returned function tells it for the last time. */
function reporting({ report }: PrimaryFigures): () => void {
  report()
  const timer = setInterval(report, REPORT_MS)
  return () => {
    clearInterval(timer)
    report()
  }
}

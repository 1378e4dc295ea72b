/** What a runtime brings that can tell its figures. */
import type { Live } from './live.ts'
import type { MetricsMemory } from './metrics.ts'
import type { Processes } from './processes.ts'

export interface Observability {
  memory: MetricsMemory
  processes: Processes
  live: Live
}

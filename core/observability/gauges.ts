/** What is looked up when somebody asks, instead of being counted. */
import type { Deps } from '../deps.ts'
import type { MetricsMemory } from './metrics.ts'
import type { LiveState } from './processes.ts'
import type { Series } from './series.ts'
import type { MetricName } from './table.ts'

type GaugeParts = Pick<Deps, 'balancer' | 'ledger' | 'intake' | 'version'>

/** A process as its metrics show it. */
export function gaugesOf({ balancer, ledger, intake, version }: GaugeParts, memory: MetricsMemory): Series[] {
  const { records, journalBytes } = ledger.waiting()
  return [
    gauge('claude_gateway.calls.in_flight', memory.inFlight()),
    ...balancer
      .views()
      .flatMap(({ backend: { name }, inFlight, state, models }) => [
        gauge('claude_gateway.backend.calls.in_flight', inFlight, name),
        gauge('claude_gateway.backend.state', 1, name, state),
        ...models.map((model) =>
          gauge('claude_gateway.backend.model.state', 1, name, model.model, model.state),
        ),
      ]),
    gauge('claude_gateway.records.waiting', records),
    gauge('claude_gateway.journal.size', journalBytes),
    gauge('claude_gateway.records.failing', ledger.healthy() ? 0 : 1),
    gauge('claude_gateway.bodies.size', intake.heldBytes()),
    gauge('claude_gateway.processes', 1),
    gauge('claude_gateway.build.info', 1, version),
  ]
}

export function gauge(metric: MetricName, value: number, ...labels: string[]): Series {
  return { metric, labels, numbers: [value] }
}

/** A process as live figures show it. */
export function liveStateOf({ balancer }: Pick<Deps, 'balancer'>, memory: MetricsMemory): LiveState {
  return {
    callsInFlight: memory.inFlight(),
    recent: memory.recent.sums(),
    backends: balancer.views().map(({ backend: { name }, state, inFlight }) => ({ name, state, inFlight })),
  }
}

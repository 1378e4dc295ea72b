/**
 * Every metric of the gateway. Names, units, labels and buckets are OpenTelemetry's where it has a convention
 * (https://opentelemetry.io/docs/specs/semconv/gen-ai/gen-ai-metrics/, .../http/http-metrics/, .../runtime/nodejs-metrics/,
 * .../system/process-metrics/); all others begin with claude_gateway.
 */
export interface Metric {
  kind: 'counter' | 'gauge' | 'histogram'
  /** UCUM; braces hold what is counted. */
  unit: string
  help: string
  labels: readonly string[]
  /** Labels that never vary. */
  constant?: Readonly<Record<string, string>>
  /** Upper bounds of a histogram's buckets. */
  bounds?: readonly number[]
  /** What several processes show of a gauge: the sum, or the highest. */
  merge?: 'highest'
}

const CLAUDE = { 'gen_ai.operation.name': 'chat', 'gen_ai.provider.name': 'anthropic' }

export const METRICS = {
  'claude_gateway.calls': {
    kind: 'counter',
    unit: '{call}',
    help: 'Calls to a model that are over, by how they ended.',
    labels: ['route', 'model', 'backend', 'outcome'],
  },
  'claude_gateway.calls.in_flight': {
    kind: 'gauge',
    unit: '{call}',
    help: 'Calls that were sent to a backend and are not over.',
    labels: [],
  },
  'claude_gateway.tokens': {
    kind: 'counter',
    unit: '{token}',
    help: 'Tokens of calls as billed, by class.',
    labels: ['model', 'backend', 'class'],
  },
  'claude_gateway.cost.usd': {
    kind: 'counter',
    unit: '{USD}',
    help: 'What the calls cost, in US dollars.',
    labels: ['model', 'backend'],
  },
  'claude_gateway.batch.requests': {
    kind: 'counter',
    unit: '{request}',
    help: 'Requests of batches that succeeded, counted when their batch has ended and is booked.',
    labels: ['model', 'backend'],
  },
  'claude_gateway.batch.tokens': {
    kind: 'counter',
    unit: '{token}',
    help: 'Tokens of batches as billed, by class; they are not among those of calls.',
    labels: ['model', 'backend', 'class'],
  },
  'claude_gateway.batch.cost.usd': {
    kind: 'counter',
    unit: '{USD}',
    help: 'What batches cost, in US dollars; it is not in the cost of calls.',
    labels: ['model', 'backend'],
  },
  'claude_gateway.attempts.failed': {
    kind: 'counter',
    unit: '{attempt}',
    help: 'Attempts at a backend that failed, by what the failure says.',
    labels: ['backend', 'verdict'],
  },
  'claude_gateway.limit.refusals': {
    kind: 'counter',
    unit: '{call}',
    help: 'Calls that a limit refused, and whose limit it was.',
    labels: ['limit', 'scope'],
  },
  'claude_gateway.errors': {
    kind: 'counter',
    unit: '{error}',
    help: 'Requests that the gateway itself answered with an error, by its code.',
    labels: ['code'],
  },
  'gen_ai.client.token.usage': {
    kind: 'histogram',
    unit: '{token}',
    help: 'Input and output tokens of a call; input includes what was read from or written to the prompt cache.',
    labels: ['gen_ai.token.type', 'gen_ai.request.model'],
    constant: CLAUDE,
    bounds: Array.from({ length: 14 }, (_, i) => 4 ** i),
  },
  'gen_ai.server.request.duration': {
    kind: 'histogram',
    unit: 's',
    help: 'From the arrival of a call to its last byte.',
    labels: ['gen_ai.request.model', 'error.type'],
    constant: CLAUDE,
    bounds: Array.from({ length: 14 }, (_, i) => 2 ** i / 100),
  },
  'gen_ai.server.time_to_first_token': {
    kind: 'histogram',
    unit: 's',
    help: 'From the arrival of a streamed call to the first byte of its answer, for calls that went well.',
    labels: ['gen_ai.request.model'],
    constant: CLAUDE,
    bounds: [0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10],
  },
  'gen_ai.server.time_per_output_token': {
    kind: 'histogram',
    unit: 's',
    help: 'Time per output token after the first, for streamed calls that went well.',
    labels: ['gen_ai.request.model'],
    constant: CLAUDE,
    bounds: [0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1, 2.5],
  },
  'http.server.request.duration': {
    kind: 'histogram',
    unit: 's',
    help: 'From the arrival of a request to the end of its answer.',
    labels: ['http.request.method', 'http.route', 'http.response.status_code'],
    bounds: [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10],
  },
  'claude_gateway.backend.calls.in_flight': {
    kind: 'gauge',
    unit: '{call}',
    help: 'Attempts at a backend that are not over.',
    labels: ['backend'],
  },
  'claude_gateway.backend.state': {
    kind: 'gauge',
    unit: '{process}',
    help: 'How many processes see the backend in this state.',
    labels: ['backend', 'state'],
  },
  'claude_gateway.backend.model.state': {
    kind: 'gauge',
    unit: '{process}',
    help: 'How many processes see the model on this backend in this state; models that are healthy are left out.',
    labels: ['backend', 'model', 'state'],
  },
  'claude_gateway.records.waiting': {
    kind: 'gauge',
    unit: '{record}',
    help: 'Records of calls that wait in memory for the database.',
    labels: [],
  },
  'claude_gateway.records.failing': {
    kind: 'gauge',
    unit: '{process}',
    help: 'Processes that cannot record or limit calls properly.',
    labels: [],
  },
  'claude_gateway.journal.size': {
    kind: 'gauge',
    unit: 'By',
    help: 'Size of the journal of records on their way to the database.',
    labels: [],
  },
  'claude_gateway.bodies.size': {
    kind: 'gauge',
    unit: 'By',
    help: 'Request bodies that are held in memory.',
    labels: [],
  },
  'claude_gateway.processes': {
    kind: 'gauge',
    unit: '{process}',
    help: 'Processes that serve.',
    labels: [],
  },
  'claude_gateway.build.info': {
    kind: 'gauge',
    unit: '{version}',
    help: 'Always 1; the label tells the version.',
    labels: ['version'],
    merge: 'highest',
  },
  'claude_gateway.otlp.waiting': {
    kind: 'gauge',
    unit: '{span}',
    help: 'Spans that wait for the collector.',
    labels: [],
  },
  'claude_gateway.otlp.dropped': {
    kind: 'counter',
    unit: '{item}',
    help: 'Spans, and exports of all metrics, that the collector did not take.',
    labels: ['signal'],
  },
  'claude_gateway.telemetry.dropped': {
    kind: 'counter',
    unit: '{item}',
    help: 'Metrics, logs and traces of Claude Code that were dropped, by why.',
    labels: ['signal', 'reason'],
  },
  'claude_gateway.live.readers': {
    kind: 'gauge',
    unit: '{reader}',
    help: 'Open streams of live figures.',
    labels: [],
  },
  'nodejs.eventloop.delay.p50': {
    kind: 'gauge',
    unit: 's',
    help: 'Median delay of the event loop since the last look.',
    labels: [],
    merge: 'highest',
  },
  'nodejs.eventloop.delay.p99': {
    kind: 'gauge',
    unit: 's',
    help: '99th percentile of the delay of the event loop since the last look.',
    labels: [],
    merge: 'highest',
  },
  'nodejs.eventloop.delay.max': {
    kind: 'gauge',
    unit: 's',
    help: 'Longest delay of the event loop since the last look.',
    labels: [],
    merge: 'highest',
  },
  'nodejs.eventloop.utilization': {
    kind: 'gauge',
    unit: '1',
    help: 'Share of time in which the event loop was busy since the last look.',
    labels: [],
    merge: 'highest',
  },
  'process.cpu.time': {
    kind: 'counter',
    unit: 's',
    help: 'CPU time.',
    labels: ['cpu.mode'],
  },
  'process.memory.usage': {
    kind: 'gauge',
    unit: 'By',
    help: 'Memory in use (resident set).',
    labels: [],
  },
} as const satisfies Record<string, Metric>

export type MetricName = keyof typeof METRICS
/** The names, in the order of the table. The cast holds because METRICS is a constant. */
export const METRIC_NAMES = Object.keys(METRICS) as MetricName[]

export function metricOf(name: MetricName): Metric {
  return METRICS[name]
}

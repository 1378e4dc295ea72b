/**
 * Where the gateway counts. Each method is one call at the place where the thing happens. Persons, keys and content are never
 * counted, and no label takes a text that a caller can invent.
 */
import type { Verdict } from '../calls/verdict.ts'
import { REFUSALS, type RefusalCode } from '../errors.ts'
import type { Admitted, CallRecord, Clock, HeaderPairs, Outcome, Owner } from '../ports.ts'
import type { Signal } from '../settings.ts'
import { DROPPED, type Dropped } from '../telemetry/dropped.ts'
import { type BatchFigures, createBatchFigures, createBilled, MOST_BACKENDS, MOST_MODELS } from './billed.ts'
import { boundedLabel, closedLabel } from './labels.ts'
import { createRecent, type Recent } from './recent.ts'
import { createRegistry, type Registry } from './registry.ts'

/** What the callers of metered calls ask for. */
const CALL_ROUTES = ['/v1/messages', '/v1/chat/completions', '/v1/responses', '/v1/responses/compact']
const OUTCOMES = ['ok', 'error', 'client_aborted', 'upstream_cut', 'interrupted'] satisfies Outcome[]
const VERDICTS = [
  'account_unreachable',
  'account_refused',
  'account_unpaid',
  'pair_failed',
  'pair_cooldown',
  'model_not_offered',
  'foreign',
  'ours',
] satisfies Verdict['kind'][]
type Denied = Extract<Admitted, { ok: false }>
const LIMITS = [
  'quota',
  'budget',
  'requests_per_minute',
  'tokens_per_minute',
  'concurrency',
  'unavailable',
] satisfies Denied['limit'][]
const SCOPES = ['user', 'key', 'group', 'organisation'] satisfies Owner['scope'][]
const SIGNALS = ['metrics', 'logs', 'traces'] satisfies Signal[]
const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'DELETE', 'OPTIONS']
const MOST_ROUTES = 200
const MOST_STATUSES = 64
/** Shown for calls that no backend was left for. */
const NO_BACKEND = 'none'

/** What one process counts. It outlives a reload. */
export interface MetricsMemory {
  registry: Registry
  recent: Recent
  /** Calls that were sent to a backend and are not over. */
  inFlight(): number
  traceWith(tracer: Tracer): void
  /** Spans that the collector did not take, or exports of all metrics. */
  dropped(signal: 'traces' | 'metrics', amount: number): void
  counting: Omit<Metrics, 'callEnded' | 'batchMade' | 'batchBooked'> & {
    callEnded(ended: EndedCall, model: string): void
  } & BatchFigures
}

export interface EndedCall {
  /** Path and query as the caller sent them. */
  target: string
  /** The headers of its request to the backend, which have the caller's trace. */
  headers: HeaderPairs
  record: CallRecord
}

/** Hears of each call that is over; `model` is the name under which its model is counted. */
type Tracer = (ended: EndedCall, model: string) => void

export interface Metrics {
  /** A call goes to its first backend. Each is followed by `callEnded`. */
  callSent(): void
  /** A call is over. */
  callEnded(ended: EndedCall): void
  /** An account has begun a batch of these models. */
  batchMade(backend: string, models: Iterable<string>): void
  /** Requests of a batch that has ended; each is counted once by whoever writes its row. */
  batchBooked(records: readonly CallRecord[]): void
  attemptFailed(backend: string, verdict: Verdict['kind']): void
  limitReached(denied: Denied): void
  refused(code: RefusalCode): void
  /** A request was answered; `route` is its pattern, `ms` the time since it came. */
  answered(method: string, route: string, status: number, ms: number): void
  telemetryDropped(signal: Signal, reason: Dropped): void
}

export function createMetricsMemory(clock: Clock): MetricsMemory {
  const registry = createRegistry()
  const recent = createRecent(clock)
  const calls = createCallFigures(registry)
  const others = createOtherFigures(registry)
  const signals = closedLabel(['traces', 'metrics'])
  const drops = registry.family('claude_gateway.otlp.dropped', [signals])
  let inFlight = 0
  let trace: Tracer | undefined
  return {
    registry,
    recent,
    traceWith(tracer) {
      trace = tracer
    },
    inFlight: () => inFlight,
    dropped: (signal, amount) => drops.add(amount, signals.id(signal)),
    counting: {
      callSent() {
        inFlight += 1
      },
      callEnded(ended, model) {
        // A call that no backend was left for was never sent.
        if (ended.record.attempts > 0) inFlight -= 1
        recent.add(ended.record)
        calls(ended, model)
        trace?.(ended, model)
      },
      ...createBatchFigures(registry),
      ...others,
    },
  }
}

/** `modelLabel`: the name under which a model is counted. */
export function createMetrics(memory: MetricsMemory, modelLabel: (model: string) => string): Metrics {
  const { counting } = memory
  return {
    ...counting,
    callEnded: (ended) => counting.callEnded(ended, modelLabel(ended.record.model)),
    batchMade: (backend, models) => {
      for (const model of models) counting.batchMade(backend, modelLabel(model))
    },
    batchBooked: (records) => {
      for (const record of records) counting.batchBooked(record, modelLabel(record.model))
    },
  }
}

/** What is counted besides calls. */
function createOtherFigures(
  registry: Registry,
): Omit<Metrics, 'callSent' | 'callEnded' | keyof BatchFigures> {
  const backends = boundedLabel(MOST_BACKENDS)
  const verdicts = closedLabel(VERDICTS)
  const limits = closedLabel(LIMITS)
  const scopes = closedLabel(['', ...SCOPES])
  const codes = closedLabel(Object.keys(REFUSALS))
  const methods = closedLabel(METHODS)
  const routes = boundedLabel(MOST_ROUTES)
  const statuses = boundedLabel(MOST_STATUSES)
  const attempts = registry.family('claude_gateway.attempts.failed', [backends, verdicts])
  const refusals = registry.family('claude_gateway.limit.refusals', [limits, scopes])
  const errors = registry.family('claude_gateway.errors', [codes])
  const signals = closedLabel(SIGNALS)
  const reasons = closedLabel(DROPPED)
  const drops = registry.family('claude_gateway.telemetry.dropped', [signals, reasons])
  const requests = registry.family('http.server.request.duration', [methods, routes, statuses])
  // A count that begins at 1 has not risen, as Prometheus sees it.
  for (const code of Object.keys(REFUSALS)) errors.add(0, codes.id(code))
  for (const limit of LIMITS) {
    for (const scope of limit === 'unavailable' ? [''] : SCOPES) {
      refusals.add(0, limits.id(limit), scopes.id(scope))
    }
  }
  return {
    attemptFailed: (backend, verdict) => attempts.add(1, backends.id(backend), verdicts.id(verdict)),
    limitReached: (denied) =>
      refusals.add(1, limits.id(denied.limit), scopes.id('scope' in denied ? denied.scope : '')),
    refused: (code) => errors.add(1, codes.id(code)),
    answered: (method, route, status, ms) =>
      requests.observe(ms / 1000, methods.id(method), routes.id(route), statuses.id(String(status))),
    telemetryDropped: (signal, reason) => drops.add(1, signals.id(signal), reasons.id(reason)),
  }
}

/** What is counted of a call when it is over. */
function createCallFigures(registry: Registry) {
  const routes = closedLabel(CALL_ROUTES)
  const models = boundedLabel(MOST_MODELS)
  const backends = boundedLabel(MOST_BACKENDS)
  const outcomes = closedLabel(OUTCOMES)
  const types = closedLabel(['input', 'output'])
  const errors = boundedLabel(MOST_STATUSES)
  const ended = registry.family('claude_gateway.calls', [routes, models, backends, outcomes])
  const billed = createBilled(registry, 'claude_gateway', models, backends)
  const usage = registry.family('gen_ai.client.token.usage', [types, models])
  const durations = registry.family('gen_ai.server.request.duration', [models, errors])
  const firstTokens = registry.family('gen_ai.server.time_to_first_token', [models])
  const laterTokens = registry.family('gen_ai.server.time_per_output_token', [models])

  return ({ target, record }: EndedCall, modelLabel: string) => {
    const { outcome, statusCode, latencyMs, ttftMs, outputTokens } = record
    const model = models.id(modelLabel)
    const backend = backends.id(record.backend || NO_BACKEND)
    ended.add(1, routes.id(routeOf(target)), model, backend, outcomes.id(outcome))
    const input = inputOf(record)
    if (input + outputTokens > 0) {
      billed(record, model, backend)
      usage.observe(input, types.id('input'), model)
      usage.observe(outputTokens, types.id('output'), model)
    }
    durations.observe(latencyMs / 1000, model, errors.id(errorOf(outcome, statusCode)))
    if (outcome !== 'ok' || !record.stream || ttftMs === null) return
    firstTokens.observe(ttftMs / 1000, model)
    if (outputTokens > 1) laterTokens.observe((latencyMs - ttftMs) / 1000 / (outputTokens - 1), model)
  }
}

/** OpenTelemetry's error.type; '' for a call that went well. */
function errorOf(outcome: Outcome, status: number): string {
  if (outcome === 'ok') return ''
  return outcome === 'error' ? String(status) : outcome
}

/** The route of a call, by the path and query that its caller sent. */
export function routeOf(target: string): string {
  const query = target.indexOf('?')
  return query < 0 ? target : target.slice(0, query)
}

/** Input tokens of all classes. */
export function inputOf(record: CallRecord): number {
  const { inputTokens, cacheReadTokens, cacheWrite5mTokens, cacheWrite1hTokens } = record
  return inputTokens + cacheReadTokens + cacheWrite5mTokens + cacheWrite1hTokens
}

/**
 * Metrics and spans for an OpenTelemetry collector, by OTLP over HTTP. A collector that is away or slow holds up nothing: little
 * waits for it, the rest is dropped and counted.
 *
 * Loaded only where a collector is configured, because OpenTelemetry's packages take memory and time at the start.
 */
import { randomFillSync } from 'node:crypto'
import { hostname } from 'node:os'
import { SpanKind, SpanStatusCode } from '@opentelemetry/api'
import { OTLPMetricExporter } from '@opentelemetry/exporter-metrics-otlp-proto'
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-proto'
import { type Resource, resourceFromAttributes } from '@opentelemetry/resources'
import type { Config } from '../../../config/schema.ts'
import type { MetricsMemory } from '../../../core/observability/metrics.ts'
import type { Series } from '../../../core/observability/series.ts'
import { type CallSpan, callSpan, parentOf } from '../../../core/observability/spans.ts'
import { createOutage } from '../../../core/outage.ts'
import type { Logger } from '../../../core/ports.ts'
import { createBatches } from './batches.ts'
import { hrTime, metricsOf } from './metric-data.ts'

/** The most that one export may take, with all of its attempts. */
const TIMEOUT_MS = 10_000
const CLOSE_MS = 2_000
const TRACE_BYTES = 16
const SPAN_BYTES = 8

export interface Otlp {
  /** Spans that wait. */
  waiting(): number
  /** Exports what there is, for two seconds at most. */
  close(): Promise<void>
}

interface Parts {
  config: Config['otlp']
  version: string
  memory: Pick<MetricsMemory, 'traceWith' | 'dropped'>
  /** All figures of this process. */
  figures(): readonly Series[]
  logger: Logger
}
type Span = Parameters<OTLPTraceExporter['export']>[0][number]
type Result = Parameters<Parameters<OTLPTraceExporter['export']>[1]>[0]

export function openOtlp(parts: Parts): Otlp {
  const { config, version, memory } = parts
  const resource = resourceFromAttributes({
    'service.name': 'claude-gateway',
    'service.version': version,
    'service.instance.id': `${hostname()}:${process.pid}`,
  })
  const about = { resource, scope: { name: 'claude-gateway', version } }
  // A count that begins at 1 has not risen, as Prometheus sees it.
  for (const signal of ['traces', 'metrics'] as const) memory.dropped(signal, 0)
  const traces = config.traces ? exportTraces(parts, about) : undefined
  const metrics = config.metrics ? exportMetrics(parts, about) : undefined
  return {
    waiting: () => traces?.waiting() ?? 0,
    async close() {
      await Promise.all([traces?.close(), metrics?.close()])
    },
  }
}

interface About {
  resource: Resource
  scope: { name: string; version: string }
}

function exportTraces({ config, memory, logger }: Parts, about: About) {
  const exporter = new OTLPTraceExporter(optionsOf(config, 'traces'))
  const hear = listener(logger, 'traces')
  const spans = createBatches<CallSpan>({
    send: (batch) =>
      hear((done) =>
        exporter.export(
          batch.map((span) => readable(span, about)),
          done,
        ),
      ),
    dropped: (count) => memory.dropped('traces', count),
  })
  memory.traceWith((ended, model) => {
    const parent = parentOf(ended.headers)
    if (parent?.sampled ?? Math.random() < config.sample) spans.add(callSpan(ended, model, parent))
  })
  return {
    waiting: spans.waiting,
    async close() {
      await spans.close(CLOSE_MS)
      void exporter.shutdown()
    },
  }
}

function exportMetrics({ config, memory, logger, figures }: Parts, about: About) {
  const exporter = new OTLPMetricExporter(optionsOf(config, 'metrics'))
  const hear = listener(logger, 'metrics')
  const since = Date.now()
  let exporting: Promise<void> | undefined
  const exportNow = () => {
    if (exporting) return memory.dropped('metrics', 1)
    const data = metricsOf(figures(), { ...about, since, now: Date.now() })
    exporting = hear((done) => exporter.export(data, done)).then((taken) => {
      exporting = undefined
      if (!taken) memory.dropped('metrics', 1)
    })
  }
  const timer = setInterval(exportNow, config.interval).unref()
  return {
    async close() {
      clearInterval(timer)
      const late = new Promise<void>((resolve) => setTimeout(resolve, CLOSE_MS).unref())
      await Promise.race([exporting, late])
      if (!exporting) exportNow()
      await Promise.race([exporting, late])
      void exporter.shutdown()
    },
  }
}

function optionsOf({ endpoint, headers }: Config['otlp'], signal: 'traces' | 'metrics') {
  return { url: `${endpoint}/v1/${signal}`, headers, timeoutMillis: TIMEOUT_MS, concurrencyLimit: 1 }
}

/** Runs an export; resolves with whether it was taken. The log hears when that changes. */
function listener(logger: Logger, signal: string) {
  const outage = createOutage(logger, { failed: 'otlp.failed', worksAgain: 'otlp.works_again' })
  return (run: (done: (result: Result) => void) => void) =>
    new Promise<boolean>((resolve) => {
      run(({ code, error }) => {
        const taken = code === SUCCESS
        if (taken) outage.worked({ signal })
        else outage.failed(error ?? new Error('the collector did not take it'), { signal })
        resolve(taken)
      })
    })
}
/** ExportResultCode.SUCCESS of @opentelemetry/core. */
const SUCCESS = 0

function readable(span: CallSpan, { resource, scope }: About): Span {
  const { parent, startedAt, endedAt } = span
  const context = {
    traceId: parent?.traceId ?? randomHex(TRACE_BYTES),
    spanId: randomHex(SPAN_BYTES),
    traceFlags: 1,
  }
  return {
    name: span.name,
    kind: SpanKind.SERVER,
    spanContext: () => context,
    ...(parent
      ? {
          parentSpanContext: {
            traceId: parent.traceId,
            spanId: parent.spanId,
            traceFlags: 1,
            isRemote: true,
          },
        }
      : {}),
    startTime: hrTime(startedAt),
    endTime: hrTime(endedAt),
    duration: hrTime(endedAt - startedAt),
    status: { code: span.failed ? SpanStatusCode.ERROR : SpanStatusCode.UNSET },
    attributes: { ...span.attributes },
    links: [],
    events: [],
    ended: true,
    resource,
    instrumentationScope: scope,
    droppedAttributesCount: 0,
    droppedEventsCount: 0,
    droppedLinksCount: 0,
  }
}

const pool = Buffer.alloc(4_096)
let poolAt = pool.length

/** Random bytes, taken from many that are made at once. */
function randomHex(bytes: number): string {
  if (poolAt + bytes > pool.length) {
    randomFillSync(pool)
    poolAt = 0
  }
  poolAt += bytes
  return pool.toString('hex', poolAt - bytes, poolAt)
}

/**
 * Metrics and spans for an OpenTelemetry collector, by OTLP over HTTP. A collector that is away or slow holds up nothing: little
 * waits for it, the rest is dropped and counted.
 *
 * Loaded only where a collector is configured, because OpenTelemetry's packages take memory and time at the start.
 */
import { hostname } from 'node:os'
import { OTLPMetricExporter } from '@opentelemetry/exporter-metrics-otlp-proto'
import { resourceFromAttributes } from '@opentelemetry/resources'
import type { Config } from '../../../config/schema.ts'
import type { MetricsMemory } from '../../../core/observability/metrics.ts'
import type { Series } from '../../../core/observability/series.ts'
import { type CallSpan, callSpan, parentOf } from '../../../core/observability/spans.ts'
import { createOutage } from '../../../core/outage.ts'
import type { Logger } from '../../../core/ports.ts'
import { createBatches } from './batches.ts'
import { metricsOf } from './metric-data.ts'
import { createPost } from './post.ts'
import { type Attributes, createSpanEncoder } from './span-bytes.ts'

/** The most that one export may take, with all of its attempts. */
const TIMEOUT_MS = 10_000
const CLOSE_MS = 2_000

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

export function openOtlp(parts: Parts): Otlp {
  const { config, version, memory } = parts
  const resource = {
    'service.name': 'claude-gateway',
    'service.version': version,
    'service.instance.id': `${hostname()}:${process.pid}`,
  }
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
  resource: Attributes
  scope: { name: string; version: string }
}

function exportTraces({ config, memory, logger }: Parts, about: About) {
  const post = createPost(`${config.endpoint}/v1/traces`, config.headers, TIMEOUT_MS)
  const hear = listener(logger, 'traces')
  const spans = createBatches<CallSpan>({
    encoder: createSpanEncoder(about),
    send: (request) => hear(post.send(request)),
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
      post.close()
    },
  }
}

function exportMetrics({ config, memory, logger, figures }: Parts, about: About) {
  const { endpoint, headers, interval } = config
  const url = `${endpoint}/v1/metrics`
  const exporter = new OTLPMetricExporter({ url, headers, timeoutMillis: TIMEOUT_MS, concurrencyLimit: 1 })
  const hear = listener(logger, 'metrics')
  const since = Date.now()
  const resource = resourceFromAttributes(about.resource)
  let exporting: Promise<void> | undefined
  const send = () => {
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    const data = metricsOf(figures(), { ...about, resource, since, now: Date.now() })
    exporter.export(data, ({ code, error }) => (code === SUCCESS ? resolve() : reject(error)))
    return promise
  }
  const exportNow = () => {
    if (exporting) return memory.dropped('metrics', 1)
    exporting = hear(send()).then((taken) => {
      exporting = undefined
      if (!taken) memory.dropped('metrics', 1)
    })
  }
  const timer = setInterval(exportNow, interval).unref()
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
/** ExportResultCode.SUCCESS of @opentelemetry/core. */
const SUCCESS = 0

/** Resolves with whether an export was taken. The log hears when that changes. */
function listener(logger: Logger, signal: string): (sending: Promise<void>) => Promise<boolean> {
  const outage = createOutage(logger, { failed: 'otlp.failed', worksAgain: 'otlp.works_again' })
  return (sending) =>
    sending.then(
      () => {
        outage.worked({ signal })
        return true
      },
      (cause: unknown) => {
        outage.failed(cause ?? new Error('the collector did not take it'), { signal })
        return false
      },
    )
}

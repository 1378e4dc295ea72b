/**
 * Figures as Prometheus reads them: https://prometheus.io/docs/instrumenting/exposition_formats/ (text 0.0.4) and
 * https://prometheus.io/docs/specs/om/open_metrics_spec/ (OpenMetrics 1.0). Names are those of the table in the form that
 * https://opentelemetry.io/docs/specs/otel/compatibility/prometheus_and_openmetrics/ gives them.
 */
import type { Series } from './series.ts'
import { METRIC_NAMES, type Metric, type MetricName, metricOf } from './table.ts'

const UNITS = new Map(Object.entries<string>({ s: 'seconds', By: 'bytes' }))
const TEXT = 'text/plain; version=0.0.4; charset=utf-8'
const OPEN_METRICS = 'application/openmetrics-text; version=1.0.0; charset=utf-8'

/** The text and its media type: OpenMetrics where `accept` names it, else the older form, which every scraper reads. */
export function exposition(all: readonly Series[], accept = ''): { text: string; type: string } {
  const open = accept.includes('application/openmetrics-text')
  const byMetric = Map.groupBy(all, ({ metric }) => metric)
  const families = METRIC_NAMES.map((name) => familyText(name, byMetric.get(name) ?? [], open))
  const text = families.join('')
  return open ? { text: `${text}# EOF\n`, type: OPEN_METRICS } : { text, type: TEXT }
}

/** The name of a metric without what its kind puts behind it. */
export function prometheusName(name: MetricName): string {
  const unit = UNITS.get(metricOf(name).unit)
  const plain = name.replaceAll(/[^a-zA-Z0-9]/g, '_')
  return unit ? `${plain}_${unit}` : plain
}

function familyText(name: MetricName, all: readonly Series[], open: boolean): string {
  if (all.length === 0) return ''
  const metric = metricOf(name)
  const base = prometheusName(name)
  const sample = metric.kind === 'counter' ? `${base}_total` : base
  const headed = open ? base : sample
  const unit = UNITS.get(metric.unit)
  const head = [
    `# HELP ${headed} ${metric.help}`,
    `# TYPE ${headed} ${metric.kind}`,
    ...(open && unit ? [`# UNIT ${headed} ${unit}`] : []),
  ]
  const samples = all.flatMap((series) => samplesOf(metric, sample, series))
  return `${[...head, ...samples].join('\n')}\n`
}

function samplesOf(metric: Metric, name: string, { labels, numbers }: Series): string[] {
  const { bounds, constant = {} } = metric
  const pairs = [
    ...Object.entries(constant),
    ...metric.labels.map((label, i): [string, string] => [label, labels[i] ?? '']),
  ]
    // A label without a value is the same as none.
    .filter(([, value]) => value !== '')
    .map(([label, value]) => `${label.replaceAll(/[^a-zA-Z0-9]/g, '_')}="${escaped(value)}"`)
  const line = (suffix: string, value: number, more: readonly string[] = []) => {
    const all = [...pairs, ...more]
    return `${name}${suffix}${all.length > 0 ? `{${all.join(',')}}` : ''} ${value}`
  }
  if (!bounds) return [line('', numbers[0] ?? 0)]
  let count = 0
  const buckets = [...bounds, Number.POSITIVE_INFINITY].map((bound, i) => {
    count += numbers[i] ?? 0
    return line('_bucket', count, [`le="${boundText(bound)}"`])
  })
  return [...buckets, line('_sum', numbers.at(-1) ?? 0), line('_count', count)]
}

/** With a point, as OpenMetrics wants it; in both forms, because 1 and 1.0 would be two labels. */
function boundText(bound: number): string {
  if (bound === Number.POSITIVE_INFINITY) return '+Inf'
  return Number.isInteger(bound) ? `${bound}.0` : String(bound)
}

function escaped(value: string): string {
  return value.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n')
}

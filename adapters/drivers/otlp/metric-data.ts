/** Series in the form in which OpenTelemetry's exporter takes them. */
import { ValueType } from '@opentelemetry/api'
import type { Resource } from '@opentelemetry/resources'
import {
  AggregationTemporality,
  DataPointType,
  type MetricData,
  type ResourceMetrics,
} from '@opentelemetry/sdk-metrics'
import type { Series } from '../../../core/observability/series.ts'
import { METRIC_NAMES, type MetricName, metricOf } from '../../../core/observability/table.ts'

interface Around {
  resource: Resource
  scope: { name: string; version: string }
  /** When counting began, and now (ms since 1970). */
  since: number
  now: number
}

export function metricsOf(all: readonly Series[], around: Around): ResourceMetrics {
  const byMetric = Map.groupBy(all, ({ metric }) => metric)
  const metrics = METRIC_NAMES.flatMap((name) => {
    const series = byMetric.get(name)
    return series ? [dataOf(name, series, around)] : []
  })
  return { resource: around.resource, scopeMetrics: [{ scope: around.scope, metrics }] }
}

/** Seconds and nanoseconds. */
function hrTime(ms: number): [number, number] {
  const seconds = Math.floor(ms / 1000)
  return [seconds, Math.round((ms - seconds * 1000) * 1e6)]
}

function dataOf(name: MetricName, all: readonly Series[], { since, now }: Around): MetricData {
  const { kind, unit, help, bounds = [] } = metricOf(name)
  const descriptor = { name, description: help, unit, valueType: ValueType.DOUBLE }
  const base = { descriptor, aggregationTemporality: AggregationTemporality.CUMULATIVE }
  const point = <T>(series: Series, value: T) => {
    const attributes = attributesOf(series)
    return { startTime: hrTime(since), endTime: hrTime(now), attributes, value }
  }
  const single = (series: Series) => point(series, series.numbers[0] ?? 0)
  if (kind === 'gauge') return { ...base, dataPointType: DataPointType.GAUGE, dataPoints: all.map(single) }
  if (kind === 'counter') {
    return { ...base, dataPointType: DataPointType.SUM, isMonotonic: true, dataPoints: all.map(single) }
  }
  const histogram = (series: Series) => {
    const counts = series.numbers.slice(0, -1)
    const count = counts.reduce((sum, one) => sum + one, 0)
    const sum = series.numbers.at(-1) ?? 0
    return point(series, { buckets: { boundaries: [...bounds], counts }, sum, count })
  }
  return { ...base, dataPointType: DataPointType.HISTOGRAM, dataPoints: all.map(histogram) }
}

function attributesOf({ metric, labels }: Series): Record<string, string | number> {
  const { labels: names, constant = {} } = metricOf(metric)
  const given = names.flatMap((name, i): [string, string | number][] => {
    const value = labels[i] ?? ''
    if (value === '') return []
    return [[name, name === 'http.response.status_code' && value !== 'other' ? Number(value) : value]]
  })
  return { ...constant, ...Object.fromEntries(given) }
}

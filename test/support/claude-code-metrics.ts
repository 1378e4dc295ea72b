/** Metrics as Claude Code exports them: protobuf made by OpenTelemetry's own exporter, and the same in JSON. */
import { ValueType } from '@opentelemetry/api'
import { OTLPMetricExporter } from '@opentelemetry/exporter-metrics-otlp-proto'
import { resourceFromAttributes } from '@opentelemetry/resources'
import { AggregationTemporality, DataPointType, type MetricData } from '@opentelemetry/sdk-metrics'
import { startCollector } from './collector.ts'

type Attributes = Record<string, string | number>
export interface Told {
  name: string
  value: number
  attributes?: Attributes
  /** ms since 1970. */
  start: number
  end: number
  cumulative?: boolean
  gauge?: boolean
}

const RESOURCE = { 'service.name': 'claude-code', 'service.version': '2.1.332' }

/** The bytes that OpenTelemetry's exporter sends. */
export async function protobufOf(all: readonly Told[]): Promise<Buffer> {
  const collector = await startCollector()
  const exporter = new OTLPMetricExporter({ url: `${collector.url}/v1/metrics` })
  const metrics = all.map(dataOf)
  const scope = { name: 'com.anthropic.claude_code', version: '2.1.332' }
  const resource = resourceFromAttributes(RESOURCE)
  const { promise, resolve } = Promise.withResolvers<void>()
  exporter.export({ resource, scopeMetrics: [{ scope, metrics }] }, () => resolve())
  await promise
  await exporter.shutdown()
  await collector.stop()
  return collector.requests[0]?.body ?? Buffer.alloc(0)
}

function dataOf({ name, value, attributes = {}, start, end, cumulative, gauge }: Told): MetricData {
  const descriptor = { name, description: '', unit: '', valueType: ValueType.DOUBLE }
  const { DELTA, CUMULATIVE } = AggregationTemporality
  const aggregationTemporality = cumulative ? CUMULATIVE : DELTA
  const dataPoints = [{ startTime: hrTime(start), endTime: hrTime(end), attributes, value }]
  if (gauge) return { descriptor, aggregationTemporality, dataPointType: DataPointType.GAUGE, dataPoints }
  return {
    descriptor,
    aggregationTemporality,
    dataPointType: DataPointType.SUM,
    isMonotonic: true,
    dataPoints,
  }
}

function hrTime(ms: number): [number, number] {
  return [Math.floor(ms / 1000), (ms % 1000) * 1e6]
}

export function jsonOf(all: readonly Told[]): string {
  const attributesOf = (given: Attributes) =>
    Object.entries(given).map(([key, value]) => ({
      key,
      value: typeof value === 'string' ? { stringValue: value } : { intValue: String(value) },
    }))
  const metrics = all.map(({ name, value, attributes = {}, start, end, cumulative }) => ({
    name,
    sum: {
      aggregationTemporality: cumulative ? 2 : 1,
      isMonotonic: true,
      dataPoints: [
        {
          attributes: attributesOf(attributes),
          startTimeUnixNano: `${start}000000`,
          timeUnixNano: `${end}000000`,
          ...(Number.isInteger(value) ? { asInt: String(value) } : { asDouble: value }),
        },
      ],
    },
  }))
  const resource = { attributes: attributesOf(RESOURCE) }
  return JSON.stringify({ resourceMetrics: [{ resource, scopeMetrics: [{ metrics }] }] })
}

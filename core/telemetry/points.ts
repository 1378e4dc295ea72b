/**
 * Points of sums in metrics of OTLP, in protobuf and JSON alike:
 * https://github.com/open-telemetry/opentelemetry-proto/blob/main/opentelemetry/proto/metrics/v1/metrics.proto
 */
import * as z from 'zod'
import { fieldsOf, nestedIn } from './protobuf.ts'

export interface Point {
  metric: string
  /** Those of the resource, and the point's own over them. */
  attributes: ReadonlyMap<string, string>
  /** Nanoseconds since 1970. */
  start: bigint
  end: bigint
  value: number
}

/**
 * Of a resource, and of a point with those of its resource. More are passed over, because each point has all of its resource's:
 * a few KB would else be hundreds of MB. Claude Code has some twenty.
 */
const MOST_ATTRIBUTES = { resource: 64, point: 128 }

const DELTA = 1
const DECODER = new TextDecoder()

/** Points of sums that tell what was added since the point before; all others are passed over. Throws where the bytes are no metrics. */
export function deltaPoints(body: Uint8Array, isProtobuf: boolean): Generator<Point> {
  return isProtobuf ? fromProtobuf(body) : fromJson(Metrics.parse(JSON.parse(DECODER.decode(body))))
}

function* fromProtobuf(body: Uint8Array): Generator<Point> {
  for (const resourceMetrics of nestedIn(body, 1)) {
    const common = new Map<string, string>()
    for (const resource of nestedIn(resourceMetrics, 1))
      readAttributes(resource, { at: 1, most: MOST_ATTRIBUTES.resource }, common)
    for (const scopeMetrics of nestedIn(resourceMetrics, 2)) {
      for (const metric of nestedIn(scopeMetrics, 2)) yield* pointsOf(metric, common)
    }
  }
}

function* pointsOf(bytes: Uint8Array, common: ReadonlyMap<string, string>): Generator<Point> {
  const [name] = nestedIn(bytes, 1)
  for (const sum of nestedIn(bytes, 7)) {
    const isDelta = [...fieldsOf(sum)].some(({ field, value }) => field === 2 && value === DELTA)
    if (!isDelta || !name) continue
    for (const point of nestedIn(sum, 1)) yield pointOf(DECODER.decode(name), point, common)
  }
}

function pointOf(metric: string, bytes: Uint8Array, common: ReadonlyMap<string, string>): Point {
  const attributes = new Map(common)
  let [start, end, value] = [0n, 0n, 0]
  for (const { field, value: part } of fieldsOf(bytes)) {
    if (typeof part === 'number' || part.length !== 8) continue
    const view = new DataView(part.buffer, part.byteOffset, 8)
    if (field === 2) start = view.getBigUint64(0, true)
    if (field === 3) end = view.getBigUint64(0, true)
    if (field === 4) value = view.getFloat64(0, true)
    if (field === 6) value = Number(view.getBigInt64(0, true))
  }
  readAttributes(bytes, { at: 7, most: MOST_ATTRIBUTES.point }, attributes)
  return { metric, attributes, start, end, value }
}

/** KeyValue: https://github.com/open-telemetry/opentelemetry-proto/blob/main/opentelemetry/proto/common/v1/common.proto */
function readAttributes(
  message: Uint8Array,
  { at, most }: { at: number; most: number },
  into: Map<string, string>,
): void {
  for (const pair of nestedIn(message, at)) {
    if (into.size >= most) return
    const [key] = nestedIn(pair, 1)
    const [any] = nestedIn(pair, 2)
    if (!key) continue
    const [field] = any ? fieldsOf(any) : []
    into.set(DECODER.decode(key), field ? textOf(field.value) : '')
  }
}

/** Texts as they are; of all other kinds whatever tells two of them apart. */
function textOf(value: number | Uint8Array): string {
  return typeof value === 'number' ? String(value) : DECODER.decode(value)
}

const Attributes = z
  .array(z.object({ key: z.string(), value: z.record(z.string(), z.unknown()).default({}) }))
  .default([])
const Nanoseconds = z.union([z.string().regex(/^\d{1,20}$/), z.int().min(0)]).default('0')
const PointOfSum = z.object({
  attributes: Attributes,
  startTimeUnixNano: Nanoseconds,
  timeUnixNano: Nanoseconds,
  asDouble: z.coerce.number().optional(),
  asInt: z.coerce.number().optional(),
})
const Sum = z.object({
  aggregationTemporality: z.union([z.int(), z.string()]).optional(),
  dataPoints: z.array(PointOfSum).default([]),
})
const Metric = z.object({ name: z.string().default(''), sum: Sum.optional() })
const Metrics = z.object({
  resourceMetrics: z
    .array(
      z.object({
        resource: z.object({ attributes: Attributes }).optional(),
        scopeMetrics: z.array(z.object({ metrics: z.array(Metric).default([]) })).default([]),
      }),
    )
    .default([]),
})
const DELTA_NAMES: readonly unknown[] = [DELTA, 'AGGREGATION_TEMPORALITY_DELTA']

function* fromJson({ resourceMetrics }: z.output<typeof Metrics>): Generator<Point> {
  for (const { resource, scopeMetrics } of resourceMetrics) {
    const common = attributesOf(resource?.attributes ?? [], MOST_ATTRIBUTES.resource)
    for (const { name, sum } of scopeMetrics.flatMap(({ metrics }) => metrics)) {
      if (!sum || !DELTA_NAMES.includes(sum.aggregationTemporality)) continue
      for (const point of sum.dataPoints) {
        yield {
          metric: name,
          attributes: new Map([
            ...common,
            ...attributesOf(point.attributes, MOST_ATTRIBUTES.point - common.size),
          ]),
          start: BigInt(point.startTimeUnixNano),
          end: BigInt(point.timeUnixNano),
          value: point.asDouble ?? point.asInt ?? 0,
        }
      }
    }
  }
}

function attributesOf(pairs: z.output<typeof Attributes>, most: number): Map<string, string> {
  return new Map(pairs.slice(0, most).map(({ key, value }) => [key, String(Object.values(value)[0] ?? '')]))
}

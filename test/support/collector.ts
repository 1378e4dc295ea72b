/** An OpenTelemetry collector that does what a test tells it, on a real port, and keeps what it got. */
import { once } from 'node:events'
import { createServer, type IncomingHttpHeaders } from 'node:http'
import type { AddressInfo } from 'node:net'

interface Collected {
  name: string
  traceId: string
  spanId: string
  parentSpanId: string
  kind: number
  /** ms since 1970. */
  startedAt: number
  endedAt: number
  /** 0 unset, 1 ok, 2 error. */
  status: number
  attributes: Record<string, string | number | boolean>
}
interface CollectedMetric {
  name: string
  unit: string
  kind: 'gauge' | 'sum' | 'histogram'
  points: {
    attributes: Record<string, string | number | boolean>
    value: number
    counts: number[]
    bounds: number[]
  }[]
}
export interface FakeCollector {
  url: string
  spans: Collected[]
  metrics: CollectedMetric[]
  /** Attributes of what sent it. */
  resources: Record<string, string | number | boolean>[]
  requests: { url: string; headers: IncomingHttpHeaders; body: Buffer }[]
  /** What it answers from now on; `hang`: nothing. */
  answer(how: number | 'hang'): void
  stop(): Promise<void>
}

export async function startCollector(port = 0): Promise<FakeCollector> {
  const spans: Collected[] = []
  const metrics: CollectedMetric[] = []
  const resources: FakeCollector['resources'] = []
  const requests: FakeCollector['requests'] = []
  let how: number | 'hang' = 200
  const server = createServer(async (incoming, outgoing) => {
    const chunks: Buffer[] = []
    for await (const chunk of incoming) chunks.push(chunk)
    const body = Buffer.concat(chunks)
    const url = incoming.url ?? ''
    requests.push({ url, headers: incoming.headers, body })
    if (how === 'hang') return
    const isProtobuf = incoming.headers['content-type'] === 'application/x-protobuf'
    if (how === 200 && isProtobuf && !url.endsWith('/v1/logs')) {
      for (const resource of messages(body, 1)) {
        resources.push(attributes(messages(messages(resource, 1)[0], 1)))
        const scoped = messages(resource, 2).flatMap((scope) => messages(scope, 2))
        if (url.endsWith('/v1/traces')) spans.push(...scoped.map(spanOf))
        else metrics.push(...scoped.map(metricOf))
      }
    }
    outgoing.writeHead(how, { 'content-type': 'application/x-protobuf' }).end()
  })
  server.listen(port, '127.0.0.1')
  await once(server, 'listening')
  // It listens on a port, so that its address has one.
  const { port: bound } = server.address() as AddressInfo
  return {
    url: `http://127.0.0.1:${bound}`,
    spans,
    metrics,
    resources,
    requests,
    answer(next) {
      how = next
    },
    async stop() {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}

/** https://github.com/open-telemetry/opentelemetry-proto/blob/main/opentelemetry/proto/trace/v1/trace.proto */
function spanOf(bytes: Buffer): Collected {
  const fields = fieldsOf(bytes)
  const text = (field: number) => String(fields.get(field)?.[0] ?? '')
  const hex = (field: number) => bytesOf(fields.get(field)?.[0]).toString('hex')
  return {
    name: text(5),
    traceId: hex(1),
    spanId: hex(2),
    parentSpanId: hex(4),
    kind: Number(fields.get(6)?.[0]),
    startedAt: timeOf(fields.get(7)?.[0]),
    endedAt: timeOf(fields.get(8)?.[0]),
    status: Number(fieldsOf(bytesOf(fields.get(15)?.[0])).get(3)?.[0] ?? 0),
    attributes: attributes(messages(bytes, 9)),
  }
}

/** https://github.com/open-telemetry/opentelemetry-proto/blob/main/opentelemetry/proto/metrics/v1/metrics.proto */
function metricOf(bytes: Buffer): CollectedMetric {
  const fields = fieldsOf(bytes)
  const kind = fields.has(5) ? 'gauge' : fields.has(7) ? 'sum' : 'histogram'
  const data = bytesOf(fields.get({ gauge: 5, sum: 7, histogram: 9 }[kind])?.[0])
  return {
    name: String(fields.get(1)?.[0] ?? ''),
    unit: String(fields.get(3)?.[0] ?? ''),
    kind,
    points: messages(data, 1).map((point) => {
      const parts = fieldsOf(point)
      const packed = (field: number, read: (at: Buffer, offset: number) => number) =>
        [...(parts.get(field) ?? [])].flatMap((one) => {
          const all = bytesOf(one)
          return Array.from({ length: all.length / 8 }, (_, i) => read(all, i * 8))
        })
      const isHistogram = kind === 'histogram'
      const value = bytesOf(parts.get(isHistogram ? 5 : 4)?.[0])
      return {
        attributes: attributes(messages(point, isHistogram ? 9 : 7)),
        value: value.length === 8 ? value.readDoubleLE() : Number.NaN,
        counts: packed(6, (at, offset) => Number(at.readBigUInt64LE(offset))),
        bounds: packed(7, (at, offset) => at.readDoubleLE(offset)),
      }
    }),
  }
}

function attributes(pairs: readonly Buffer[]): Record<string, string | number | boolean> {
  return Object.fromEntries(
    pairs.map((pair) => {
      const fields = fieldsOf(pair)
      return [String(fields.get(1)?.[0] ?? ''), anyValueOf(fieldsOf(bytesOf(fields.get(2)?.[0])))]
    }),
  )
}

function anyValueOf(value: ReturnType<typeof fieldsOf>): string | number | boolean {
  if (value.has(1)) return String(value.get(1)?.[0])
  if (value.has(2)) return value.get(2)?.[0] === 1n
  if (value.has(3)) return Number(value.get(3)?.[0])
  return bytesOf(value.get(4)?.[0]).readDoubleLE()
}

/** What a protobuf message has, by field: numbers, or bytes of texts, messages and fixed numbers of 8 bytes as they are. */
function fieldsOf(bytes: Buffer): Map<number, (bigint | Buffer)[]> {
  const fields = new Map<number, (bigint | Buffer)[]>()
  let at = 0
  const varint = () => {
    let value = 0n
    for (let shift = 0n; ; shift += 7n) {
      const byte = bytes[at] ?? 0
      at += 1
      value |= BigInt(byte & 0x7f) << shift
      if (byte < 0x80) return value
    }
  }
  while (at < bytes.length) {
    const tag = Number(varint())
    const kind = tag & 7
    let value: bigint | Buffer
    if (kind === 0) value = varint()
    else {
      const length = kind === 1 ? 8 : kind === 5 ? 4 : Number(varint())
      value = bytes.subarray(at, at + length)
      at += length
    }
    fields.set(tag >> 3, [...(fields.get(tag >> 3) ?? []), value])
  }
  return fields
}

function bytesOf(value: bigint | Buffer | undefined): Buffer {
  return typeof value === 'object' ? value : Buffer.alloc(0)
}

function messages(bytes: Buffer | undefined, field: number): Buffer[] {
  return (bytes ? (fieldsOf(bytes).get(field) ?? []) : []).map(bytesOf)
}

/** Nanoseconds since 1970 as ms. */
function timeOf(value: bigint | Buffer | undefined): number {
  return Number(bytesOf(value).readBigUInt64LE()) / 1e6
}

/** What a collector gets, and what happens to what it does not take. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { type Otlp, openOtlp } from '../../adapters/drivers/otlp/exporter.ts'
import { gauge } from '../../core/observability/gauges.ts'
import { createMetrics, createMetricsMemory, type MetricsMemory } from '../../core/observability/metrics.ts'
import type { CallRecord, HeaderPairs } from '../../core/ports.ts'
import { fakeClock } from '../support/clock.ts'
import { type FakeCollector, startCollector } from '../support/collector.ts'
import { type KeptLogs, keptLogs } from '../support/logs.ts'
import { callRecord } from '../support/records.ts'

const TRACE = '0af7651916cd43dd8448eb211c80319c'
const SPAN = 'b7ad6b7169203331'

let collector: FakeCollector
let memory: MetricsMemory
let logs: KeptLogs
const open: Otlp[] = []
beforeEach(async () => {
  collector = await startCollector()
  memory = createMetricsMemory(fakeClock())
  logs = keptLogs()
})
afterEach(async () => {
  await Promise.all(open.splice(0).map((otlp) => otlp.close()))
  await collector.stop()
})

function start(given: object = {}) {
  const otlp = openOtlp({
    config: {
      endpoint: collector.url,
      headers: { authorization: 'Bearer of the collector' },
      traces: true,
      metrics: true,
      interval: 60_000,
      sample: 1,
      ...given,
    },
    version: '1.2.3',
    memory,
    figures: () => [...memory.registry.all(), gauge('claude_gateway.processes', 1)],
    logger: logs,
  })
  open.push(otlp)
  return otlp
}
const call = (given: Partial<CallRecord> = {}, headers: HeaderPairs = []) =>
  createMetrics(memory, () => 'claude-opus-5-5').callEnded({
    target: '/v1/messages?beta=true',
    headers,
    record: callRecord({ createdAt: 1_000_000, latencyMs: 2_500, ...given }),
  })
const drops = () => {
  const found = memory.registry.all().filter(({ metric }) => metric === 'claude_gateway.otlp.dropped')
  return Object.fromEntries(found.map(({ labels: [signal], numbers: [count] }) => [signal, count]))
}

describe('a span', () => {
  test('tells what was called, what it used, what it cost and how long it took', async () => {
    const otlp = start()
    call({ id: 'req_1', costMicros: 1_500 })
    await otlp.close()
    expect(collector.spans).toEqual([
      {
        name: 'chat claude-opus-5-5',
        traceId: expect.stringMatching(/^[0-9a-f]{32}$/),
        spanId: expect.stringMatching(/^[0-9a-f]{16}$/),
        parentSpanId: '',
        kind: 2,
        startedAt: 1_000_000,
        endedAt: 1_002_500,
        status: 0,
        attributes: {
          'gen_ai.operation.name': 'chat',
          'gen_ai.provider.name': 'anthropic',
          'gen_ai.request.model': 'claude-opus-5-5',
          'gen_ai.usage.input_tokens': 16,
          'gen_ai.usage.output_tokens': 20,
          'gen_ai.usage.cache_read.input_tokens': 3,
          'gen_ai.usage.cache_creation.input_tokens': 3,
          'http.request.method': 'POST',
          'http.route': '/v1/messages',
          'http.response.status_code': 200,
          'claude_gateway.backend': 'a',
          'claude_gateway.outcome': 'ok',
          'claude_gateway.request_id': 'req_1',
          'claude_gateway.attempts': 1,
          'claude_gateway.cost_usd': 0.0015,
          'claude_gateway.time_to_first_token_ms': 10,
        },
      },
    ])
    expect(collector.resources[0]).toMatchObject({
      'service.name': 'claude-gateway',
      'service.version': '1.2.3',
    })
    expect(collector.requests[0]?.headers).toMatchObject({
      authorization: 'Bearer of the collector',
      'content-type': 'application/x-protobuf',
    })
  })

  test.each<[string, Partial<CallRecord>, number, string | undefined]>([
    ['an upstream that failed', { outcome: 'error', statusCode: 529 }, 2, '529'],
    ['an answer that broke off', { outcome: 'upstream_cut' }, 2, 'upstream_cut'],
    ['a mistake of the caller', { outcome: 'error', statusCode: 400 }, 0, undefined],
    ['a caller that left', { outcome: 'client_aborted', statusCode: 499 }, 0, undefined],
  ])('of %s has its status', async (_what, record, status, error) => {
    const otlp = start()
    call(record)
    await otlp.close()
    expect([collector.spans[0]?.status, collector.spans[0]?.attributes['error.type']]).toEqual([
      status,
      error,
    ])
  })

  test('takes any number and any text', async () => {
    const otlp = start()
    const id = `req_${'ü'.repeat(200)}`
    call({ id, inputTokens: 2 ** 40, outputTokens: 127, costMicros: 2_000_000, cacheReadTokens: 0 })
    for (let i = 0; i < 300; i += 1) call({ outputTokens: 128 + i })
    await otlp.close()
    expect(collector.spans).toHaveLength(301)
    expect(collector.spans[0]?.attributes).toMatchObject({
      'claude_gateway.request_id': id,
      'gen_ai.usage.input_tokens': 2 ** 40 + 3,
      'gen_ai.usage.output_tokens': 127,
      'claude_gateway.cost_usd': 2,
    })
    expect(collector.spans.at(-1)?.attributes['gen_ai.usage.output_tokens']).toBe(427)
    expect(new Set(collector.spans.map(({ spanId }) => spanId)).size).toBe(301)
  })

  test('is below the caller’s own, and of its trace', async () => {
    const otlp = start()
    call({}, [['traceparent', `00-${TRACE}-${SPAN}-01`]])
    await otlp.close()
    expect(collector.spans[0]).toMatchObject({ traceId: TRACE, parentSpanId: SPAN })
    expect(collector.spans[0]?.spanId).not.toBe(SPAN)
  })

  test.each([
    `00-${TRACE}-${SPAN}`,
    `00-${TRACE.toUpperCase()}-${SPAN}-01`,
    `00-${'0'.repeat(32)}-${SPAN}-01`,
    `00-${TRACE}-${'0'.repeat(16)}-01`,
    `ff-${TRACE}-${SPAN}-01`,
    `00-${TRACE}-${SPAN}-01, 00-${TRACE}-${SPAN}-01`,
    '',
  ])('begins a trace of its own where the caller’s is none: %s', async (traceparent) => {
    const otlp = start()
    call({}, [['traceparent', traceparent]])
    await otlp.close()
    expect(collector.spans[0]?.parentSpanId).toBe('')
  })

  test('is only made where the caller records its trace or, without one, of the configured share', async () => {
    const otlp = start({ sample: 0 })
    call()
    call({}, [['traceparent', `00-${TRACE}-${SPAN}-00`]])
    call({}, [['traceparent', `00-${TRACE}-${SPAN}-01`]])
    await otlp.close()
    expect(collector.spans.map(({ traceId }) => traceId)).toEqual([TRACE])
  })
})

describe('metrics', () => {
  test('have the names, units and attributes of OpenTelemetry, and whole histograms', async () => {
    const otlp = start({ interval: 20 })
    call({ costMicros: 1_500_000 })
    createMetrics(memory, () => '').answered('GET', '/api/keys', 200, 30)
    await expect.poll(() => collector.metrics.length).toBeGreaterThan(8)
    await otlp.close()
    const found = (name: string) => collector.metrics.findLast((metric) => metric.name === name)
    expect(found('claude_gateway.cost.usd')).toMatchObject({
      kind: 'sum',
      points: [{ attributes: { model: 'claude-opus-5-5', backend: 'a' }, value: 1.5 }],
    })
    expect(found('claude_gateway.processes')).toMatchObject({ kind: 'gauge', points: [{ value: 1 }] })
    expect(found('gen_ai.client.token.usage')).toMatchObject({
      unit: '{token}',
      kind: 'histogram',
      points: [
        {
          attributes: { 'gen_ai.operation.name': 'chat', 'gen_ai.token.type': 'input' },
          value: 16,
          counts: [0, 0, 1, ...Array(12).fill(0)],
          bounds: expect.arrayContaining([1, 4, 16, 67_108_864]),
        },
        { attributes: { 'gen_ai.token.type': 'output' }, value: 20 },
      ],
    })
    expect(found('http.server.request.duration')?.points[0]?.attributes).toEqual({
      'http.request.method': 'GET',
      'http.route': '/api/keys',
      'http.response.status_code': 200,
    })
  })

  test('and traces are exported each only where it is wanted', async () => {
    const otlp = start({ traces: false })
    call()
    await otlp.close()
    expect(new Set(collector.requests.map(({ url }) => url))).toEqual(new Set(['/v1/metrics']))
  })
})

describe('a collector', () => {
  test('that does not answer holds little, and what it did not take is counted', async () => {
    collector.answer('hang')
    const otlp = start({ interval: 10 })
    for (let i = 0; i < 10_000; i += 1) call()
    expect(otlp.waiting()).toBeLessThanOrEqual(4_096)
    expect(drops().traces).toBeGreaterThan(5_000)
    await expect.poll(() => drops().metrics).toBeGreaterThan(2)
    await otlp.close()
    expect(drops().traces).toBeGreaterThanOrEqual(10_000 - 256)
  })

  test('that refuses is one line in the log, and one when it takes them again', async () => {
    collector.answer(400)
    const otlp = start({ metrics: false })
    const of = (event: string) => logs.lines.filter((line) => line.event === event).length
    for (let i = 0; i < 3 * 256; i += 1) call()
    await expect.poll(() => drops().traces).toBe(3 * 256)
    expect([of('otlp.failed'), of('otlp.works_again')]).toEqual([1, 0])
    collector.answer(200)
    for (let i = 0; i < 256; i += 1) call()
    await expect.poll(() => of('otlp.works_again')).toBe(1)
    expect(collector.spans).toHaveLength(256)
    expect(JSON.stringify(logs.lines)).not.toContain('Bearer')
    await otlp.close()
  })
})

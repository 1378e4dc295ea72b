import { describe, expect, test } from 'vitest'
import { boundedLabel, closedLabel } from '../../../core/observability/labels.ts'
import { createMerged } from '../../../core/observability/merge.ts'
import { exposition, prometheusName } from '../../../core/observability/prometheus.ts'
import { createRegistry } from '../../../core/observability/registry.ts'
import type { Series } from '../../../core/observability/series.ts'
import { METRIC_NAMES, METRICS } from '../../../core/observability/table.ts'

describe('the table of metrics', () => {
  test('is what it was: dashboards and alerts of others depend on names and labels', () => {
    const table = METRIC_NAMES.map((name) => {
      const { kind, labels } = METRICS[name]
      return `${kind} ${prometheusName(name)}${kind === 'counter' ? '_total' : ''} ${labels.join(' ')}`.trim()
    })
    expect(table).toMatchSnapshot()
  })

  test('has no label for persons, keys or prompts', () => {
    const labels = METRIC_NAMES.flatMap((name) => [...METRICS[name].labels])
    expect(labels.filter((label) => /user|person|key|prompt|itcode|ip/.test(label))).toEqual([])
  })
})

const SERIES: Series[] = [
  { metric: 'claude_gateway.errors', labels: ['not_found'], numbers: [3] },
  { metric: 'process.memory.usage', labels: [], numbers: [1024] },
  { metric: 'claude_gateway.backend.state', labels: ['a"\\\n', 'healthy'], numbers: [1] },
  {
    metric: 'gen_ai.server.time_per_output_token',
    labels: ['m'],
    numbers: [1, 0, 2, ...Array(11).fill(0), 0.5],
  },
]

describe('the text for Prometheus', () => {
  test('has help, type, escaped labels and cumulative buckets', () => {
    const { text, type } = exposition(SERIES)
    expect(type).toBe('text/plain; version=0.0.4; charset=utf-8')
    const lines = text.split('\n')
    expect(lines).toContain('# TYPE claude_gateway_errors_total counter')
    expect(lines).toContain('claude_gateway_errors_total{code="not_found"} 3')
    expect(lines).toContain('claude_gateway_backend_state{backend="a\\"\\\\\\n",state="healthy"} 1')
    expect(lines).toContain('process_memory_usage_bytes 1024')
    const buckets = lines.filter((line) => line.includes('time_per_output_token_seconds_bucket'))
    expect(buckets.map((line) => line.split(' ')[1])).toEqual(['1', '1', ...Array(12).fill('3')])
    expect(buckets.at(-3)).toContain('le="1.0"')
    expect(buckets.at(-1)).toContain('le="+Inf"')
    expect(text).not.toContain('# EOF')
  })

  test('is OpenMetrics for who asks for it: units, counters without their suffix in the head, an end', () => {
    const { text, type } = exposition(SERIES, 'application/openmetrics-text;version=1.0.0,text/plain;q=0.5')
    expect(type).toMatch(/^application\/openmetrics-text/)
    const lines = text.split('\n')
    expect(lines).toContain('# TYPE claude_gateway_errors counter')
    expect(lines).toContain('claude_gateway_errors_total{code="not_found"} 3')
    expect(lines).toContain('# UNIT process_memory_usage_bytes bytes')
    expect(text.endsWith('\n# EOF\n')).toBe(true)
  })
})

describe('a registry', () => {
  test('grows, and tells what changed since the last look', () => {
    const registry = createRegistry()
    const codes = boundedLabel(100)
    const errors = registry.family('claude_gateway.errors', [codes])
    for (let i = 0; i < 90; i += 1) errors.add(i, codes.id(`code-${i}`))
    expect(registry.changes()).toHaveLength(90)
    expect(registry.changes()).toEqual([])
    errors.add(1, codes.id('code-7'))
    expect(registry.changes()).toEqual([
      { metric: 'claude_gateway.errors', labels: ['code-7'], numbers: [8] },
    ])
    expect(registry.all()).toHaveLength(90)
  })

  test('counts what has no room in one series', () => {
    const registry = createRegistry()
    const wide = boundedLabel(1_000)
    const family = registry.family('claude_gateway.attempts.failed', [wide, wide])
    for (let i = 0; i < 100_000; i += 1) family.add(1, wide.id(`a${i % 999}`), wide.id(`b${i % 998}`))
    const all = registry.all()
    expect(all.length).toBeLessThanOrEqual(5_001)
    expect(all.reduce((sum, { numbers: [count = 0] }) => sum + count, 0)).toBe(100_000)
  })

  test('a closed label takes no other value', () => {
    const label = closedLabel(['a', 'b'])
    expect(['a', 'b', 'c'].map((value) => label.value(label.id(value)))).toEqual(['a', 'b', 'other'])
  })
})

describe('the figures of several processes', () => {
  const errors = (count: number): Series => ({
    metric: 'claude_gateway.errors',
    labels: ['x'],
    numbers: [count],
  })
  const delay = (seconds: number): Series => ({
    metric: 'nodejs.eventloop.delay.max',
    labels: [],
    numbers: [seconds],
  })
  const inFlight = (count: number): Series => ({
    metric: 'claude_gateway.calls.in_flight',
    labels: [],
    numbers: [count],
  })
  const numbers = (all: Series[]) =>
    Object.fromEntries(all.map(({ metric, numbers: [number] }) => [metric, number]))

  test('are added up, but for those of which the highest counts', () => {
    const merged = createMerged<string>()
    merged.report('one', [errors(2), delay(0.1), inFlight(3)])
    merged.report('two', [errors(5), delay(0.3), inFlight(4)])
    merged.report('one', [errors(3), delay(0.2), inFlight(1)])
    expect(numbers(merged.all())).toEqual({
      'claude_gateway.errors': 8,
      'nodejs.eventloop.delay.max': 0.3,
      'claude_gateway.calls.in_flight': 5,
    })
  })

  test('what a process counted stays when it ends, so that no count goes back', () => {
    const merged = createMerged<string>()
    merged.report('one', [errors(2), inFlight(3)])
    merged.report('two', [errors(5)])
    merged.ended('one')
    merged.report('three', [errors(1)])
    merged.ended('three')
    expect(numbers(merged.all())).toEqual({ 'claude_gateway.errors': 8 })
  })
})

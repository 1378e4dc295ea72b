import { describe, expect, test } from 'vitest'
import { createMetrics, createMetricsMemory } from '../../../core/observability/metrics.ts'
import { modelLabels } from '../../../core/observability/model-label.ts'
import { exposition } from '../../../core/observability/prometheus.ts'
import type { CallRecord } from '../../../core/ports.ts'
import { fakeClock } from '../../support/clock.ts'
import { callRecord } from '../../support/records.ts'

const NAMES = new Set(['claude-opus-5-5'])
const counting = () => {
  const clock = fakeClock()
  const memory = createMetricsMemory(clock)
  const metrics = createMetrics(memory, (model) => (NAMES.has(model) ? model : 'other'))
  const lines = () => exposition(memory.registry.all()).text.split('\n')
  const call = (given: Partial<CallRecord> = {}, target = '/v1/messages?beta=true') => {
    metrics.callSent()
    metrics.callEnded({ target, headers: [], record: callRecord(given) })
  }
  return {
    clock,
    memory,
    metrics,
    call,
    lines,
    about: (name: string) => lines().filter((line) => line.startsWith(name)),
  }
}

describe('a call that is over is counted', () => {
  test('by route, model, backend and outcome', () => {
    const { call, about } = counting()
    call()
    call()
    call({ outcome: 'error', statusCode: 529, backend: '' }, '/v1/chat/completions')
    expect(about('claude_gateway_calls_total')).toEqual([
      'claude_gateway_calls_total{route="/v1/messages",model="claude-opus-5-5",backend="a",outcome="ok"} 2',
      'claude_gateway_calls_total{route="/v1/chat/completions",model="claude-opus-5-5",backend="none",outcome="error"} 1',
    ])
  })

  test('with its tokens by class, and its cost in dollars', () => {
    const { call, about } = counting()
    call({ costMicros: 1_500_000 })
    call()
    const of = (name: string) =>
      `claude_gateway_tokens_total{model="claude-opus-5-5",backend="a",class="${name}"}`
    expect(about('claude_gateway_tokens_total')).toEqual([
      `${of('input')} 20`,
      `${of('output')} 40`,
      `${of('cache_read')} 6`,
      `${of('cache_write_5m')} 4`,
      `${of('cache_write_1h')} 2`,
    ])
    expect(about('claude_gateway_cost_usd_total')).toEqual([
      'claude_gateway_cost_usd_total{model="claude-opus-5-5",backend="a"} 1.5005',
    ])
  })

  test('in the histograms of OpenTelemetry: input with all that was cached, and the time per later token', () => {
    const { call, about } = counting()
    call({ latencyMs: 1_050, ttftMs: 50, outputTokens: 21 })
    const claude = 'gen_ai_operation_name="chat",gen_ai_provider_name="anthropic"'
    const model = 'gen_ai_request_model="claude-opus-5-5"'
    expect(about('gen_ai_client_token_usage_sum')).toEqual([
      `gen_ai_client_token_usage_sum{${claude},gen_ai_token_type="input",${model}} 16`,
      `gen_ai_client_token_usage_sum{${claude},gen_ai_token_type="output",${model}} 21`,
    ])
    expect(about('gen_ai_server_request_duration_seconds_sum')).toEqual([
      `gen_ai_server_request_duration_seconds_sum{${claude},${model}} 1.05`,
    ])
    expect(about('gen_ai_server_time_to_first_token_seconds_bucket')[4]).toBe(
      `gen_ai_server_time_to_first_token_seconds_bucket{${claude},${model},le="0.04"} 0`,
    )
    expect(about('gen_ai_server_time_to_first_token_seconds_bucket')[5]).toBe(
      `gen_ai_server_time_to_first_token_seconds_bucket{${claude},${model},le="0.06"} 1`,
    )
    expect(about('gen_ai_server_time_per_output_token_seconds_sum')).toEqual([
      `gen_ai_server_time_per_output_token_seconds_sum{${claude},${model}} 0.05`,
    ])
  })

  test('whole answers and failed calls say nothing about first tokens', () => {
    const { call, about } = counting()
    call({ stream: false })
    call({ outcome: 'upstream_cut' })
    expect(about('gen_ai_server_time_')).toEqual([])
    expect(about('gen_ai_server_request_duration_seconds_count')).toEqual([
      expect.not.stringContaining('error_type'),
      expect.stringContaining('error_type="upstream_cut"'),
    ])
  })

  test('and is in flight from its first attempt to its end, however many backends were tried', () => {
    const { memory, metrics } = counting()
    metrics.callSent()
    metrics.callSent()
    expect(memory.inFlight()).toBe(2)
    metrics.callEnded({ target: '/v1/messages', headers: [], record: callRecord({ attempts: 3 }) })
    expect(memory.inFlight()).toBe(1)
    // It was never sent.
    metrics.callEnded({
      target: '/v1/messages',
      headers: [],
      record: callRecord({ attempts: 0, backend: '' }),
    })
    expect(memory.inFlight()).toBe(1)
  })
})

describe('no label grows without end', () => {
  test('models that nobody knows are counted together', () => {
    const { call, lines } = counting()
    for (let i = 0; i < 1_000; i += 1) call({ model: `made-up-${i}` })
    expect(lines().join('\n')).not.toContain('made-up')
    expect(lines()).toContain(
      'claude_gateway_calls_total{route="/v1/messages",model="other",backend="a",outcome="ok"} 1000',
    )
  })

  test('addresses, statuses, backends and codes that are too many or unknown are counted as `other`', () => {
    const { call, metrics, lines } = counting()
    for (let i = 0; i < 1_000; i += 1) {
      call({ backend: `backend-${i}`, statusCode: i, outcome: 'error' }, `/v1/${i}`)
      metrics.answered(`METHOD${i}`, `/route/${i}`, i, 1)
      metrics.attemptFailed(`backend-${i}`, 'pair_failed')
    }
    expect(lines().filter((line) => line.includes('route="/v1/'))).toEqual([])
    expect(lines().filter((line) => line.startsWith('claude_gateway_calls_total'))).toHaveLength(200)
    // 199 routes that each came with a status of their own, or with `other`.
    expect(
      lines().filter((line) => /^http_server_request_duration_seconds_count/.test(line)).length,
    ).toBeLessThan(300)
  })

  test('a model has the name of its price, of the configuration or of a backend’s list; any other is `other`', () => {
    const known = new Set<string>()
    const inForce: ReturnType<Parameters<typeof modelLabels>[1]> = {
      prices: {
        rates: (model) => (/opus/i.test(model) ? ({} as never) : undefined), // only whether there are some counts
        canonical: () => 'claude-opus-5-5',
      },
      settings: {
        backends: [{ models: ['tuned', 'house-*'] } as never], // nothing else of a backend counts
        modelReplacements: [['old', 'replacement']],
        modelFallbacks: [],
      },
      catalogue: { known: (model) => known.has(model) || undefined },
    }
    const labelOf = modelLabels(fakeClock(), () => inForce)
    const labels = () => ['Claude-OPUS-5.5', 'tuned', 'replacement', 'house-1', 'house-*', 'new'].map(labelOf)
    expect(labels()).toEqual(['claude-opus-5-5', 'tuned', 'replacement', 'other', 'other', 'other'])
    known.add('new')
    expect(labels().at(-1)).toBe('new')
  })
})

describe('what else is counted:', () => {
  test('refusals by limit and whose it was, and errors by code', () => {
    const { metrics, about } = counting()
    const denied = { ok: false, scope: 'key', id: 1, held: false, period: 'daily', resetAt: 0 } as const
    metrics.limitReached({ ...denied, limit: 'budget' })
    metrics.limitReached({ ok: false, limit: 'unavailable' })
    metrics.refused('quota_exceeded')
    const risen = (name: string) => about(name).filter((line) => !line.endsWith(' 0'))
    expect(risen('claude_gateway_limit_refusals_total')).toEqual([
      'claude_gateway_limit_refusals_total{limit="budget",scope="key"} 1',
      'claude_gateway_limit_refusals_total{limit="unavailable"} 1',
    ])
    expect(risen('claude_gateway_errors_total')).toEqual([
      'claude_gateway_errors_total{code="quota_exceeded"} 1',
    ])
  })

  test('and all of these from 0 on, because a count that begins at 1 has not risen for Prometheus', () => {
    const { about } = counting()
    expect(about('claude_gateway_errors_total')).toContain('claude_gateway_errors_total{code="internal"} 0')
    expect(about('claude_gateway_limit_refusals_total')).toContain(
      'claude_gateway_limit_refusals_total{limit="unavailable"} 0',
    )
  })

  test('failed attempts by backend and verdict, and requests by method, route and status', () => {
    const { metrics, about } = counting()
    metrics.attemptFailed('a', 'pair_cooldown')
    metrics.answered('GET', '/api/keys/:id', 404, 20)
    expect(about('claude_gateway_attempts_failed_total')).toEqual([
      'claude_gateway_attempts_failed_total{backend="a",verdict="pair_cooldown"} 1',
    ])
    expect(about('http_server_request_duration_seconds_sum')).toEqual([
      'http_server_request_duration_seconds_sum{http_request_method="GET",http_route="/api/keys/:id",http_response_status_code="404"} 0.02',
    ])
  })
})

describe('live sums', () => {
  test('are of the last ten seconds and of the last minute, and forget what is older', () => {
    const { clock, memory, call } = counting()
    call({ inputTokens: 100, costMicros: 7 })
    clock.advance(9_000)
    call({ inputTokens: 1, costMicros: 1, outcome: 'error' })
    expect(memory.recent.sums()).toMatchObject({
      tenSeconds: { calls: 2, input: 101 },
      minute: { calls: 2, failed: 1, costMicros: 8 },
    })
    clock.advance(2_000)
    expect(memory.recent.sums()).toMatchObject({
      tenSeconds: { input: 1 },
      minute: { calls: 2, costMicros: 8 },
    })
    clock.advance(50_000)
    expect(memory.recent.sums().minute).toMatchObject({ calls: 1, costMicros: 1 })
    clock.advance(3_600_000)
    expect(memory.recent.sums().minute).toMatchObject({ calls: 0, costMicros: 0 })
  })
})

/**
 * A call as a span of a trace: what was called, what it used and how it ended, never what was said, by whom or with which key.
 * Attributes: https://opentelemetry.io/docs/specs/semconv/gen-ai/gen-ai-spans/ and .../http/http-spans/; others begin with
 * claude_gateway.
 */
import { headerOf } from '../http/headers.ts'
import type { HeaderPairs } from '../ports.ts'
import { usdOf } from '../units.ts'
import { type EndedCall, inputOf, routeOf } from './metrics.ts'

/** The span of the caller, as it names it: https://www.w3.org/TR/trace-context/#traceparent-header */
export interface ParentSpan {
  traceId: string
  spanId: string
  /** Whether the caller records its trace. */
  sampled: boolean
}

export interface CallSpan {
  name: string
  /** Undefined: the call begins a trace of its own. */
  parent: ParentSpan | undefined
  /** ms since 1970. */
  startedAt: number
  endedAt: number
  /** What OpenTelemetry calls the status Error: the call failed, and not by its caller's fault. */
  failed: boolean
  attributes: Readonly<Record<string, string | number>>
}

/** Version, trace, span and flags. Later versions may have more behind them; ff is none. */
const TRACEPARENT = /^(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})(-.*)?$/
const SAMPLED = 1

/** Undefined without a valid header; of a repeated one nothing can be believed. */
export function parentOf(headers: HeaderPairs): ParentSpan | undefined {
  const [, traceId, spanId, flags] = TRACEPARENT.exec(headerOf(headers, 'traceparent') ?? '') ?? []
  if (traceId === undefined || spanId === undefined || flags === undefined) return undefined
  return { traceId, spanId, sampled: (Number.parseInt(flags, 16) & SAMPLED) !== 0 }
}

/** `model`: the name under which the call's model is counted. */
export function callSpan(
  { target, record }: EndedCall,
  model: string,
  parent: ParentSpan | undefined,
): CallSpan {
  const { outcome, statusCode, ttftMs } = record
  const failed =
    outcome !== 'ok' && outcome !== 'client_aborted' && (outcome !== 'error' || statusCode >= 500)
  return {
    name: `chat ${model}`,
    parent,
    startedAt: record.createdAt,
    endedAt: record.createdAt + record.latencyMs,
    failed,
    attributes: {
      'gen_ai.operation.name': 'chat',
      'gen_ai.provider.name': 'anthropic',
      'gen_ai.request.model': model,
      'gen_ai.usage.input_tokens': inputOf(record),
      'gen_ai.usage.output_tokens': record.outputTokens,
      'gen_ai.usage.cache_read.input_tokens': record.cacheReadTokens,
      'gen_ai.usage.cache_creation.input_tokens': record.cacheWrite5mTokens + record.cacheWrite1hTokens,
      'http.request.method': 'POST',
      'http.route': routeOf(target),
      'http.response.status_code': statusCode,
      ...(failed ? { 'error.type': outcome === 'error' ? String(statusCode) : outcome } : {}),
      ...(record.backend === '' ? {} : { 'claude_gateway.backend': record.backend }),
      'claude_gateway.outcome': outcome,
      'claude_gateway.request_id': record.id,
      'claude_gateway.attempts': record.attempts,
      'claude_gateway.cost_usd': usdOf(record.costMicros),
      ...(ttftMs === null ? {} : { 'claude_gateway.time_to_first_token_ms': ttftMs }),
    },
  }
}

/**
 * A call as a span of a trace: what was called, what it used and how it ended, never what was said, by whom or with which key.
 * Attributes: https://opentelemetry.io/docs/specs/semconv/gen-ai/gen-ai-spans/ and .../http/http-spans/; others begin with
 * claude_gateway.
 */
import { headerOf } from '../http/headers.ts'
import type { CallRecord, HeaderPairs } from '../ports.ts'
import { usdOf } from '../units.ts'
import { type EndedCall, inputOf, routeOf } from './metrics.ts'

/** The span of the caller, as it names it: https://www.w3.org/TR/trace-context/#traceparent-header */
export interface ParentSpan {
  traceId: string
  spanId: string
  /** Whether the caller records its trace. */
  sampled: boolean
}

/** What a span is made of. */
export interface CallSpan {
  /** Its path, without the caller's query. */
  route: string
  record: CallRecord
  /** The name under which the call's model is counted. */
  model: string
  /** Undefined: the call begins a trace of its own. */
  parent: ParentSpan | undefined
}

/** What many spans have in common. */
export interface SpanForm {
  name: string
  /** What OpenTelemetry calls the status Error: the call failed, and not by its caller's fault. */
  failed: boolean
  attributes: Readonly<Record<string, string | number>>
}

/** Version, trace, span and flags. Later versions may have more behind them; ff is none. */
const TRACEPARENT = /^(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})(-.*)?$/
const SAMPLED = 1

/** Undefined without a valid header; of a repeated one nothing can be believed. */
export function parentOf(headers: HeaderPairs): ParentSpan | undefined {
  const header = headerOf(headers, 'traceparent')
  if (header === undefined) return undefined
  const [, traceId, spanId, flags] = TRACEPARENT.exec(header) ?? []
  if (traceId === undefined || spanId === undefined || flags === undefined) return undefined
  return { traceId, spanId, sampled: (Number.parseInt(flags, 16) & SAMPLED) !== 0 }
}

export function callSpan(
  { target, record }: EndedCall,
  model: string,
  parent: ParentSpan | undefined,
): CallSpan {
  return { route: routeOf(target), record, model, parent }
}

/** Spans with the same key have the same form. */
export function formKeyOf({ route, record, model }: CallSpan): string {
  return `${model} ${record.backend} ${record.outcome} ${record.statusCode} ${route}`
}

export function formOf({ route, record, model }: CallSpan): SpanForm {
  const { outcome, statusCode, backend } = record
  const failed =
    outcome !== 'ok' && outcome !== 'client_aborted' && (outcome !== 'error' || statusCode >= 500)
  return {
    name: `chat ${model}`,
    failed,
    attributes: {
      'gen_ai.operation.name': 'chat',
      'gen_ai.provider.name': 'anthropic',
      'gen_ai.request.model': model,
      'http.request.method': 'POST',
      'http.route': route,
      'http.response.status_code': statusCode,
      ...(failed ? { 'error.type': outcome === 'error' ? String(statusCode) : outcome } : {}),
      ...(backend === '' ? {} : { 'claude_gateway.backend': backend }),
      'claude_gateway.outcome': outcome,
    },
  }
}

interface SpanNumber {
  name: string
  /** Undefined where a call has none. */
  of(record: CallRecord): number | undefined
  /** It may have decimals. */
  decimal?: true
}
/** The numbers that each span has, in this order. */
export const SPAN_NUMBERS: readonly SpanNumber[] = [
  { name: 'gen_ai.usage.input_tokens', of: inputOf },
  { name: 'gen_ai.usage.output_tokens', of: ({ outputTokens }) => outputTokens },
  { name: 'gen_ai.usage.cache_read.input_tokens', of: ({ cacheReadTokens }) => cacheReadTokens },
  {
    name: 'gen_ai.usage.cache_creation.input_tokens',
    of: ({ cacheWrite5mTokens, cacheWrite1hTokens }) => cacheWrite5mTokens + cacheWrite1hTokens,
  },
  { name: 'claude_gateway.attempts', of: ({ attempts }) => attempts },
  { name: 'claude_gateway.time_to_first_token_ms', of: ({ ttftMs }) => ttftMs ?? undefined },
  { name: 'claude_gateway.cost_usd', of: ({ costMicros }) => usdOf(costMicros), decimal: true },
]
/** The attribute that leads to the row of the call. */
export const SPAN_REQUEST_ID = 'claude_gateway.request_id'

/**
 * What an upstream's answer means, judged at its first byte: give it to the client, or try the next backend, and what
 * the balancer learns from it. Pure. Rules: protocol reference §3.2.
 */
import { RECHECK_MS, type Verdict } from '../backends/health.ts'
import { headerOf } from '../http/headers.ts'
import type { UpstreamReply } from '../ports.ts'

const DEFAULT_REST_MS = 10_000
/** A backend that asks for an hour is asked again after a minute: one refused try costs less than a wrong rest. */
const LONGEST_REST_MS = 60_000

const DECODER = new TextDecoder()

/** Status that Anthropic gives an error type (protocol reference §3.1). */
const STATUS_OF_TYPE: Readonly<Record<string, number>> = {
  invalid_request_error: 400,
  authentication_error: 401,
  billing_error: 402,
  permission_error: 403,
  not_found_error: 404,
  request_too_large: 413,
  rate_limit_error: 429,
  api_error: 500,
  timeout_error: 504,
  overloaded_error: 529,
}

export type Judgement =
  | { relay: true }
  /** `verdict` undefined: no fault of the backend. `show`: this answer may be the client's if no backend has a better one. */
  | { relay: false; verdict: Verdict | undefined; show: boolean }

/** Judges a whole answer by status, headers and first chunk. `now` in ms since 1970, for dates in retry-after. */
export function judge(reply: Pick<UpstreamReply, 'status' | 'headers' | 'first'>, now: number): Judgement {
  const { status } = reply
  if (status >= 200 && status < 300) return judgeSuccess(reply)
  if (status === 400) {
    if (!spendCapReached(reply.first)) return { relay: true }
    return { relay: false, verdict: unpaid('spend cap reached'), show: false }
  }
  if (status === 402) return { relay: false, verdict: unpaid(`answered ${status}`), show: false }
  if (status === 401 || status === 403) {
    return { relay: false, verdict: refused(`answered ${status}`), show: false }
  }
  if (status === 404) return { relay: false, verdict: undefined, show: true }
  if (status === 429) {
    if (spendCapReached(reply.first))
      return { relay: false, verdict: unpaid('spend cap reached'), show: false }
    const untilMs = now + restOf(headerOf(reply.headers, 'retry-after'), now)
    return { relay: false, verdict: { kind: 'parked', reason: 'answered 429', untilMs }, show: true }
  }
  if (status >= 500) return { relay: false, verdict: failed(`answered ${status}`), show: true }
  if (status >= 400) return { relay: true }
  return { relay: false, verdict: failed(`answered ${status}`), show: false }
}

function judgeSuccess(reply: Pick<UpstreamReply, 'status' | 'headers' | 'first'>): Judgement {
  const type = headerOf(reply.headers, 'content-type') ?? ''
  if (!reply.first && reply.status === 200) {
    return { relay: false, verdict: failed('answered with nothing'), show: false }
  }
  if (type.startsWith('text/html'))
    return { relay: false, verdict: failed('answered with a web page'), show: false }
  if (!type.startsWith('text/event-stream')) return { relay: true }
  const error = openingError(reply.first)
  if (!error) return { relay: true }
  const { type: errorType } = error
  if (errorType === 'billing_error')
    return { relay: false, verdict: unpaid(`streamed ${errorType}`), show: false }
  if (errorType === 'authentication_error' || errorType === 'permission_error')
    return { relay: false, verdict: refused(`streamed ${errorType}`), show: false }
  if (errorType === 'invalid_request_error' || errorType === 'request_too_large') return { relay: true }
  return { relay: false, verdict: failed(`streamed ${errorType}`), show: true }
}

/** The error of a stream that begins with one: its type, the status it stands for, and its JSON envelope. */
export function openingError(
  first: Uint8Array | undefined,
): { type: string; status: number; json: string } | undefined {
  // Almost every stream starts "event: m": looked at before anything is decoded.
  if (first?.[7] !== 0x65 || first[0] !== 0x65) return undefined
  const frame = /^event: ?error\r?\ndata: ?(.+)/.exec(textOf(first))
  const json = frame?.[1]?.trim()
  if (!json) return undefined
  const type = /"error"\s*:\s*\{[^{}]*?"type"\s*:\s*"([a-z_]+)"/.exec(json)?.[1] ?? 'api_error'
  return { type, status: STATUS_OF_TYPE[type] ?? 500, json }
}

/** Spend caps come as 429 with a code, or as 400 with a sentence (protocol reference §3.1). */
function spendCapReached(first: Uint8Array | undefined): boolean {
  if (!first) return false
  return /"(enforced|contract)_spend_limit_reached"|You have reached your specified API usage limits/.test(
    textOf(first),
  )
}

/** Milliseconds to rest for a retry-after in seconds or as an HTTP date; ten seconds when it says nothing usable. */
export function restOf(retryAfter: string | undefined, now: number): number {
  const text = retryAfter?.trim() ?? ''
  const ms = /^\d+(\.\d+)?$/.test(text) ? Number(text) * 1000 : Date.parse(text) - now
  if (!Number.isFinite(ms) || ms <= 0) return DEFAULT_REST_MS
  return Math.min(ms, LONGEST_REST_MS)
}

function textOf(bytes: Uint8Array): string {
  return DECODER.decode(bytes.subarray(0, 64 * 1024))
}

function failed(reason: string): Verdict {
  return { kind: 'failed', reason }
}

/** It may have been only this call that it refused: a check tells at once. */
function refused(reason: string): Verdict {
  return { kind: 'barred', reason, recheckMs: 0 }
}

/** A check costs nothing and would pass. */
function unpaid(reason: string): Verdict {
  return { kind: 'barred', reason, recheckMs: RECHECK_MS }
}

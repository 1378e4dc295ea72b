/** The gateway's and Claude's errors in OpenAI's form (core/calls/PROTOCOL.md, OpenAI's replies). */
import * as z from 'zod'
import type { Refusal } from '../errors.ts'

export interface OpenAiError {
  message: string
  type: string
  param: string | null
  code: string | null
}
interface ErrorKind {
  status: number
  type: string
  code: string | null
}

/** Anthropic's error type → OpenAI's status, type and code. */
const KINDS = new Map(
  Object.entries<ErrorKind>({
    invalid_request_error: { status: 400, type: 'invalid_request_error', code: null },
    authentication_error: { status: 401, type: 'invalid_request_error', code: 'invalid_api_key' },
    permission_error: { status: 403, type: 'permission_error', code: 'permission_denied' },
    not_found_error: { status: 404, type: 'invalid_request_error', code: 'model_not_found' },
    request_too_large: { status: 413, type: 'invalid_request_error', code: 'request_too_large' },
    rate_limit_error: { status: 429, type: 'rate_limit_error', code: 'rate_limit_exceeded' },
    billing_error: { status: 429, type: 'insufficient_quota', code: 'insufficient_quota' },
    overloaded_error: { status: 503, type: 'server_error', code: 'overloaded' },
    timeout_error: { status: 504, type: 'server_error', code: 'timeout' },
    api_error: { status: 502, type: 'server_error', code: null },
  }),
)
const OTHER: ErrorKind = { status: 502, type: 'server_error', code: null }
/** Overrides by code of the Refusal, where it says more than Anthropic's type. */
const CODES = new Map(
  Object.entries<Partial<ErrorKind>>({
    model_not_allowed: { status: 403, type: 'permission_error', code: 'model_not_allowed' },
    unsupported_value: { code: 'unsupported_value' },
    internal: { status: 500 },
    upload_stalled: { status: 408 },
    method_not_allowed: { status: 405, code: null },
    not_found: { code: null },
  }),
)
/** In the words of Claude and of the clouds. */
const TOO_LONG = /(prompt|input) is too long|exceeds? (the )?(maximum )?context/i

/** A Refusal in OpenAI's form; `type` is Anthropic's error type. */
export function refusalAsOpenAi(refusal: Refusal, type: string): { status: number; error: OpenAiError } {
  const kind = { ...(KINDS.get(type) ?? OTHER), ...CODES.get(refusal.code) }
  const param = Object.keys(refusal.fields ?? {})[0] ?? (refusal.code.startsWith('model_') ? 'model' : null)
  return { status: kind.status, error: { message: refusal.message, type: kind.type, param, code: kind.code } }
}

const Envelope = z.looseObject({ error: z.looseObject({ type: z.string(), message: z.string() }) })

/** Claude's error answer in OpenAI's form; `status` is used if `body` has no known error type. */
export function claudeErrorAsOpenAi(body: unknown, status: number): { status: number; error: OpenAiError } {
  const { type = 'api_error', message = `The upstream answered ${status}.` } =
    Envelope.safeParse(body).data?.error ?? {}
  const kind = KINDS.get(type) ?? { ...OTHER, status }
  const code = kind.status === 400 && TOO_LONG.test(message) ? 'context_length_exceeded' : kind.code
  return { status: kind.status, error: { message, type: kind.type, param: null, code } }
}

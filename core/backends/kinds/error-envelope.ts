/** Errors as Claude's interface sends them, and OpenAI's: https://platform.claude.com/docs/en/api/errors */
import * as z from 'zod'

/** The HTTP status that Anthropic gives an error type. */
const STATUS_OF_TYPE = new Map(
  Object.entries<number>({
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
  }),
)

export interface ErrorEnvelope {
  type: string
  message: string
  /** `error.details.error_code`, or OpenAI's `error.code`; '' for none. */
  code: string
}

/** Of an error that is in no envelope. */
export const NO_ENVELOPE: ErrorEnvelope = { type: 'api_error', message: '', code: '' }
const text = z.string().catch('')
const Envelope = z.looseObject({
  error: z.looseObject({
    type: text,
    message: z.string(),
    code: text,
    details: z.looseObject({ error_code: text }).catch({ error_code: '' }),
  }),
})

/** The error of a body, if it is in the envelope of Claude or of OpenAI. */
export function envelopeOf(body: Uint8Array | undefined): ErrorEnvelope | undefined {
  return body && parsedEnvelope(new TextDecoder().decode(body))
}

export function parsedEnvelope(json: string): ErrorEnvelope | undefined {
  try {
    const parsed = Envelope.safeParse(JSON.parse(json))
    if (!parsed.success) return undefined
    const { type, message, code, details } = parsed.data.error
    return type || code ? { type, message, code: details.error_code || code } : undefined
  } catch {
    return undefined
  }
}

/** The HTTP status that an error should have been sent with. */
export function statusOf({ type }: Pick<ErrorEnvelope, 'type'>): number {
  return STATUS_OF_TYPE.get(type) ?? 500
}

/** Refusals in the form of Claude's API: https://platform.claude.com/docs/en/api/errors */
import type { Refusal } from '../../core/errors.ts'
import { errorHeaders } from './headers.ts'

/**
 * {type:'error', error:{type,message,details?}, request_id}. Anthropic's SDKs follow `x-should-retry`; `x-gateway-error` is the gateway's own
 * code, which an answer of the upstream does not have.
 */
export function anthropicError(refusal: Refusal, requestId: string): Response {
  const { type, message, errorCode } = refusal
  const details = errorCode === undefined ? {} : { details: { error_code: errorCode } }
  return answer(refusal, requestId, { type, message, ...details })
}

/** The same of the Admin API, with `error.details.error_code`. */
export function adminError(refusal: Refusal, requestId: string): Response {
  const details = { error_code: refusal.errorCode ?? refusal.code }
  return answer(refusal, requestId, { type: refusal.type, message: refusal.message, details })
}

function answer(refusal: Refusal, requestId: string, error: object): Response {
  const headers = errorHeaders(refusal, requestId)
  headers.set('x-should-retry', String(refusal.retry))
  headers.set('x-gateway-error', refusal.code)
  return Response.json({ type: 'error', error, request_id: requestId }, { status: refusal.status, headers })
}

/** Refusals in the form of Claude's API: https://platform.claude.com/docs/en/api/errors */
import type { Refusal } from '../../core/errors.ts'
import { errorHeaders } from './headers.ts'

/** {type:'error', error:{type,message}, request_id}. Anthropic's SDKs follow `x-should-retry`. */
export function anthropicError(refusal: Refusal, requestId: string): Response {
  const body = {
    type: 'error',
    error: { type: refusal.type, message: refusal.message },
    request_id: requestId,
  }
  const headers = errorHeaders(refusal, requestId)
  headers.set('x-should-retry', String(refusal.retry))
  return Response.json(body, { status: refusal.status, headers })
}

/** Refusals in the form of OAuth 2.0: https://www.rfc-editor.org/rfc/rfc6749#section-5.2 */
import type { Refusal, RefusalCode } from '../../core/errors.ts'
import { errorHeaders } from './headers.ts'

const CODES: Partial<Record<RefusalCode, string>> = {
  internal: 'server_error',
  database_unavailable: 'temporarily_unavailable',
  rate_limited: 'slow_down',
  too_many_attempts: 'slow_down',
}

/** {error, error_description} */
export function oauthError(refusal: Refusal, requestId: string): Response {
  const error = CODES[refusal.code] ?? 'invalid_request'
  const body = { error, error_description: refusal.message }
  return Response.json(body, { status: refusal.status, headers: errorHeaders(refusal, requestId) })
}

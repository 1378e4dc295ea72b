/** Refusals in the form of the gateway's own API. */
import type { Refusal } from '../../core/errors.ts'
import { errorHeaders } from './headers.ts'

/** {error:{code,message,fields?,problems?}, request_id} */
export function apiError(refusal: Refusal, requestId: string): Response {
  const { code, message, fields } = refusal
  const coded = Object.entries(refusal.problems ?? {}).map(([path, { code, params }]) => [
    path,
    { code, params },
  ])
  const body = {
    error: { code, message, ...(fields ? { fields, problems: Object.fromEntries(coded) } : {}) },
    request_id: requestId,
  }
  return Response.json(body, { status: refusal.status, headers: errorHeaders(refusal, requestId) })
}

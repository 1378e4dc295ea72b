/** Refusals in the form of SCIM: https://www.rfc-editor.org/rfc/rfc7644#section-3.12 */
import type { Refusal, RefusalCode } from '../../core/errors.ts'
import { errorHeaders } from './headers.ts'

const TYPES: Partial<Record<RefusalCode, string>> = {
  not_unique: 'uniqueness',
  invalid_input: 'invalidValue',
  filter_invalid: 'invalidFilter',
  path_invalid: 'invalidPath',
  no_target: 'noTarget',
}

/** {schemas, status, scimType?, detail} */
export function scimError(refusal: Refusal, requestId: string): Response {
  const scimType = TYPES[refusal.code]
  const body = {
    schemas: ['urn:ietf:params:scim:api:messages:2.0:Error'],
    status: String(refusal.status),
    ...(scimType ? { scimType } : {}),
    detail: refusal.message,
  }
  const headers = errorHeaders(refusal, requestId)
  headers.set('content-type', 'application/scim+json')
  return Response.json(body, { status: refusal.status, headers })
}

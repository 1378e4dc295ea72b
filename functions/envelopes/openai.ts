/** Refusals in the form of OpenAI's API: https://platform.openai.com/docs/guides/error-codes */
import type { Refusal } from '../../core/errors.ts'
import { refusalAsOpenAi } from '../../core/openai/errors.ts'
import { errorHeaders } from './headers.ts'

/** {error:{message,type,param,code}} */
export function openAiError(refusal: Refusal, requestId: string): Response {
  const { status, error } = refusalAsOpenAi(refusal, refusal.type)
  const headers = errorHeaders(refusal, requestId)
  headers.set('x-request-id', requestId)
  headers.set('x-should-retry', String(refusal.retry))
  return Response.json({ error }, { status, headers })
}

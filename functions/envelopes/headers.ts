/** Headers of refusals in every form. */
import type { Refusal } from '../../core/errors.ts'

export function errorHeaders(refusal: Refusal, requestId: string): Headers {
  const headers = new Headers({ 'request-id': requestId, 'cache-control': 'no-store' })
  if (refusal.retryAfterMs !== undefined) {
    headers.set('retry-after', String(Math.max(1, Math.ceil(refusal.retryAfterMs / 1000))))
  }
  for (const [name, value] of refusal.headers) headers.set(name, value)
  return headers
}

/**
 * What pages of other origins may do (https://fetch.spec.whatwg.org/#http-cors-protocol): those in `server.cors_origins`
 * may call what takes an API key. Nothing that takes a cookie is ever opened.
 */
import { headerOf } from '../core/http/headers.ts'
import type { HeaderPairs } from '../core/ports.ts'

/** How long a browser need not ask again; Chrome takes no more. */
const PREFLIGHT_SECONDS = '7200'
const NONE: HeaderPairs = []
/** The answer depends on who asks, which caches have to know. */
const VARIES: HeaderPairs = [['vary', 'origin']]

/** Headers for an answer to a request with these headers; none where no origin is allowed at all. */
export function corsHeaders(origins: readonly string[], headers: HeaderPairs): HeaderPairs {
  if (origins.length === 0) return NONE
  const origin = headerOf(headers, 'origin')
  if (origin === undefined || !origins.includes(origin)) return VARIES
  return [...VARIES, ['access-control-allow-origin', origin], ['access-control-expose-headers', '*']]
}

/** The answer to a preflight from an allowed origin; undefined for any other request. */
export function preflight(origins: readonly string[], headers: HeaderPairs): Response | undefined {
  const allowed = corsHeaders(origins, headers)
  if (allowed.length < 2 || headerOf(headers, 'access-control-request-method') === undefined) return undefined
  // A wildcard would not cover Authorization.
  const asked = headerOf(headers, 'access-control-request-headers')
  return new Response(null, {
    status: 204,
    headers: [
      ...allowed,
      ['access-control-allow-methods', 'GET, POST'],
      ...(asked === undefined ? [] : [['access-control-allow-headers', asked] satisfies [string, string]]),
      ['access-control-max-age', PREFLIGHT_SECONDS],
    ],
  })
}

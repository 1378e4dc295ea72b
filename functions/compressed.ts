/** Compresses what the dashboard and programs read, where the runtime does not do it by itself. */

import { headerOf } from '../core/http/headers.ts'
import type { Compress, HeaderPairs } from '../core/ports.ts'
import type { Route } from './route.ts'

/** What fits a packet is as fast without it. */
const WORTH_BYTES = 1_400

/**
 * The same response with gzip, if its reader takes that. Only what is read and is JSON, because nothing that is read has a secret,
 * whose length would tell it beside words that somebody else chose (https://www.breachattack.com).
 */
export async function compressed(
  response: Response,
  { method, file, stream }: Route,
  { headers, compress }: { headers: HeaderPairs; compress: Compress | undefined },
): Promise<Response> {
  const isJson = response.headers.get('content-type')?.startsWith('application/json') ?? false
  if (!compress || method !== 'GET' || file || stream || !isJson || !takesGzip(headers)) return response
  const body = new Uint8Array(await response.arrayBuffer())
  if (body.length < WORTH_BYTES) return new Response(body, response)
  const sent = new Response(await compress(body), response)
  sent.headers.delete('content-length')
  sent.headers.set('content-encoding', 'gzip')
  sent.headers.append('vary', 'accept-encoding')
  return sent
}

/** https://www.rfc-editor.org/rfc/rfc9110#section-12.5.3; whoever names no weight takes it. */
function takesGzip(headers: HeaderPairs): boolean {
  const said = headerOf(headers, 'accept-encoding') ?? ''
  return /(^|[\s,])gzip\s*(,|$|;\s*q=(1|0?\.\d*[1-9]))/i.test(said)
}

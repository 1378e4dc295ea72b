/** Compresses what the dashboard and programs read, where the runtime does not do it by itself. */

import type { Deps } from '../core/deps.ts'
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
  // What is made in pieces would have to be gathered.
  const isWhole = !response.headers.has('content-disposition') && !response.headers.has('content-encoding')
  const isMeant = method === 'GET' && !file && !stream && isJson && isWhole
  if (!compress || !isMeant || !takesGzip(headers)) return response
  const body = new Uint8Array(await response.arrayBuffer())
  if (body.length < WORTH_BYTES) return new Response(body, response)
  const sent = new Response(await compress(body), response)
  sent.headers.delete('content-length')
  sent.headers.set('content-encoding', 'gzip')
  sent.headers.append('vary', 'accept-encoding')
  return sent
}

interface Written {
  plain: Uint8Array<ArrayBuffer>
  zipped: Uint8Array<ArrayBuffer> | undefined
}

/**
 * For a handler: a long text that is the same for everybody. It is written and compressed once, because whoever asks for it may be
 * anybody, and writing it would keep all others waiting each time.
 */
export function sameForAll(
  write: (deps: Deps) => string | Promise<string>,
  type: Readonly<Record<string, string>>,
) {
  let written: Promise<Written> | undefined
  const writeOnce = async (deps: Deps): Promise<Written> => {
    const plain = new Uint8Array(new TextEncoder().encode(await write(deps)))
    return { plain, zipped: await deps.compress?.(plain) }
  }
  return async ({ deps, headers }: { deps: Deps; headers: HeaderPairs }): Promise<Response> => {
    written ??= writeOnce(deps)
    const { plain, zipped } = await written.catch((cause: unknown) => {
      written = undefined
      throw cause
    })
    if (!zipped || !takesGzip(headers)) return new Response(plain, { headers: type })
    return new Response(zipped, {
      headers: { ...type, 'content-encoding': 'gzip', vary: 'accept-encoding' },
    })
  }
}

/** https://www.rfc-editor.org/rfc/rfc9110#section-12.5.3; whoever names no weight takes it. */
function takesGzip(headers: HeaderPairs): boolean {
  const said = headerOf(headers, 'accept-encoding') ?? ''
  return /(^|[\s,])gzip\s*(,|$|;\s*q=(1|0?\.\d*[1-9]))/i.test(said)
}

/** What a body must be before anyone looks at it. */
import { joined } from '../core/bytes.ts'
import { Refusal } from '../core/errors.ts'
import type { HeaderPairs } from '../core/ports.ts'
import { headerOf } from '../core/proxy/headers.ts'

/** The whole body, at most `maxBytes`. Throws a Refusal body_too_large, before buffering when the length is announced. */
export async function readBody(
  request: Request,
  headers: HeaderPairs,
  maxBytes: number,
): Promise<Uint8Array> {
  const encoding = headerOf(headers, 'content-encoding')
  if (encoding && encoding !== 'identity') {
    throw new Refusal(
      'body_invalid',
      `Send the body uncompressed: content-encoding ${encoding} is not supported.`,
    )
  }
  const announced = headerOf(headers, 'content-length')
  if (announced !== undefined) {
    if (Number(announced) > maxBytes) throw tooLarge(maxBytes)
    return new Uint8Array(await request.arrayBuffer())
  }
  const chunks: Uint8Array[] = []
  let size = 0
  for await (const chunk of request.body ?? []) {
    size += chunk.byteLength
    if (size > maxBytes) throw tooLarge(maxBytes)
    chunks.push(chunk)
  }
  return joined(chunks)
}

function tooLarge(maxBytes: number): Refusal {
  const size = maxBytes >= 1_048_576 ? `${Math.floor(maxBytes / 1_048_576)} MiB` : `${maxBytes} bytes`
  return new Refusal('body_too_large', `The request is larger than ${size}.`, {
    headers: [['connection', 'close']],
  })
}

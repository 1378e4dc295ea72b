/** Models by the names that their account has for them, in the requests of a batch and back in its results. */
import { inspect } from '../calls/inspect.ts'
import { renamed } from '../calls/receive.ts'
import { spliced } from '../json/splice.ts'
import type { Backend } from '../settings.ts'
import { partsOf } from './check.ts'
import { rewritten } from './split.ts'

export function renames({ upstreamModels }: Backend): boolean {
  return upstreamModels.size > 0
}

/** The same pieces of a batch, which was checked, as this account takes them. */
export function withUpstreamNames(
  pieces: AsyncIterable<Uint8Array>,
  backend: Backend,
): AsyncIterable<Uint8Array> {
  if (!renames(backend)) return pieces
  return rewritten(pieces, Number.POSITIVE_INFINITY, {
    take: async (request) => withName(request, backend),
    keep() {},
  })
}

function withName(request: Uint8Array, { upstreamModels }: Backend): Uint8Array {
  const { start, end } = partsOf(request).params
  const { model, modelSpans } = inspect(request.subarray(start, end))
  const name = upstreamModels.get(model)
  if (name === undefined) return request
  const places = modelSpans.map((span) => ({ start: start + span.start, end: start + span.end }))
  return spliced(request, renamed(places, name))
}

/** The model that this account has under this name. */
export function modelNamed(name: string, backend: Backend | undefined): string {
  const [found] = [...(backend?.upstreamModels ?? [])].find(([, upstream]) => upstream === name) ?? []
  return found ?? name
}

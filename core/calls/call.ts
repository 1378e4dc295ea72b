/** A call on its way: what the edge found out about it, before any backend is chosen. */
import type { Caller } from '../keys/directory.ts'
import type { HeaderPairs } from '../ports.ts'
import type { StopSignal } from '../stop.ts'

export interface Call {
  /** The request id. */
  id: string
  caller: Caller
  /** Path with query, as it goes upstream. */
  path: string
  headers: HeaderPairs
  body: Uint8Array
  /** The same call in OpenAI's interface, for backends that speak it themselves. */
  native?: { path: string; body: Uint8Array }
  /** As the client named it, and as it is sent. */
  requestedModel: string
  model: string
  stream: boolean
  /** max_tokens of the request, if it said. */
  maxTokens: number | undefined
  /** What keeps a conversation on one backend; undefined when nothing tells. */
  session: string | undefined
  /** Aborts when the client leaves. */
  signal: StopSignal
  /** Wall time of arrival (ms). */
  createdAt: number
  /** The same moment on the clock that never runs backwards. */
  startedAt: number
}

/** Sends a request to a backend with its credential, and makes the answer Anthropic's. */
import type { Clock, HeaderPairs, Upstream, UpstreamReply, UpstreamRequest } from '../ports.ts'
import type { Backend } from '../settings.ts'
import type { StopSignal } from '../stop.ts'
import type { CredentialsOf } from './credentials.ts'
import type { Outgoing } from './kinds/kind.ts'
import { kindOf } from './kinds/kinds.ts'

export interface ExchangeParts {
  upstream: Upstream
  clock: Clock
  /** Absent where all backends have an API key. */
  credentialsOf?: CredentialsOf | undefined
}

/** `request`: `outgoing` as its kind addressed it. Rejects as `Upstream.send`, or with CredentialsError. */
export function exchanged(
  parts: ExchangeParts,
  backend: Backend,
  { request, outgoing }: { request: UpstreamRequest; outgoing: Outgoing },
  signal: StopSignal,
): Promise<UpstreamReply> {
  const kind = kindOf(backend)
  const whole = backend.headers.length > 0 ? withHeaders(request, backend.headers) : request
  const { proxy } = backend
  const send = (proof: HeaderPairs) =>
    parts.upstream.send({ ...whole, proxy, headers: [...whole.headers, ...proof] }, signal)
  const credentials = parts.credentialsOf?.(backend)
  const proof = credentials ? credentials.headers(whole) : [keyHeaderOf(backend, outgoing)]
  const sending = proof instanceof Promise ? proof.then(send) : send(proof)
  if (!kind.answered) return sending
  return sending.then((reply) => kind.answered?.(reply, outgoing, parts) ?? reply)
}

function keyHeaderOf(backend: Backend, outgoing: Outgoing): [string, string] {
  const { apiKey, bearer } = backend
  return bearer ? ['authorization', `Bearer ${apiKey}`] : kindOf(backend).keyHeader(apiKey, outgoing)
}

/** The backend's own take the place of the call's. */
function withHeaders(request: UpstreamRequest, own: Backend['headers']): UpstreamRequest {
  const names = new Set(own.map(([name]) => name))
  const others = request.headers.filter(([name]) => !names.has(name.toLowerCase()))
  return { ...request, headers: [...others, ...own.map(([name, value]): [string, string] => [name, value])] }
}

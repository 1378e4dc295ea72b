/** One call to one backend: its address and credential, the limit on the first byte, and what its answer means. */

import { describe, originOf } from '../backends/address.ts'
import type { Verdict } from '../backends/health.ts'
import { joined } from '../bytes.ts'
import type { Deps } from '../deps.ts'
import { headerOf } from '../http/headers.ts'
import type { Backend } from '../policy.ts'
import type { HeaderPairs, UpstreamReply, UpstreamRequest } from '../ports.ts'
import { createStop, type Stop } from '../stop.ts'
import type { Call } from './call.ts'
import { concealed, credentialForms, masked } from './conceal.ts'
import { judge, openingError } from './verdict.ts'

const ERROR_BODY_BYTES = 64 * 1024

/** A failed answer kept whole, in case no other backend does better. */
export interface KeptAnswer {
  status: number
  headers: HeaderPairs
  body: Uint8Array
}

export type Attempt =
  | { kind: 'answered'; reply: UpstreamReply; stop: Stop }
  | {
      kind: 'failed'
      reason: string
      verdict: Verdict | undefined
      kept: KeptAnswer | undefined
      /** `answered`: it did, but not as it should. */
      how: 'answered' | 'timed out' | 'unreachable'
    }
  | { kind: 'client_gone' }

/** Sends the call to `backend`. Never throws: every end is one of the three. */
export async function attempt(deps: Deps, call: Call, backend: Backend): Promise<Attempt> {
  const { clock, policy, upstream } = deps
  const stop = createStop()
  const onGone = () => stop.abort(call.signal.reason)
  if (call.signal.aborted) return { kind: 'client_gone' }
  call.signal.addEventListener('abort', onGone)
  let timedOut = false
  const cancelTimer = clock.after(policy.retry.firstByteTimeoutMs, () => {
    timedOut = true
    stop.abort(new Error('no first byte in time'))
  })
  try {
    const reply = concealed(await upstream.send(addressed(call, backend), stop.signal), backend)
    const judgement = judge(reply, clock.now())
    if (judgement.relay) return { kind: 'answered', reply, stop }
    const kept = judgement.show ? await keep(reply, backend) : undefined
    if (!kept) reply.cancel()
    const reason =
      judgement.verdict && 'reason' in judgement.verdict
        ? judgement.verdict.reason
        : `answered ${reply.status}`
    return { kind: 'failed', reason, verdict: judgement.verdict, kept, how: 'answered' }
  } catch (cause) {
    if (call.signal.aborted) return { kind: 'client_gone' }
    const reason = timedOut ? 'no first byte in time' : describe(cause)
    const how = timedOut ? 'timed out' : 'unreachable'
    return { kind: 'failed', reason, verdict: { kind: 'failed', reason }, kept: undefined, how }
  } finally {
    cancelTimer()
    call.signal.removeEventListener('abort', onGone)
  }
}

/** The request as this backend gets it: the caller's bytes, the backend's address and its one credential. */
export function addressed(
  call: Pick<Call, 'path' | 'headers' | 'body' | 'native'>,
  backend: Backend,
): UpstreamRequest {
  const { origin, base } = originOf(backend.url)
  if (call.native && backend.speaksOpenAi) {
    const { path, body } = call.native
    const headers: HeaderPairs = call.headers.filter(([name]) => name !== 'anthropic-version')
    headers.push(['authorization', `Bearer ${backend.apiKey}`])
    return { origin, method: 'POST', path: base + path, headers, body }
  }
  return {
    origin,
    method: 'POST',
    path: base + call.path,
    headers: [...call.headers, ['x-api-key', backend.apiKey]],
    body: call.body,
  }
}

async function keep(reply: UpstreamReply, backend: Backend): Promise<KeptAnswer | undefined> {
  const opening = reply.status < 300 ? openingError(reply.first) : undefined
  if (opening) {
    reply.cancel()
    const headers: HeaderPairs = [['content-type', 'application/json']]
    return {
      status: opening.status,
      headers,
      body: masked(new TextEncoder().encode(opening.json), credentialForms(backend)),
    }
  }
  const chunks: Uint8Array[] = []
  let size = 0
  const write = (chunk: Uint8Array) => {
    size += chunk.byteLength
    if (size > ERROR_BODY_BYTES) throw new Error('the error body is too long')
    chunks.push(chunk)
  }
  try {
    await reply.pipe({ write })
  } catch {
    return undefined
  }
  const { status, headers } = reply
  if (headerOf(headers, 'content-type')?.startsWith('text/html')) return undefined
  return { status, headers, body: joined(chunks) }
}

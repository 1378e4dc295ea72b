/** From the bytes of a Messages request to a call: its model, who may use it, and what keeps its conversation together. */
import type { Deps } from '../deps.ts'
import { Refusal } from '../errors.ts'
import { headerOf } from '../http/headers.ts'
import type { Caller } from '../keys/directory.ts'
import { accessOf, isAllowed, replacementFor } from '../models/access.ts'
import type { HeaderPairs } from '../ports.ts'
import type { StopSignal } from '../stop.ts'
import type { Call } from './call.ts'
import { upstreamHeaders } from './forwarded-headers.ts'
import { firstMessageOf, type Inspected, inspect, type Span, userIdOf, withModel } from './inspect.ts'

/** The part of a first message that tells conversations apart; more would only cost time. */
const FINGERPRINT_BYTES = 2048

export interface Received {
  id: string
  caller: Caller
  path: string
  /** All headers as they came, names in lower case. */
  headers: HeaderPairs
  body: Uint8Array
  signal: StopSignal
}

/** Throws a Refusal: body_invalid or model_not_allowed. */
export function receive(deps: Deps, received: Received): Call {
  const { clock, policy } = deps
  const { body, caller, headers } = received
  const inspected = inspect(body)
  if (!inspected.ok) throw new Refusal('body_invalid', inspected.problem)
  const model = replacementFor(policy, inspected.model)
  assertAllowed(deps, caller, model)
  return {
    id: received.id,
    caller,
    path: received.path,
    headers: upstreamHeaders(headers),
    body: model === inspected.model ? body : withModel(body, inspected.modelSpans, model),
    requestedModel: inspected.model,
    model,
    stream: inspected.stream,
    maxTokens: inspected.maxTokens,
    session: sessionOf(headers, caller, body, inspected),
    signal: received.signal,
    createdAt: clock.now(),
    startedAt: clock.elapsed(),
  }
}

/** Throws a Refusal model_not_allowed. */
export function assertAllowed({ policy, prices }: Deps, caller: Caller, model: string) {
  const canonical = prices.canonical(model)
  const access = accessOf(policy, model, canonical)
  if (isAllowed(access, caller.grants, model, canonical)) return
  if (access === 'closed') throw new Refusal('model_not_allowed', `The model ${model} is not offered here.`)
  const where = policy.publicUrl ? ` at ${policy.publicUrl}/models` : ' in the dashboard'
  throw new Refusal('model_not_allowed', `The model ${model} needs approval. Apply for it${where}.`)
}

/**
 * What keeps a conversation on one backend, where its prompt caches and thinking blocks live: Claude Code's session,
 * else metadata.user_id, else the key with the beginning of the first message (protocol reference §0.5).
 */
function sessionOf(
  headers: HeaderPairs,
  caller: Caller,
  body: Uint8Array,
  inspected: Extract<Inspected, { ok: true }>,
): string | undefined {
  const named = headerOf(headers, 'x-claude-code-session-id') || userIdOf(inspected)
  if (named) return named
  const first = firstMessageOf(body, inspected)
  return first && fingerprint(caller, body, first)
}

/** The same, of a text that stays as it is through a conversation. */
export function sessionOfText(caller: Caller, text: string): string {
  const bytes = new TextEncoder().encode(text.slice(0, FINGERPRINT_BYTES))
  return fingerprint(caller, bytes, { start: 0, end: bytes.length })
}

function fingerprint(caller: Caller, body: Uint8Array, { start, end }: Span): string {
  let hash = 0x811c9dc5 ^ (end - start)
  for (let i = start; i < Math.min(end, start + FINGERPRINT_BYTES); i++) {
    hash = Math.imul(hash ^ (body[i] ?? 0), 0x01000193)
  }
  return `${caller.keyId} ${hash >>> 0}`
}

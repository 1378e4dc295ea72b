/** Calls of the gateway's own: what a backend offers, whether it offers one model, and whether it serves at all. */
import * as z from 'zod'
import { isFailure, type Verdict } from '../calls/verdict.ts'
import { wholeBody } from '../calls/whole-body.ts'
import type { Clock, HeaderPairs, Upstream, UpstreamRequest } from '../ports.ts'
import type { Backend } from '../settings.ts'
import { createStop } from '../stop.ts'
import { originOf } from './address.ts'
import { envelopeOf, namesModel, verdictOf } from './kinds/anthropic.ts'
import { verdictOfFault } from './network.ts'

const TIMEOUT_MS = 10_000
const MOST_BYTES = 4 * 1024 * 1024

/** A model as the upstream lists it; fields this gateway does not know are kept. */
export const ListedModel = z.looseObject({
  id: z.string().min(1),
  display_name: z.string().optional(),
  created_at: z.string().optional(),
})
const ModelList = z.looseObject({ data: z.array(ListedModel) })
export type ListedModel = z.infer<typeof ListedModel>

export interface CheckParts {
  upstream: Upstream
  clock: Clock
}

export type ListFinding =
  | { kind: 'listed'; models: ListedModel[] }
  /** It answers, but has no list of models; it may still serve calls. */
  | { kind: 'no_list'; status: number }
  | { kind: 'refused'; reason: string }
  | { kind: 'down'; reason: string }

/** GET /v1/models: proves address and credential, costs nothing, and says what the backend offers. */
export async function readModels(parts: CheckParts, backend: Backend): Promise<ListFinding> {
  const answer = await exchange(parts, backend, {
    method: 'GET',
    path: '/v1/models?limit=1000',
    body: undefined,
  })
  if (!answer.ok) return { kind: 'down', reason: answer.reason }
  const { status } = answer
  if (status === 401 || status === 402 || status === 403) {
    return { kind: 'refused', reason: `refused the credential (${status})` }
  }
  if (status >= 300 && status < 400) return { kind: 'down', reason: 'answered with a redirect' }
  if (status >= 500 || status < 200) return { kind: 'down', reason: `answered ${status}` }
  if (status !== 200) return { kind: 'no_list', status }
  const list = ModelList.safeParse(jsonOf(answer.body))
  if (!list.success) return { kind: 'down', reason: 'answered with something that is no model list' }
  const models = list.data.data
  return models.length > 0 ? { kind: 'listed', models } : { kind: 'refused', reason: 'lists no models' }
}

/** GET /v1/models/{id}. `unknown` when the answer says neither: many relays do not have this address. */
export async function readModel(
  parts: CheckParts,
  backend: Backend,
  model: string,
): Promise<'offered' | 'not_offered' | 'unknown'> {
  const path = `/v1/models/${encodeURIComponent(model)}`
  const answer = await exchange(parts, backend, { method: 'GET', path, body: undefined })
  if (!answer.ok) return 'unknown'
  if (answer.status === 200) return 'offered'
  const envelope = envelopeOf(answer.body)
  const refused = envelope && (answer.status === 403 || (answer.status === 404 && namesModel(envelope)))
  return refused ? 'not_offered' : 'unknown'
}

/**
 * The smallest call there is: one token of this model, and not one byte of a caller's. `body` is its answer, for its
 * usage; undefined when none came.
 */
export async function askOnce(
  parts: CheckParts,
  backend: Backend,
  model: string,
): Promise<{ verdict: Verdict; status: number; body: Uint8Array | undefined }> {
  const request = { model, max_tokens: 1, messages: [{ role: 'user', content: '.' }] }
  const answer = await exchange(parts, backend, {
    method: 'POST',
    path: backend.speaksOpenAi ? '/v1/chat/completions' : '/v1/messages',
    body: new TextEncoder().encode(JSON.stringify(request)),
  })
  if (!answer.ok) return { verdict: answer.verdict, status: 0, body: undefined }
  const { status, headers, body } = answer
  const verdict = verdictOf({
    status,
    headers,
    body: body.length > 0 ? body : undefined,
    now: parts.clock.now(),
  })
  return { verdict, status, body: isFailure(verdict) ? undefined : body }
}

type Exchanged =
  | { ok: true; status: number; headers: HeaderPairs; body: Uint8Array }
  | { ok: false; reason: string; verdict: Verdict }

async function exchange(
  { upstream, clock }: CheckParts,
  backend: Backend,
  request: Pick<UpstreamRequest, 'method' | 'path' | 'body'>,
): Promise<Exchanged> {
  const stop = createStop()
  const cancelTimer = clock.after(TIMEOUT_MS, () => stop.abort(new Error('no answer in 10 s')))
  const { origin, base } = originOf(backend.url)
  try {
    const headers: HeaderPairs = [
      ['accept', 'application/json'],
      ['accept-encoding', 'identity'],
      ['anthropic-version', '2023-06-01'],
      ...(request.body ? [['content-type', 'application/json'] satisfies [string, string]] : []),
      backend.speaksOpenAi ? ['authorization', `Bearer ${backend.apiKey}`] : ['x-api-key', backend.apiKey],
    ]
    const reply = await upstream.send({ ...request, origin, path: base + request.path, headers }, stop.signal)
    const body = await wholeBody(reply.pipe, MOST_BYTES)
    if (body) return { ok: true, status: reply.status, headers: reply.headers, body }
    const reason = 'answered with too much'
    return { ok: false, reason, verdict: { kind: 'pair_failed', reason, fromNetwork: false } }
  } catch (cause) {
    const verdict = verdictOfFault(cause)
    return { ok: false, reason: stop.signal.aborted ? 'no answer in 10 s' : verdict.reason, verdict }
  } finally {
    cancelTimer()
  }
}

function jsonOf(body: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder().decode(body))
  } catch {
    return undefined
  }
}

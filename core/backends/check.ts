/** Calls of the gateway's own: what a backend offers, whether it offers one model, and whether it serves at all. */
import * as z from 'zod'
import { isFailure, type Verdict } from '../calls/verdict.ts'
import { wholeBody } from '../calls/whole-body.ts'
import type { HeaderPairs } from '../ports.ts'
import type { Backend } from '../settings.ts'
import { createStop } from '../stop.ts'
import { type ExchangeParts, exchanged } from './exchange.ts'
import { namesModel } from './kinds/anthropic.ts'
import { envelopeOf } from './kinds/error-envelope.ts'
import type { Addressed, Outgoing } from './kinds/kind.ts'
import { kindOf } from './kinds/kinds.ts'
import { verdictOfFault } from './network.ts'

const TIMEOUT_MS = 10_000
const MOST_BYTES = 4 * 1024 * 1024

/** A model as the upstream lists it; other fields are kept as they are, `lifecycle` and `retires_at` among them. */
export const ListedModel = z.looseObject({
  id: z.string().min(1),
  display_name: z.string().optional(),
  created_at: z.string().optional(),
})
const ModelList = z.looseObject({ data: z.array(ListedModel) })
export type ListedModel = z.infer<typeof ListedModel>

export type CheckParts = ExchangeParts

export type ListFinding =
  | { kind: 'listed'; models: ListedModel[] }
  /** It answers, but has no list of models; it may still serve calls. */
  | { kind: 'no_list'; status: number }
  /** `status` where it was the credential. */
  | { kind: 'refused'; reason: string; status?: number }
  | { kind: 'down'; reason: string }

/**
 * Proves address and credential at no cost, and says what the backend offers: by Anthropic's list of models, or by the names
 * of the configuration where its kind has no such list. A kind without a check is believed until its first call.
 */
export async function readModels(parts: CheckParts, backend: Backend): Promise<ListFinding> {
  const { check } = kindOf(backend)
  if (!check) return { kind: 'listed', models: configured(backend) }
  const outgoing = asked(backend, { method: 'GET', path: '/v1/models?limit=1000', body: undefined })
  const answer = await exchange(parts, backend, check.request(backend, outgoing), outgoing)
  if (!answer.ok) return { kind: 'down', reason: answer.reason }
  const { status } = answer
  if (status === 401 || status === 402 || status === 403) {
    return { kind: 'refused', reason: `refused the credential (${status})`, status }
  }
  if (status >= 300 && status < 400) return { kind: 'down', reason: 'answered with a redirect' }
  if (status >= 500 || status < 200) return { kind: 'down', reason: `answered ${status}` }
  if (status !== 200) return { kind: 'no_list', status }
  if (!check.lists) return { kind: 'listed', models: configured(backend) }
  const list = ModelList.safeParse(jsonOf(answer.body))
  if (!list.success) return { kind: 'down', reason: 'answered with something that is no model list' }
  const models = list.data.data.map((model) => ({ ...model, id: ourName(backend, model.id) }))
  return models.length > 0 ? { kind: 'listed', models } : { kind: 'refused', reason: 'lists no models' }
}

/** GET /v1/models/{id}. `unknown` when the answer says neither: many relays do not have this address. */
export async function readModel(
  parts: CheckParts,
  backend: Backend,
  model: string,
): Promise<'offered' | 'not_offered' | 'unknown'> {
  const kind = kindOf(backend)
  if (!kind.check?.lists) return 'unknown'
  const name = backend.upstreamModels.get(model) ?? model
  const path = `/v1/models/${encodeURIComponent(name)}`
  const outgoing = asked(backend, { method: 'GET', path, body: undefined })
  const answer = await exchange(parts, backend, kind.addressed(backend, outgoing), outgoing)
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
  const kind = kindOf(backend)
  const path = backend.speaksOpenAi ? '/v1/chat/completions' : '/v1/messages'
  const body = new TextEncoder().encode(JSON.stringify(request))
  const outgoing = asked(backend, { method: 'POST', path, body, model })
  const answer = await exchange(parts, backend, kind.addressed(backend, outgoing), outgoing)
  if (!answer.ok) return { verdict: answer.verdict, status: 0, body: undefined }
  const { status, headers } = answer
  const verdict = kind.verdictOf({
    status,
    headers,
    body: answer.body.length > 0 ? answer.body : undefined,
    now: parts.clock.now(),
  })
  return { verdict, status, body: isFailure(verdict) ? undefined : answer.body }
}

type Exchanged =
  | { ok: true; status: number; headers: HeaderPairs; body: Uint8Array }
  | { ok: false; reason: string; verdict: Verdict }

async function exchange(
  parts: CheckParts,
  backend: Backend,
  request: Addressed,
  outgoing: Outgoing,
): Promise<Exchanged> {
  const stop = createStop()
  const cancelTimer = parts.clock.after(TIMEOUT_MS, () => stop.abort(new Error('no answer in 10 s')))
  try {
    const reply = await exchanged(parts, backend, { request, outgoing }, stop.signal)
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

/** A request of our own in the words of Anthropic's API, or of OpenAI's. */
function asked(
  { speaksOpenAi }: Backend,
  { method, path, body, model }: Pick<Outgoing, 'method' | 'path' | 'body'> & { model?: string },
): Outgoing {
  const headers: HeaderPairs = [
    ['accept', 'application/json'],
    ['accept-encoding', 'identity'],
    ['anthropic-version', '2023-06-01'],
    ...(body ? [['content-type', 'application/json'] satisfies [string, string]] : []),
  ]
  return { method, path, headers, body, model, stream: false, openAi: speaksOpenAi }
}

/** The models that the configuration names, without globs, which name no single one. */
function configured({ models }: Backend): ListedModel[] {
  return models.filter((model) => !model.includes('*')).map((id) => ({ id }))
}

/** The name that we use for what the backend calls `name`. */
function ourName({ upstreamModels }: Backend, name: string): string {
  for (const [ours, theirs] of upstreamModels) if (theirs === name) return ours
  return name
}

function jsonOf(body: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder().decode(body))
  } catch {
    return undefined
  }
}

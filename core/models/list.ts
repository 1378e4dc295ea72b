/** GET /v1/models: the models that this caller may use, in a shape that the SDKs of Anthropic and OpenAI both accept. */
import type { Deps } from '../deps.ts'
import { invalidField, Refusal } from '../errors.ts'
import type { Caller } from '../keys/caller.ts'
import { accessOf, isAllowed, isFor } from './access.ts'
import type { ListedModel } from './catalogue.ts'
import { modelNameProblem } from './name.ts'

export interface ModelQuery {
  limit: number
  after_id?: string | undefined
  before_id?: string | undefined
}

const RETRY_MS = 5_000

type ListParts = Pick<Deps, 'balancer' | 'catalogue' | 'settings' | 'prices'>

/**
 * One page, in the envelope of core/calls/PROTOCOL.md, Models. Throws a Refusal: invalid_input for a cursor that is not in
 * the list, because starting over would make a client that reads all pages loop; no_backend_available while no list is known.
 */
export async function listModels(parts: ListParts, caller: Caller, query: ModelQuery) {
  const all = await modelsFor(parts, caller)
  const place = (cursor: 'after_id' | 'before_id') => {
    if (query[cursor] === undefined) return undefined
    const at = all.findIndex(({ id }) => id === query[cursor])
    if (at >= 0) return at
    throw invalidField(cursor, 'the id of a model in this list is expected')
  }
  const rest = all.slice((place('after_id') ?? -1) + 1, place('before_id'))
  // A page before a cursor ends right before it.
  const data = query.before_id === undefined ? rest.slice(0, query.limit) : rest.slice(-query.limit)
  return {
    object: 'list' as const,
    data,
    has_more: data.length < rest.length,
    first_id: data[0]?.id ?? null,
    last_id: data.at(-1)?.id ?? null,
  }
}

/** Throws a Refusal: model_unknown if it does not exist or this caller may not use it; no_backend_available as above. */
export async function findModel(parts: ListParts, caller: Caller, id: string) {
  if (modelNameProblem(id) !== undefined)
    throw new Refusal('model_unknown', 'model: this is no name of a model.')
  const model = (await modelsFor(parts, caller)).find((candidate) => candidate.id === id)
  if (!model) throw new Refusal('model_unknown', `model: ${id}`)
  return model
}

async function modelsFor({ balancer, catalogue, settings, prices }: ListParts, caller: Caller) {
  const models = await catalogue.models()
  if (models.length === 0 && !catalogue.answered()) {
    const problem = 'No backend has listed its models yet. Please try again shortly.'
    throw new Refusal('no_backend_available', problem, { retryAfterMs: RETRY_MS })
  }
  return models
    .filter(({ id }) => {
      if (!balancer.offers(id)) return false
      const canonical = prices.canonical(id)
      if (!isFor(caller.models, id, canonical)) return false
      return isAllowed(accessOf(settings, caller.models, id, canonical), caller.grants, id, canonical)
    })
    .map(forBothSdks)
}

function forBothSdks(model: ListedModel) {
  const created = Date.parse(model.created_at ?? '')
  return {
    ...model,
    type: 'model',
    object: 'model',
    display_name: model.display_name ?? model.id,
    created_at: model.created_at ?? '1970-01-01T00:00:00Z',
    created: Number.isNaN(created) ? 0 : Math.floor(created / 1000),
    owned_by: 'anthropic',
  }
}

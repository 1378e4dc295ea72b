/** GET /v1/models: what the backends offer and this caller may use, in a shape that both vendors' SDKs accept. */
import type { Deps } from '../deps.ts'
import { Refusal } from '../errors.ts'
import type { Caller } from '../keys/directory.ts'
import { accessOf, isAllowed } from './access.ts'
import type { ListedModel } from './catalogue.ts'

export interface ModelQuery {
  limit: number
  after_id?: string | undefined
  before_id?: string | undefined
}

/** One page, in the envelope of protocol reference §1.1. */
export async function listModels(deps: Deps, caller: Caller, query: ModelQuery) {
  const all = await modelsFor(deps, caller)
  const after = query.after_id === undefined ? -1 : all.findIndex(({ id }) => id === query.after_id)
  const before =
    query.before_id === undefined ? all.length : all.findIndex(({ id }) => id === query.before_id)
  const rest = all.slice(after + 1, before < 0 ? all.length : before)
  // Backwards pages end right before their cursor.
  const data = query.before_id === undefined ? rest.slice(0, query.limit) : rest.slice(-query.limit)
  return {
    object: 'list' as const,
    data,
    has_more: data.length < rest.length,
    first_id: data[0]?.id ?? null,
    last_id: data.at(-1)?.id ?? null,
  }
}

/** Throws a Refusal model_unknown, the same whether the model does not exist or is not this caller's. */
export async function findModel(deps: Deps, caller: Caller, id: string) {
  const model = (await modelsFor(deps, caller)).find((candidate) => candidate.id === id)
  if (!model) throw new Refusal('model_unknown', `model: ${id}`)
  return model
}

async function modelsFor({ catalogue, policy, prices }: Deps, caller: Caller) {
  const models = await catalogue.models()
  return models
    .filter(({ id }) => {
      const canonical = prices.canonical(id)
      return isAllowed(accessOf(policy, id, canonical), caller.grants, id, canonical)
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

/** The models of the simulated Claude: those of the price list. */
import pricing from '../../../config/pricing.json' with { type: 'json' }
import { type Abilities, abilitiesOf } from '../../../core/models/abilities.ts'
import { shippedAbilities } from '../../shared/tables.ts'

const DEFAULT_PAGE = 20
const LARGEST_PAGE = 1000
/** Claude's value for an unknown release date. */
const UNKNOWN_DATE = '1970-01-01'

interface Listed {
  id: string
  name: string
  status: string
  aliases?: string[]
  released?: string
  context: number
  max_output?: number
}
const ABILITIES = shippedAbilities()
const LISTED: readonly Listed[] = pricing.models
const ACTIVE = LISTED.filter(({ status }) => status === 'active').map(modelInfo)
const CALLABLE = new Set(
  LISTED.filter(({ status }) => !status.startsWith('retired')).flatMap(({ id, aliases }) => [
    id,
    ...(aliases ?? []),
  ]),
)

export type ModelInfo = ReturnType<typeof modelInfo>

export function isCallable(model: string): boolean {
  return CALLABLE.has(model)
}

export function modelById(id: string): ModelInfo | undefined {
  const listed = LISTED.find((model) => model.id === id || model.aliases?.includes(id))
  return listed && CALLABLE.has(id) ? modelInfo(listed) : undefined
}

/** One page by `limit`, `after_id` and `before_id`; undefined if they are invalid. */
export function modelPage(query: URLSearchParams) {
  const limit = Number(query.get('limit') ?? DEFAULT_PAGE)
  if (!Number.isInteger(limit) || limit < 1 || limit > LARGEST_PAGE) return undefined
  const positionOf = (id: string | null) => ACTIVE.findIndex((model) => model.id === id)
  const before = positionOf(query.get('before_id'))
  const first = before < 0 ? positionOf(query.get('after_id')) + 1 : Math.max(0, before - limit)
  const end = before < 0 ? first + limit : before
  const data = ACTIVE.slice(first, end)
  const has_more = before < 0 ? end < ACTIVE.length : first > 0
  return { data, has_more, first_id: data[0]?.id ?? null, last_id: data.at(-1)?.id ?? null }
}

function modelInfo({ id, name, released, status, context, max_output }: Listed) {
  return {
    type: 'model',
    id,
    display_name: name.replace(/ \(.*/, ''),
    created_at: `${released ?? UNKNOWN_DATE}T00:00:00Z`,
    max_input_tokens: context,
    max_tokens: max_output ?? abilitiesOfModel(id).maxOutput,
    lifecycle: status === 'active' ? 'active' : 'deprecated',
    capabilities: capabilitiesOf(id),
  }
}

/** What the model takes; of an unknown one what every current model does. */
export function abilitiesOfModel(model: string): Abilities {
  const listed = LISTED.find(({ id, aliases }) => id === model || aliases?.includes(model))
  return abilitiesOf(ABILITIES, listed?.id ?? model)
}

function capabilitiesOf(id: string) {
  const supported = { supported: true }
  const { thinking, effort, structuredOutputs } = abilitiesOfModel(id)
  const among = <T extends string>(names: readonly T[], own: ReadonlySet<T>) =>
    Object.fromEntries(names.map((name) => [name, { supported: own.has(name) }]))
  return {
    thinking: {
      supported: thinking.has('adaptive') || thinking.has('enabled'),
      types: among(['adaptive', 'between_tools', 'disabled', 'enabled'], thinking),
    },
    effort: {
      supported: effort.size > 0,
      ...among(['low', 'medium', 'high', 'xhigh', 'max'], effort),
    },
    structured_outputs: { supported: structuredOutputs },
    image_input: supported,
    pdf_input: supported,
    batch: supported,
    citations: supported,
    server_tools: supported,
    context_management: supported,
  }
}

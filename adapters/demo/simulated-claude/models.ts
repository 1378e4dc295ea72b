/** The models of the simulated Claude: those of the price list. */
import pricing from '../../../config/pricing.json' with { type: 'json' }

const DEFAULT_MAX_TOKENS = 64_000
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
    max_tokens: max_output ?? DEFAULT_MAX_TOKENS,
    lifecycle: status === 'active' ? 'active' : 'deprecated',
    capabilities: capabilitiesOf(id),
  }
}

function capabilitiesOf(id: string) {
  const supported = { supported: true }
  // From 5.1 on thinking is always adaptive (core/calls/PROTOCOL.md, Models).
  const adaptsOnly = /-5-[1-9]$/.test(id)
  return {
    thinking: {
      ...supported,
      types: {
        adaptive: supported,
        between_tools: { supported: adaptsOnly },
        disabled: { supported: !adaptsOnly },
        enabled: { supported: !adaptsOnly },
      },
    },
    effort: {
      ...supported,
      low: supported,
      medium: supported,
      high: supported,
      xhigh: supported,
      max: supported,
    },
    structured_outputs: supported,
    image_input: supported,
    pdf_input: supported,
    batch: supported,
    citations: supported,
    server_tools: supported,
    context_management: supported,
  }
}

/** The rates that hold for whoever has none of their own. */
import * as z from 'zod'
import type { Deps } from '../../core/deps.ts'
import { nothingHere } from '../../core/errors.ts'
import { line } from '../fields.ts'
import { route } from '../route.ts'
import { ADMIN, byPage, isCurrent, pageList } from './fields.ts'

const RateLimitView = z
  .strictObject({
    id: z.string(),
    type: z.literal('rate_limit'),
    models: z.array(z.string()),
    limits: z.array(z.strictObject({ type: z.string(), value: z.int() })),
    group_type: z.literal('model_group').optional().meta({ description: 'In version 2023-06-01.' }),
    group: z
      .strictObject({ type: z.literal('model_group'), id: z.string(), display_name: z.string() })
      .optional()
      .meta({ description: 'From version 2026-10-21 on.' }),
  })
  .meta({ id: 'OrganizationRateLimit' })
const OTHER_GROUPS = ['batch', 'files', 'skills', 'token_count', 'web_search'] as const

export const rateLimits = route({
  method: 'GET',
  path: '/v1/organizations/rate_limits',
  ...ADMIN,
  summary:
    'What each person may ask for in a minute, of all models together, unless groups or users have rates.',
  query: z.strictObject({
    ...byPage,
    group_type: z.enum(['model_group', ...OTHER_GROUPS]).optional(),
    model: line(200).optional(),
  }),
  reply: pageList(RateLimitView),
  errors: [404],
  async handle({ deps, query, headers }) {
    const models = await offered(deps)
    if (query.model !== undefined && !models.includes(query.model)) throw nothingHere()
    const isOther = query.group_type !== undefined && query.group_type !== 'model_group'
    return {
      data: isOther || query.page !== undefined ? [] : [viewOf(deps, models, isCurrent(headers))],
      next_page: null,
    }
  },
})

async function offered({ catalogue, balancer }: Deps): Promise<string[]> {
  const models = await catalogue.models()
  return models.map(({ id }) => id).filter((id) => balancer.offers(id))
}

function viewOf({ settings }: Deps, models: string[], isNew: boolean): z.infer<typeof RateLimitView> {
  const { requestsPerMinute, tokensPerMinute, concurrentRequests } = settings.limits
  const rates = {
    requests_per_minute: requestsPerMinute,
    tokens_per_minute: tokensPerMinute,
    concurrent_requests: concurrentRequests,
  }
  const limits = Object.entries(rates).flatMap(([type, value]) => (value > 0 ? [{ type, value }] : []))
  const group = { type: 'model_group' as const, id: 'rlg_all', display_name: 'All models' }
  const kind = isNew ? { group } : { group_type: group.type }
  return { id: 'rl_all', type: 'rate_limit', models, limits, ...kind }
}

/** What each person may spend and has spent. */
import * as z from 'zod'
import { invalidField } from '../../core/errors.ts'
import { type EffectiveCap, type EffectiveUser, effectiveLimits } from '../../core/limits/effective.ts'
import type { Settings } from '../../core/settings.ts'
import { searchText } from '../fields.ts'
import { report } from '../route.ts'
import {
  Actor,
  ADMIN,
  actorOf,
  amountText,
  anyUser,
  apiPeriod,
  byPage,
  centsText,
  pageList,
} from './fields.ts'
import { ScopeView, scopeView } from './limits.ts'

export const PERIODS = ['daily', 'weekly', 'monthly'] as const
export const SummaryView = z
  .strictObject({
    actor: Actor,
    scope: ScopeView,
    source: ScopeView.meta({ description: 'Whose limit it is.' }),
    period: apiPeriod,
    amount: amountText,
    currency: z.literal('USD'),
    period_to_date_spend: z.string().meta({ description: 'US cents, to a thousandth.' }),
    spend_limit_id: z.string().nullable().meta({ description: 'null is the configuration.' }),
    groups: z.array(z.strictObject({ id: z.string(), name: z.string() })),
  })
  .meta({ id: 'SpendSummary' })
export const users = z.array(anyUser).max(100).optional()
/** What was spent and, of those sorted by it, the id behind it. */
const place = z
  .string()
  .regex(/^page_(\d{1,16}_)?\d{1,15}$/, 'the next_page of an earlier answer is expected')
  .transform((text) => text.split('_').slice(1).map(Number).toReversed())

export const effective = [
  report({
    path: '/v1/organizations/spend_limits/effective',
    ...ADMIN,
    summary: 'What each person may spend in each period, whose limit that is, and what they have spent.',
    query: z.strictObject({
      limit: byPage.limit,
      page: place.optional(),
      user_ids: users,
      period: z.array(apiPeriod).max(3).optional(),
      q: searchText.optional(),
      sort: z.enum(['spend_desc']).optional().meta({ description: 'By what was spent this month.' }),
    }),
    repeats: ['user_ids', 'period'],
    reply: pageList(SummaryView),
    async handle({ deps, query }) {
      const { page: [afterId, afterMicros] = [], user_ids: userIds, period, q, limit } = query
      const bySpend = query.sort === 'spend_desc'
      if (bySpend === (afterMicros === undefined) && afterId !== undefined) {
        throw invalidField('page', 'the next_page of an answer to the same question is expected')
      }
      const filter = { userIds, periods: period ?? PERIODS, q }
      const cursor = { limit, afterId, afterMicros, bySpend }
      const { people, next } = await effectiveLimits(deps, filter, cursor, deps.clock.now())
      return {
        data: people.flatMap((one) => summariesOf(one, deps.settings)),
        next_page: next ? `page_${bySpend ? `${next.micros}_` : ''}${next.id}` : null,
      }
    },
  }),
]

export function summariesOf({ user, caps, groups }: EffectiveUser, settings: Pick<Settings, 'auth'>) {
  const isService = user.kind === 'service'
  const actor = actorOf(user, settings)
  const listed = groups.map(({ id, name }) => ({ id: `rbac_group_${id}`, name }))
  return caps.map(
    (cap): z.infer<typeof SummaryView> => ({
      actor,
      scope: scopeView('user', user.id, isService),
      source: sourceOf(cap, user.id, isService),
      period: apiPeriod.parse(cap.period),
      amount: cap.micros === null ? null : centsText(cap.micros),
      currency: 'USD',
      // At most three decimals of a cent.
      period_to_date_spend: centsText(Math.round(cap.spentMicros / 10) * 10),
      spend_limit_id: cap.limitId === null ? null : `spl_${cap.limitId}`,
      groups: listed,
    }),
  )
}

function sourceOf({ source, groupId = 0 }: EffectiveCap, userId: number, isService: boolean) {
  if (source === 'group') return scopeView('group_each', groupId, isService)
  return source === 'user' || source === 'service'
    ? scopeView('user', userId, isService)
    : scopeView('organisation_each', 0, isService)
}

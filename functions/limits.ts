/** Routes for spend limits: one's own to see, everybody's for administrators to set. */
import * as z from 'zod'
import type { Deps } from '../core/deps.ts'
import { invalidField } from '../core/errors.ts'
import { limitsOfPerson, type UsedCap, usedOfLimits } from '../core/limits/caps.ts'
import {
  deleteSpendLimit,
  type LimitChange,
  listSpendLimits,
  type SpendLimit,
  setSpendLimit,
} from '../core/limits/spend-limit.ts'
import { timeText, usdOf } from '../core/units.ts'
import { amount, groupIdInQuery, idOf, moment, timestamp } from './fields.ts'
import { report, route } from './route.ts'

export const period = z.enum(['daily', 'weekly', 'monthly', 'total'])
const scope = z.enum(['user', 'group_each', 'group_pool', 'organisation_each', 'organisation_pool'])
const LimitView = z
  .strictObject({
    id: z.int(),
    scope: scope.meta({ description: 'each: every member has it for themselves. pool: all share it.' }),
    scope_id: z.int().meta({ description: 'The id of the user or group; 0 for the organisation.' }),
    period,
    amount_usd: z
      .number()
      .nullable()
      .meta({ description: 'null is unlimited, 0 that nothing may be spent.' }),
    is_set: z
      .boolean()
      .meta({ description: 'False where only the temporary amount holds; after it the next rule does.' }),
    temporary_usd: z.number().nullable(),
    temporary_until: timestamp.nullable(),
    used_usd: z
      .number()
      .nullable()
      .meta({ description: 'In the current period; null where each member has it for themselves.' }),
    resets_at: timestamp.nullable(),
    updated_at: timestamp,
  })
  .meta({ id: 'SpendLimit' })
export type LimitView = z.infer<typeof LimitView>

export const CapView = z
  .strictObject({
    period,
    amount_usd: z.number().nullable().meta({ description: 'null is unlimited.' }),
    source: z.enum(['user', 'group', 'organisation', 'configuration', 'service']),
    used_usd: z.number(),
    resets_at: timestamp.nullable(),
  })
  .meta({ id: 'Cap' })
export type CapView = z.infer<typeof CapView>

export const limits = [
  route({
    method: 'GET',
    path: '/api/limits',
    tier: 'session',
    summary: 'What the caller may spend in each period, whose limit that is, and what they have spent.',
    reply: z.strictObject({ caps: z.array(CapView), billing_group_id: z.int() }),
    async handle({ deps, caller }) {
      const found = await limitsOfPerson(deps, caller.user.id, deps.clock.now())
      return { caps: found.caps.map(capView), billing_group_id: found.billingGroupId }
    },
  }),
  report({
    path: '/admin/api/limits',
    tier: 'billing',
    summary: 'Spend limits that are set, of all or of one scope.',
    query: z.strictObject({ scope: scope.optional(), scope_id: groupIdInQuery.optional() }),
    reply: z.strictObject({ limits: z.array(LimitView) }),
    async handle({ deps, query }) {
      const found = await listSpendLimits(deps.db, { scope: query.scope, scopeId: query.scope_id })
      return { limits: await limitViews(deps, found) }
    },
  }),
  route({
    method: 'PUT',
    path: '/admin/api/limits',
    tier: 'admin',
    summary:
      'Sets a spend limit, from the next call on. What is left out stays; is_set false takes the amount away but not the temporary one.',
    body: z.strictObject({
      scope,
      scope_id: z.int().min(0),
      period,
      amount_usd: amount.nullish(),
      is_set: z.literal(false).optional(),
      temporary_usd: amount.nullish(),
      temporary_until: moment.nullish(),
    }),
    reply: z.strictObject({ limit: LimitView.nullable() }),
    async handle({ deps, body, actor }) {
      const target = { scope: body.scope, scopeId: body.scope_id, period: body.period }
      const set = await setSpendLimit({ ...deps, actor }, target, changeIn(body))
      await deps.keyCache.changed()
      const [limit = null] = await limitViews(deps, set ? [set] : [])
      return { limit }
    },
  }),
  route({
    method: 'DELETE',
    path: '/admin/api/limits/:id',
    tier: 'admin',
    summary: 'Removes a spend limit, so that the next rule holds.',
    reply: z.strictObject({ message: z.string() }),
    async handle({ deps, params, actor }) {
      await deleteSpendLimit({ ...deps, actor }, idOf(params.id))
      await deps.keyCache.changed()
      return { message: 'deleted' }
    },
  }),
]

export function capView({ period, micros, source, usedMicros, resetsAt }: UsedCap): CapView {
  return {
    period,
    source,
    used_usd: usdOf(usedMicros),
    amount_usd: micros === null ? null : usdOf(micros),
    resets_at: period === 'total' ? null : timeText(resetsAt),
  }
}

function changeIn(body: {
  amount_usd?: number | null | undefined
  is_set?: false | undefined
  temporary_usd?: number | null | undefined
  temporary_until?: number | null | undefined
}): LimitChange {
  const { amount_usd: micros, is_set: isSet, temporary_usd: temporary, temporary_until: until } = body
  if (isSet === false && micros !== undefined) throw invalidField('is_set', 'this is only without amount_usd')
  const amount = isSet === false ? 'none' : micros
  if (temporary === undefined && until === undefined) return { amount }
  if (temporary === null && until === null) return { amount, temporary: null }
  if (typeof temporary === 'number' && typeof until === 'number') {
    return { amount, temporary: { micros: temporary, until } }
  }
  throw invalidField('temporary_until', 'temporary_usd and temporary_until are expected together')
}

async function limitViews(
  { db, periods, clock }: Pick<Deps, 'db' | 'periods' | 'clock'>,
  limits: readonly SpendLimit[],
): Promise<LimitView[]> {
  const now = clock.now()
  const used = await usedOfLimits({ db, periods }, limits, now)
  return limits.map((limit) => {
    const { id, scope, scopeId, period, isSet, amountMicros, temporaryMicros, temporaryUntil } = limit
    const usedMicros = used.get(id)
    return {
      id,
      scope,
      scope_id: scopeId,
      period,
      is_set: isSet,
      amount_usd: amountMicros === null ? null : usdOf(amountMicros),
      temporary_usd: temporaryMicros === null ? null : usdOf(temporaryMicros),
      temporary_until: temporaryUntil === null ? null : timeText(temporaryUntil),
      used_usd: usedMicros === undefined ? null : usdOf(usedMicros),
      resets_at: period === 'total' ? null : timeText(periods.spanOf(period, now).end),
      updated_at: timeText(limit.updatedAt),
    }
  })
}

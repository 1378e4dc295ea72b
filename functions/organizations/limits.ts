/** Spend limits: set, removed, and what changed of them. */
import * as z from 'zod'
import { invalidField, nothingHere, Refusal } from '../../core/errors.ts'
import { parsedJson } from '../../core/json/parse.ts'
import { type LimitFilter, limitEventPage, limitPage, type PagedLimit } from '../../core/limits/pages.ts'
import { deleteSpendLimit, type SpendLimit, setSpendLimit } from '../../core/limits/spend-limit.ts'
import type { Db } from '../../core/ports.ts'
import { timeText } from '../../core/units.ts'
import { timestamp } from '../fields.ts'
import { report, route } from '../route.ts'
import {
  ADMIN,
  amountText,
  anyUser,
  apiPeriod,
  byId,
  byPage,
  cents,
  centsText,
  cursorOf,
  deleted,
  idIn,
  idList,
  idListOf,
  pageListOf,
  tagged,
  userTag,
} from './fields.ts'

const SCOPES = {
  organization: 'organisation_each',
  organization_pool: 'organisation_pool',
  rbac_group: 'group_each',
  workspace: 'group_pool',
  user: 'user',
} as const satisfies Record<string, SpendLimit['scope']>
const scopeType = z.enum(['organization', 'organization_pool', 'rbac_group', 'workspace', 'user'])

export const ScopeView = z
  .strictObject({
    type: scopeType,
    user_id: z.string().optional(),
    rbac_group_id: z.string().optional(),
    workspace_id: z.string().optional(),
  })
  .meta({
    id: 'SpendLimitScope',
    description:
      'organization and rbac_group: each member has it. organization_pool and workspace: all share it.',
  })
const Scope = z.discriminatedUnion('type', [
  z.strictObject({ type: z.enum(['organization', 'organization_pool']) }),
  z.strictObject({ type: z.literal('rbac_group'), rbac_group_id: tagged('rbac_group') }),
  z.strictObject({ type: z.literal('workspace'), workspace_id: tagged('wrkspc') }),
  z.strictObject({ type: z.literal('user'), user_id: anyUser }),
])
const currency = z.literal('USD')

export const LimitView = z
  .strictObject({
    id: z.string(),
    type: z.literal('spend_limit'),
    scope: ScopeView,
    amount: amountText,
    currency,
    period: apiPeriod,
    is_enabled: z.literal(true),
    temporary_amount: z.string().nullable().meta({ description: 'Holds in place of the other until then.' }),
    temporary_until: timestamp.nullable(),
    created_at: timestamp,
    updated_at: timestamp,
  })
  .meta({ id: 'OrganizationSpendLimit' })
const EventView = z
  .strictObject({
    id: z.string(),
    type: z.literal('spend_limit_event'),
    created_at: timestamp,
    actor: z.string().nullable().meta({ description: 'admin-key:7 or user:7; null is the command line.' }),
    action: z.string(),
    target: z.string(),
    before: z.unknown(),
    after: z.unknown(),
  })
  .meta({ id: 'SpendLimitEvent' })

const LIMITS = '/v1/organizations/spend_limits'
const next_page = z.string().nullable()

export const limits = [
  report({
    path: LIMITS,
    ...ADMIN,
    summary: 'Spend limits by day, week and month.',
    query: z.strictObject({
      ...byId('spl'),
      ...byPage,
      scope_type: z.array(scopeType).max(10).optional(),
      workspace_id: tagged('wrkspc').optional(),
    }),
    repeats: ['scope_type'],
    reply: idList(LimitView).extend({ next_page }),
    async handle({ deps: { db }, query }) {
      const scopes = query.scope_type?.map((type) => SCOPES[type])
      const page = await limitPage(db, { scopes, groupId: query.workspace_id }, cursorOf(query))
      const { next_page } = pageListOf(page, limitView, ({ id }) => id)
      return { ...idListOf(page.rows.map(limitView), page), next_page }
    },
  }),
  route({
    method: 'POST',
    path: LIMITS,
    ...ADMIN,
    summary: 'Sets a spend limit, from the next call on; it replaces the one of its scope and period.',
    body: z.strictObject({
      scope: Scope,
      amount: cents.nullable(),
      period: apiPeriod.default('monthly'),
      currency: currency.optional(),
    }),
    reply: LimitView,
    async handle({ deps, body, actor }) {
      const target = { scope: SCOPES[body.scope.type], scopeId: idOfScope(body.scope), period: body.period }
      const set = await setSpendLimit({ ...deps, actor }, target, { amount: body.amount }).catch(
        (thrown: unknown) => {
          const isUnknown = thrown instanceof Refusal && thrown.fields?.scope_id !== undefined
          throw isUnknown ? unknownScope(body.scope) : thrown
        },
      )
      await deps.keyCache.changed()
      return limitView(await limitOf(deps.db, { id: set?.id ?? 0 }))
    },
  }),
  route({
    method: 'GET',
    path: `${LIMITS}/audit`,
    ...ADMIN,
    summary: 'Changes of spend limits, the newest first.',
    query: z.strictObject(byPage),
    reply: z.strictObject({ data: z.array(EventView), next_page }),
    async handle({ deps: { db }, query }) {
      return pageListOf(await limitEventPage(db, cursorOf(query)), eventView, ({ id }) => id)
    },
  }),
  route({
    method: 'GET',
    path: `${LIMITS}/:id`,
    ...ADMIN,
    summary: 'One spend limit.',
    reply: LimitView,
    handle: async ({ deps: { db }, params }) => limitView(await limitOf(db, { id: idIn('spl', params.id) })),
  }),
  route({
    method: 'DELETE',
    path: `${LIMITS}/:id`,
    ...ADMIN,
    summary: 'Removes a spend limit, so that the next rule holds.',
    reply: deleted('spend_limit_deleted'),
    async handle({ deps, params, actor }) {
      const { id } = await limitOf(deps.db, { id: idIn('spl', params.id) })
      await deleteSpendLimit({ ...deps, actor }, id)
      await deps.keyCache.changed()
      return { id: params.id, type: 'spend_limit_deleted' }
    },
  }),
]

/** Throws a Refusal not_found. */
export async function limitOf(db: Db, which: LimitFilter): Promise<PagedLimit> {
  const { rows } = await limitPage(db, which)
  const [limit] = rows
  if (!limit) throw nothingHere()
  return limit
}

function idOfScope(scope: z.output<typeof Scope>): number {
  if (scope.type === 'rbac_group') return scope.rbac_group_id
  if (scope.type === 'workspace') return scope.workspace_id
  return scope.type === 'user' ? scope.user_id : 0
}

/** In the names of this API. */
function unknownScope(scope: z.output<typeof Scope>): Refusal {
  const named = Object.keys(scope).find((name) => name.endsWith('_id'))
  return invalidField(`scope.${named}`, 'nobody and nothing here has this id')
}

export function scopeView(
  scope: SpendLimit['scope'],
  scopeId: number,
  isService: boolean,
): z.infer<typeof ScopeView> {
  if (scope === 'group_each') return { type: 'rbac_group', rbac_group_id: `rbac_group_${scopeId}` }
  if (scope === 'group_pool') return { type: 'workspace', workspace_id: `wrkspc_${scopeId}` }
  if (scope === 'organisation_each') return { type: 'organization' }
  if (scope === 'organisation_pool') return { type: 'organization_pool' }
  return { type: 'user', user_id: userTag({ id: scopeId, kind: isService ? 'service' : 'person' }) }
}

export function limitView(limit: PagedLimit): z.infer<typeof LimitView> {
  const { id, scope, scopeId, isService, period, amountMicros, temporaryMicros, temporaryUntil } = limit
  return {
    id: `spl_${id}`,
    type: 'spend_limit',
    scope: scopeView(scope, scopeId, isService),
    amount: amountMicros === null ? null : centsText(amountMicros),
    currency: 'USD',
    period: apiPeriod.parse(period),
    is_enabled: true,
    temporary_amount: temporaryMicros === null ? null : centsText(temporaryMicros),
    temporary_until: temporaryUntil === null ? null : timeText(temporaryUntil),
    created_at: timeText(limit.createdAt),
    updated_at: timeText(limit.updatedAt),
  }
}

type Event = Awaited<ReturnType<typeof limitEventPage>>['rows'][number]
function eventView(event: Event): z.infer<typeof EventView> {
  const { id, at, actorId, adminKeyId, action, target, before, after } = event
  const byUser = actorId === null ? null : `user:${actorId}`
  return {
    id: `event_${id}`,
    type: 'spend_limit_event',
    created_at: timeText(at),
    action,
    target,
    actor: adminKeyId === null ? byUser : `admin-key:${adminKeyId}`,
    before: before === null ? null : parsedJson(before),
    after: after === null ? null : parsedJson(after),
  }
}

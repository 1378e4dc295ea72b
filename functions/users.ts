/** Routes with which administrators manage users. */
import * as z from 'zod'
import type { Deps } from '../core/deps.ts'
import { nothingHere } from '../core/errors.ts'
import { assertBills } from '../core/organisation/service-accounts.ts'
import { timeText, usdOf } from '../core/units.ts'
import { addressOf, assertFreeAddress, changeAddress } from '../core/users/address.ts'
import { describedUser, findUsers, type ListedUser, USER_SORTS } from '../core/users/list.ts'
import { createUser, updateUser } from '../core/users/manage.ts'
import {
  dollars,
  idOf,
  limitsOf,
  line,
  page,
  pageSize,
  quotaTokens,
  searchText,
  timestamp,
} from './fields.ts'
import { identities } from './identities.ts'
import { report, route } from './route.ts'
import { requestLimit, tokenRate, UserView, userView } from './views.ts'

const UserWithUse = UserView.extend({
  last_used_at: timestamp.nullable(),
  requests: z.int(),
  total_tokens: z.int(),
  cost_usd: z.number(),
  quota_used_tokens: z.int(),
  budget_used_usd: z.number(),
}).meta({ id: 'UserWithUse' })
export type UserWithUse = z.infer<typeof UserWithUse>

const UserAnswer = z.strictObject({ user: UserWithUse })
const role = z.enum(['user', 'admin', 'billing', 'auditor'])
const status = z.enum(['active', 'disabled'])
const name = line(100)
const limits = {
  quota_tokens: quotaTokens.optional(),
  budget_usd: dollars.optional(),
  requests_per_minute: requestLimit.nullish(),
  tokens_per_minute: tokenRate.nullish(),
  concurrent_requests: requestLimit.nullish(),
  billing_group_id: z.int().min(1).nullish(),
}
/** Confirmed, because an administrator says so; null removes it. */
const address = line(254)
const kind = z.enum(['person', 'service'])

export const users = [
  report({
    path: '/admin/api/users',
    tier: 'auditor',
    summary: 'Users with what each has used, by account name unless sorted otherwise.',
    query: z.strictObject({
      q: searchText.optional(),
      status: status.optional(),
      role: role.optional(),
      kind: kind.optional(),
      deleted: z
        .enum(['true', 'false'])
        .optional()
        .meta({ description: 'true lists those that were deleted.' }),
      sort: z.enum(USER_SORTS).default('itcode'),
      order: z.enum(['asc', 'desc']).default('asc'),
      page,
      page_size: pageSize,
    }),
    reply: z.strictObject({ users: z.array(UserWithUse), total: z.int(), page: z.int(), page_size: z.int() }),
    async handle({ deps, query }) {
      const { q, page, page_size, sort, order } = query
      const deleted = query.deleted === 'true'
      const filter = { q, status: query.status, role: query.role, kind: query.kind, deleted }
      const found = await findUsers(deps, filter, { page, pageSize: page_size, sort, order })
      return { users: found.users.map(userWithUse), total: found.total, page, page_size }
    },
  }),
  route({
    method: 'GET',
    path: '/admin/api/users/:id',
    tier: 'auditor',
    summary: 'One user, with what they have used.',
    reply: UserAnswer,
    handle: ({ deps, params }) => userAnswer(deps, idOf(params.id)),
  }),
  route({
    method: 'POST',
    path: '/admin/api/users',
    tier: 'admin',
    summary:
      'Makes a user, who can sign in at once, or a service account, which spends nothing before it has a limit.',
    errors: [409],
    body: z.strictObject({
      itcode: line(254),
      name: name.optional(),
      role: role.default('user'),
      kind: kind.default('person'),
      email: address.nullish(),
      ...limits,
    }),
    reply: UserAnswer,
    status: 201,
    async handle({ deps, body, actor }) {
      const { itcode, name, role, kind, billing_group_id: billingGroupId } = body
      const { defaultQuotaTokens, period } = deps.settings.limits
      const { quotaTokens = defaultQuotaTokens, budgetMicros: micros = 0, ...rates } = limitsOf(body)
      await assertBills(deps.db, billingGroupId)
      const address = body.email ? { email: addressOf(body.email), confirmed: true } : undefined
      const wanted = { itcode, name, role, kind, quotaTokens, ...rates, billingGroupId, address }
      const user = await createUser({ ...deps, actor }, { ...wanted, ownLimit: { micros, period } })
      return userAnswer(deps, user.id)
    },
  }),
  route({
    method: 'PUT',
    path: '/admin/api/users/:id',
    tier: 'admin',
    summary:
      'Changes a user, from their next request on. Disabling ends their sessions and stops their keys.',
    errors: [409],
    body: z.strictObject({
      name: name.optional(),
      role: role.optional(),
      status: status.optional(),
      email: address.nullish(),
      ...limits,
    }),
    reply: UserAnswer,
    async handle({ deps, params, body, actor }) {
      const id = idOf(params.id)
      const { name, role, status, email, billing_group_id: billingGroupId } = body
      const { budgetMicros, ...limits } = limitsOf(body)
      const { period } = deps.settings.limits
      await assertBills(deps.db, billingGroupId)
      const { auth } = deps.settings
      const address = email ? { email: addressOf(email), confirmed: true } : null
      // All or nothing: what else is refused leaves the address as it was.
      if (address) await assertFreeAddress({ db: deps.db, auth }, address.email, id)
      const change = {
        name,
        role,
        status,
        billingGroupId,
        ...limits,
        ownLimit: budgetMicros === undefined ? undefined : { micros: budgetMicros, period },
      }
      if (email === undefined || Object.values(change).some((value) => value !== undefined)) {
        await updateUser({ ...deps, actor }, id, change)
      }
      if (email !== undefined) await changeAddress({ ...deps, actor, auth }, id, address)
      await deps.keyCache.changed()
      return userAnswer(deps, id)
    },
  }),
  ...identities,
]

async function userAnswer(deps: Pick<Deps, 'db' | 'clock' | 'settings' | 'periods'>, id: number) {
  const listed = await describedUser(deps, id)
  if (!listed) throw nothingHere()
  return { user: userWithUse(listed) }
}

function userWithUse(listed: ListedUser): UserWithUse {
  const { user, ownMicros, lastUsedAt, requests, totalTokens, costMicros, periodTokens, periodMicros } =
    listed
  return {
    ...userView(user, ownMicros),
    last_used_at: lastUsedAt === null ? null : timeText(lastUsedAt),
    requests,
    total_tokens: totalTokens,
    cost_usd: usdOf(costMicros),
    quota_used_tokens: periodTokens,
    budget_used_usd: usdOf(periodMicros),
  }
}

/** Routes with which administrators manage users. */
import * as z from 'zod'
import type { Deps } from '../core/deps.ts'
import { nothingHere } from '../core/errors.ts'
import { timeText, usdOf } from '../core/units.ts'
import { describedUser, findUsers, type ListedUser } from '../core/users/list.ts'
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
import { report, route } from './route.ts'
import { requestLimit, UserView, userView } from './views.ts'

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
const role = z.enum(['user', 'admin'])
const status = z.enum(['active', 'disabled'])
const name = line(100)
const limits = {
  quota_tokens: quotaTokens.optional(),
  budget_usd: dollars.optional(),
  requests_per_minute: requestLimit.nullish(),
  concurrent_requests: requestLimit.nullish(),
}

export const users = [
  report({
    path: '/admin/api/users',
    tier: 'admin',
    summary: 'Users by account name, with what each has used.',
    query: z.strictObject({
      q: searchText.optional(),
      status: status.optional(),
      role: role.optional(),
      page,
      page_size: pageSize,
    }),
    reply: z.strictObject({ users: z.array(UserWithUse), total: z.int(), page: z.int(), page_size: z.int() }),
    async handle({ deps, query }) {
      const { q, page, page_size } = query
      const filter = { q, status: query.status, role: query.role }
      const found = await findUsers(deps, filter, { page, pageSize: page_size })
      return { users: found.users.map(userWithUse), total: found.total, page, page_size }
    },
  }),
  route({
    method: 'GET',
    path: '/admin/api/users/:id',
    tier: 'admin',
    summary: 'One user, with what they have used.',
    reply: UserAnswer,
    handle: ({ deps, params }) => userAnswer(deps, idOf(params.id)),
  }),
  route({
    method: 'POST',
    path: '/admin/api/users',
    tier: 'admin',
    summary: 'Makes a user, who can sign in at once.',
    errors: [409],
    body: z.strictObject({
      itcode: line(254),
      name: name.optional(),
      role: role.default('user'),
      ...limits,
    }),
    reply: UserAnswer,
    status: 201,
    async handle({ deps, body, actor }) {
      const { itcode, name, role } = body
      const { defaultQuotaTokens, defaultBudgetMicros } = deps.settings.limits
      const {
        quotaTokens = defaultQuotaTokens,
        budgetMicros = defaultBudgetMicros,
        ...requests
      } = limitsOf(body)
      const wanted = { itcode, name, role, quotaTokens, budgetMicros, ...requests }
      const user = await createUser({ ...deps, actor }, wanted)
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
      ...limits,
    }),
    reply: UserAnswer,
    async handle({ deps, params, body, actor }) {
      const id = idOf(params.id)
      const { name, role, status } = body
      await updateUser({ ...deps, actor }, id, { name, role, status, ...limitsOf(body) })
      await deps.keyCache.refresh()
      return userAnswer(deps, id)
    },
  }),
]

async function userAnswer(deps: Pick<Deps, 'db' | 'clock' | 'settings'>, id: number) {
  const listed = await describedUser(deps, id)
  if (!listed) throw nothingHere()
  return { user: userWithUse(listed) }
}

function userWithUse(listed: ListedUser): UserWithUse {
  const { user, lastUsedAt, requests, totalTokens, costMicros, periodTokens, periodMicros } = listed
  return {
    ...userView(user),
    last_used_at: lastUsedAt === null ? null : timeText(lastUsedAt),
    requests,
    total_tokens: totalTokens,
    cost_usd: usdOf(costMicros),
    quota_used_tokens: periodTokens,
    budget_used_usd: usdOf(periodMicros),
  }
}

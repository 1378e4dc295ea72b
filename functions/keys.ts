/** Routes for API keys: one's own and, for administrators, everybody's. Only the answer that creates a key has its secret. */
import * as z from 'zod'
import type { Actor } from '../core/audit/record.ts'
import type { Deps } from '../core/deps.ts'
import { invalidField } from '../core/errors.ts'
import {
  createKey,
  deleteKey,
  describedKey,
  type KeyChange,
  type ListedKey,
  listKeys,
  type Scope,
  updateKey,
} from '../core/keys/manage.ts'
import { timeText, usdOf } from '../core/units.ts'
import { dollars, idInQuery, idOf, limitsOf, line, moment, quotaTokens, timestamp } from './fields.ts'
import { report, route } from './route.ts'
import { requestLimit } from './views.ts'

export const KeyView = z
  .strictObject({
    id: z.int(),
    user_id: z.int(),
    name: z.string(),
    prefix: z.string(),
    last4: z.string(),
    status: z.enum(['active', 'disabled']),
    disabled_by: z.enum(['owner', 'admin']).nullable(),
    expires_at: timestamp.nullable(),
    quota_tokens: z.int().meta({ description: "Tokens per period, beside the owner's limit; 0 is none." }),
    budget_usd: z.number().meta({ description: 'US dollars per period, as above.' }),
    requests_per_minute: requestLimit,
    concurrent_requests: requestLimit,
    created_at: timestamp,
    last_used_at: timestamp.nullable(),
    requests: z.int(),
    cost_usd: z.number(),
  })
  .meta({ id: 'Key' })
export type KeyView = z.infer<typeof KeyView>
const OwnedKey = KeyView.extend({ itcode: z.string() }).meta({ id: 'OwnedKey' })
const NewKey = KeyView.extend({
  key: z.string().meta({ description: 'The secret. It is in this answer only.' }),
}).meta({ id: 'NewKey' })

const KeyAnswer = z.strictObject({ key: KeyView })
const STATUS_AFTER = { disable: 'disabled', enable: 'active' } as const
const name = line(100)
const limits = {
  quota_tokens: quotaTokens.optional(),
  budget_usd: dollars.optional(),
  requests_per_minute: requestLimit.optional(),
  concurrent_requests: requestLimit.optional(),
}

export const keys = [
  report({
    path: '/api/keys',
    tier: 'session',
    summary: "The caller's keys.",
    reply: z.strictObject({ keys: z.array(KeyView) }),
    handle: async ({ deps, caller }) => ({ keys: (await listKeys(deps.db, caller.user.id)).map(keyView) }),
  }),
  route({
    method: 'POST',
    path: '/api/keys',
    tier: 'session',
    summary: 'Makes a key. Its secret is shown this once.',
    errors: [409],
    body: z.strictObject({ name, expires_at: moment.nullish(), ...limits }),
    reply: z.strictObject({ key: NewKey }),
    status: 201,
    async handle({ deps, caller, body, actor }) {
      const expiresAt = body.expires_at ?? null
      assertInFuture(deps, expiresAt)
      const wanted = { userId: caller.user.id, name: body.name, expiresAt, ...limitsOf(body) }
      const made = await createKey({ ...deps, actor }, wanted)
      await deps.keyCache.refresh()
      return { key: { ...keyView(await describedKey(deps.db, made.key.id)), key: made.secret } }
    },
  }),
  route({
    method: 'PUT',
    path: '/api/keys/:id',
    tier: 'session',
    summary: 'Renames a key, switches it off or on, or changes its limits or when it expires.',
    body: z.strictObject({
      name: name.optional(),
      status: z.enum(['active', 'disabled']).optional(),
      expires_at: moment.nullish(),
      ...limits,
    }),
    reply: KeyAnswer,
    handle({ deps, caller, params, body, actor }) {
      assertInFuture(deps, body.expires_at ?? null)
      const { name, status, expires_at: expiresAt } = body
      const change = { name, status, expiresAt, ...limitsOf(body) }
      return changed(deps, actor, { ownerId: caller.user.id }, params.id, change)
    },
  }),
  ownSwitch('disable', 'Switches a key off from the next request on.'),
  ownSwitch('enable', 'Switches a key on again, unless an administrator switched it off.'),
  route({
    method: 'DELETE',
    path: '/api/keys/:id',
    tier: 'session',
    summary: 'Deletes a key. Its usage stays.',
    reply: z.strictObject({ message: z.string() }),
    async handle({ deps, caller, params, actor }) {
      await deleteKey({ ...deps, actor }, caller.user.id, idOf(params.id))
      await deps.keyCache.refresh()
      return { message: 'deleted' }
    },
  }),
  report({
    path: '/admin/api/keys',
    tier: 'admin',
    summary: "Everybody's keys, or one user's.",
    query: z.strictObject({ user_id: idInQuery.optional() }),
    reply: z.strictObject({ keys: z.array(OwnedKey) }),
    async handle({ deps, query }) {
      const listed = await listKeys(deps.db, query.user_id)
      return { keys: listed.map((one) => ({ ...keyView(one), itcode: one.itcode })) }
    },
  }),
  adminSwitch('disable', 'Switches a key off; its owner cannot switch it on again.'),
  adminSwitch('enable', 'Switches a key on again.'),
]

function ownSwitch(action: keyof typeof STATUS_AFTER, summary: string) {
  return route({
    method: 'PUT',
    path: `/api/keys/:id/${action}`,
    tier: 'session',
    summary,
    reply: KeyAnswer,
    handle: ({ deps, caller, params, actor }) =>
      changed(deps, actor, { ownerId: caller.user.id }, params.id, { status: STATUS_AFTER[action] }),
  })
}

function adminSwitch(action: keyof typeof STATUS_AFTER, summary: string) {
  return route({
    method: 'PUT',
    path: `/admin/api/keys/:id/${action}`,
    tier: 'admin',
    summary,
    reply: KeyAnswer,
    handle: ({ deps, params, actor }) =>
      changed(deps, actor, 'admin', params.id, { status: STATUS_AFTER[action] }),
  })
}

async function changed(deps: Deps, actor: Actor, scope: Scope, idText: string, change: KeyChange) {
  const id = idOf(idText)
  await updateKey({ ...deps, actor }, scope, id, change)
  await deps.keyCache.refresh()
  return { key: keyView(await describedKey(deps.db, id)) }
}

function assertInFuture({ clock }: Pick<Deps, 'clock'>, at: number | null) {
  if (at === null || at > clock.now()) return
  throw invalidField('expires_at', 'a time in the future is expected')
}

function keyView({ key, requests, costMicros, lastUsedAt }: ListedKey): KeyView {
  return {
    id: key.id,
    user_id: key.userId,
    name: key.name,
    prefix: key.prefix,
    last4: key.last4,
    status: key.status,
    disabled_by: key.disabledBy,
    expires_at: key.expiresAt === null ? null : timeText(key.expiresAt),
    quota_tokens: key.quotaTokens,
    budget_usd: usdOf(key.budgetMicros),
    requests_per_minute: key.requestsPerMinute,
    concurrent_requests: key.concurrentRequests,
    created_at: timeText(key.createdAt),
    last_used_at: lastUsedAt === null ? null : timeText(lastUsedAt),
    requests,
    cost_usd: usdOf(costMicros),
  }
}

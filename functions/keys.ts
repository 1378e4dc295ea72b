/** Routes for API keys: one's own and, for administrators, everybody's. Only the answer that creates a key has its secret. */
import * as z from 'zod'
import type { Actor } from '../core/audit/record.ts'
import type { Deps } from '../core/deps.ts'
import { invalidField } from '../core/errors.ts'
import { allKeys, EXPIRING_DAYS, findKeys, KEY_SORTS, KEY_STATES } from '../core/keys/find.ts'
import { describedKey, listKeys, NEVER_USED } from '../core/keys/list.ts'
import { createKey, deleteKey, type KeyChange, type Scope, updateKey } from '../core/keys/manage.ts'
import { assertBillsTo } from '../core/organisation/service-accounts.ts'
import { problem } from '../core/problems.ts'
import {
  dollars,
  idInQuery,
  idOf,
  limitsOf,
  line,
  modelGlob,
  moment,
  network,
  page,
  pageSize,
  quotaTokens,
  searchText,
} from './fields.ts'
import { everyKey, KeyAnswer, KeyView, keyView, NewKey, OwnedKey, ownedKeyView } from './key-views.ts'
import { report, route } from './route.ts'
import { requestLimit, tokenRate } from './views.ts'

const STATUS_AFTER = { disable: 'disabled', enable: 'active' } as const
const name = line(100)
const limits = {
  quota_tokens: quotaTokens.optional(),
  budget_usd: dollars.optional(),
  requests_per_minute: requestLimit.optional(),
  tokens_per_minute: tokenRate.optional(),
  concurrent_requests: requestLimit.optional(),
}
const bounds = {
  billing_group_id: z.int().min(1).nullish(),
  models: z.array(modelGlob).min(1).max(100).nullish(),
  networks: z.array(network).min(1).max(100).nullish(),
}
export const NEW_KEY = { name, expires_at: moment.nullish(), ...limits, ...bounds }
export const CHANGED_KEY = {
  name: name.optional(),
  status: z.enum(['active', 'disabled']).optional(),
  expires_at: moment.nullish(),
  ...limits,
  ...bounds,
}

const yes = z
  .enum(['true', 'false'])
  .default('false')
  .transform((text) => text === 'true')
const Deleted = z.strictObject({ message: z.string() })

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
    body: z.strictObject(NEW_KEY),
    reply: z.strictObject({ key: NewKey }),
    status: 201,
    async handle({ deps, caller, body, actor }) {
      await assertBillsTo(deps.db, caller.user.id, body.billing_group_id)
      return { key: await madeKey(deps, actor, { userId: caller.user.id }, body) }
    },
  }),
  route({
    method: 'PUT',
    path: '/api/keys/:id',
    tier: 'session',
    summary: 'Renames a key, switches it off or on, or changes its limits or when it expires.',
    body: z.strictObject(CHANGED_KEY),
    reply: KeyAnswer,
    async handle({ deps, caller, params, body, actor }) {
      await assertBillsTo(deps.db, caller.user.id, body.billing_group_id)
      return changedKey(deps, actor, { ownerId: caller.user.id }, params.id, changeOf(deps, body))
    },
  }),
  ownSwitch('disable', 'Switches a key off from the next request on.'),
  ownSwitch('enable', 'Switches a key on again, unless an administrator switched it off.'),
  route({
    method: 'DELETE',
    path: '/api/keys/:id',
    tier: 'session',
    summary: 'Deletes a key. Its usage stays.',
    reply: Deleted,
    handle: ({ deps, caller, params, actor }) =>
      deletedKey(deps, actor, { ownerId: caller.user.id }, params.id),
  }),
  report({
    path: '/admin/api/keys',
    tier: 'auditor',
    summary: "Everybody's keys, or one user's; all of them where no page is asked for.",
    query: z.strictObject({
      key_id: idInQuery.optional(),
      user_id: idInQuery.optional(),
      q: searchText.optional(),
      state: z
        .enum(KEY_STATES)
        .optional()
        .meta({ description: `expiring: active, and ends within ${EXPIRING_DAYS} days.` }),
      never_used: yes,
      without_limits: yes,
      sort: z.enum(KEY_SORTS).default('created_at'),
      order: z.enum(['asc', 'desc']).default('asc'),
      page: page.unwrap().optional(),
      page_size: pageSize,
    }),
    reply: z.strictObject({ keys: z.array(OwnedKey), total: z.int() }),
    async handle({ deps, query, id }) {
      const { user_id: userId, q, state, sort, order, page, page_size: pageSize } = query
      const filter = {
        id: query.key_id,
        userId,
        q,
        state,
        neverUsed: query.never_used,
        withoutLimits: query.without_limits,
      }
      if (page === undefined) return everyKey(id, await allKeys(deps, filter, { sort, order }))
      const { keys, total } = await findKeys(deps, filter, { sort, order }, { page, pageSize })
      return { keys: keys.map(ownedKeyView), total }
    },
  }),
  route({
    method: 'PUT',
    path: '/admin/api/keys/:id',
    tier: 'admin',
    summary: "Changes anybody's key: its name, limits, models, networks, or when it expires.",
    body: z.strictObject(CHANGED_KEY).omit({ status: true, billing_group_id: true }),
    reply: KeyAnswer,
    handle: ({ deps, params, body, actor }) =>
      changedKey(deps, actor, 'admin', params.id, changeOf(deps, body)),
  }),
  route({
    method: 'DELETE',
    path: '/admin/api/keys/:id',
    tier: 'admin',
    summary: "Deletes anybody's key for good. Its usage stays.",
    reply: Deleted,
    handle: ({ deps, params, actor }) => deletedKey(deps, actor, 'admin', params.id),
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
      changedKey(deps, actor, { ownerId: caller.user.id }, params.id, { status: STATUS_AFTER[action] }),
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
      changedKey(deps, actor, 'admin', params.id, { status: STATUS_AFTER[action] }),
  })
}

/** Makes a key of a user, or of a service account by its keeper, and answers it with its secret. */
export async function madeKey(
  deps: Deps,
  actor: Actor,
  whose: { userId: number; keeperId?: number },
  body: z.output<z.ZodObject<typeof NEW_KEY>>,
): Promise<z.infer<typeof NewKey>> {
  const expiresAt = body.expires_at ?? null
  assertInFuture(deps, expiresAt)
  const wanted = { ...whose, name: body.name, expiresAt, ...limitsOf(body), ...boundsOf(body) }
  const made = await createKey({ ...deps, actor }, wanted)
  await deps.keyCache.changed()
  // Not read again, because nobody would get the secret of an answer that fails.
  return { ...keyView({ ...NEVER_USED, key: made.key }), key: made.secret }
}

/** What a body changes of a key. Throws a Refusal invalid_input for an expiry in the past. */
export function changeOf(
  deps: Pick<Deps, 'clock'>,
  body: z.output<z.ZodObject<typeof CHANGED_KEY>>,
): KeyChange {
  assertInFuture(deps, body.expires_at ?? null)
  const { name, status, expires_at: expiresAt } = body
  return { name, status, expiresAt, ...limitsOf(body), ...boundsOf(body) }
}

function boundsOf({
  billing_group_id: billingGroupId,
  models,
  networks,
}: z.output<z.ZodObject<typeof bounds>>) {
  return { billingGroupId, models, networks }
}

export async function changedKey(deps: Deps, actor: Actor, scope: Scope, idText: string, change: KeyChange) {
  const id = idOf(idText)
  await updateKey({ ...deps, actor }, scope, id, change)
  await deps.keyCache.changed()
  return { key: keyView(await describedKey(deps.db, id)) }
}

async function deletedKey(deps: Deps, actor: Actor, scope: Scope, idText: string) {
  await deleteKey({ ...deps, actor }, scope, idOf(idText))
  await deps.keyCache.changed()
  return { message: 'deleted' }
}

function assertInFuture({ clock }: Pick<Deps, 'clock'>, at: number | null) {
  if (at === null || at > clock.now()) return
  throw invalidField('expires_at', problem('future'))
}

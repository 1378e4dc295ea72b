/** Routes for the keys of service accounts: for administrators, and for the leads of the groups that own them. */
import * as z from 'zod'
import { listKeys } from '../core/keys/list.ts'
import { deleteKey } from '../core/keys/manage.ts'
import {
  assertBillsTo,
  listServiceAccounts,
  serviceAccountOf,
} from '../core/organisation/service-accounts.ts'
import { idOf } from './fields.ts'
import { ROTATION, RotatedKey, rotatedKey, withoutPrevious } from './key-rotation.ts'
import { KeyAnswer, KeyView, keyView, NewKey } from './key-views.ts'
import { CHANGED_KEY, changedKey, changeOf, madeKey, NEW_KEY } from './keys.ts'
import { report, route } from './route.ts'

const Account = z
  .strictObject({
    id: z.int(),
    itcode: z.string(),
    name: z.string(),
    status: z.enum(['active', 'disabled']),
    billing_group_id: z.int().nullable().meta({ description: 'The group that owns it.' }),
  })
  .meta({ id: 'ServiceAccount' })
export type ServiceAccountView = z.infer<typeof Account>

export const serviceAccounts = [
  report({
    path: '/api/service-accounts',
    tier: 'session',
    summary:
      'The service accounts whose keys the caller may make: all for administrators, else those of groups they lead.',
    reply: z.strictObject({ service_accounts: z.array(Account) }),
    async handle({ deps, caller }) {
      const found = await listServiceAccounts(deps.db, caller.user.id)
      const accounts = found.map(({ id, itcode, name, status, billingGroupId }) => {
        return { id, itcode, name, status, billing_group_id: billingGroupId }
      })
      return { service_accounts: accounts }
    },
  }),
  report({
    path: '/api/service-accounts/:id/keys',
    tier: 'session',
    summary: 'The keys of a service account.',
    reply: z.strictObject({ keys: z.array(KeyView) }),
    async handle({ deps, caller, params }) {
      const account = await serviceAccountOf(deps.db, caller.user.id, idOf(params.id))
      return { keys: (await listKeys(deps.db, account.id)).map(keyView) }
    },
  }),
  route({
    method: 'POST',
    path: '/api/service-accounts/:id/keys',
    tier: 'session',
    summary: 'Makes a key of a service account. Its secret is shown this once.',
    errors: [409],
    body: z.strictObject(NEW_KEY),
    reply: z.strictObject({ key: NewKey }),
    status: 201,
    async handle({ deps, caller, params, body, actor }) {
      const account = await serviceAccountOf(deps.db, caller.user.id, idOf(params.id))
      await assertBillsTo(deps.db, account.id, body.billing_group_id)
      return { key: await madeKey(deps, actor, { userId: account.id, keeperId: caller.user.id }, body) }
    },
  }),
  route({
    method: 'PUT',
    path: '/api/service-accounts/:id/keys/:key_id',
    tier: 'session',
    summary: 'Changes a key of a service account.',
    body: z.strictObject(CHANGED_KEY),
    reply: KeyAnswer,
    async handle({ deps, caller, params, body, actor }) {
      const account = await serviceAccountOf(deps.db, caller.user.id, idOf(params.id))
      await assertBillsTo(deps.db, account.id, body.billing_group_id)
      const scope = { accountId: account.id, keeperId: caller.user.id }
      return changedKey(deps, actor, scope, params.key_id, changeOf(deps, body))
    },
  }),
  route({
    method: 'DELETE',
    path: '/api/service-accounts/:id/keys/:key_id',
    tier: 'session',
    summary: 'Deletes a key of a service account. Its usage stays.',
    reply: z.strictObject({ message: z.string() }),
    async handle({ deps, caller, params, actor }) {
      const scope = { accountId: idOf(params.id), keeperId: caller.user.id }
      await deleteKey({ ...deps, actor }, scope, idOf(params.key_id))
      await deps.keyCache.changed()
      return { message: 'deleted' }
    },
  }),
  route({
    method: 'POST',
    path: '/api/service-accounts/:id/keys/:key_id/rotate',
    tier: 'session',
    summary: 'Gives a key of a service account a new secret, as POST /api/keys/:id/rotate does.',
    errors: [409],
    body: z.strictObject(ROTATION),
    reply: RotatedKey,
    handle: ({ deps, caller, params, body, actor }) => {
      const scope = { accountId: idOf(params.id), keeperId: caller.user.id }
      return rotatedKey(deps, actor, scope, params.key_id, body.overlap_hours)
    },
  }),
  route({
    method: 'DELETE',
    path: '/api/service-accounts/:id/keys/:key_id/previous',
    tier: 'session',
    summary: 'Ends the secret before the present one of such a key, from its next request on.',
    reply: KeyAnswer,
    handle: ({ deps, caller, params, actor }) => {
      const scope = { accountId: idOf(params.id), keeperId: caller.user.id }
      return withoutPrevious(deps, actor, scope, params.key_id)
    },
  }),
]

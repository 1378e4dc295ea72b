/** Routes with which administrators see people off: what would stop, deleting, reviving, freeing a name, and erasing. */
import * as z from 'zod'
import { invalidField } from '../core/errors.ts'
import { moveKey } from '../core/keys/move.ts'
import { timeText } from '../core/units.ts'
import { eraseUser } from '../core/users/erase.ts'
import { whatLeaves } from '../core/users/leaving.ts'
import { userOf } from '../core/users/manage.ts'
import { deleteUser, releaseName, reviveUser } from '../core/users/remove.ts'
import { idOf, line, timestamp } from './fields.ts'
import { report, route } from './route.ts'

const LeavingKey = z
  .strictObject({
    id: z.int(),
    name: z.string(),
    prefix: z.string(),
    last4: z.string(),
    used_by_program: z.boolean().meta({
      description: 'In the last 30 days something called with it that is no tool which a person sits at.',
    }),
    clients: z.array(z.strictObject({ client: z.string(), requests: z.int(), last_used_at: timestamp })),
  })
  .meta({ id: 'LeavingKey' })
export type LeavingKeyView = z.infer<typeof LeavingKey>
const Leaving = z.strictObject({
  keys: z.array(LeavingKey),
  admin_keys: z.array(z.strictObject({ id: z.int(), name: z.string() })).meta({
    description: 'Admin keys that they made. They go on, although the person may know the secret.',
  }),
})
export type LeavingView = z.infer<typeof Leaving>
const Named = z.strictObject({ id: z.int(), itcode: z.string() })

export const leaving = [
  report({
    path: '/admin/api/users/:id/leaving',
    tier: 'auditor',
    summary:
      'What would stop if a person was deleted: their keys, and what called with each in the last 30 days.',
    reply: Leaving,
    async handle({ deps, params }) {
      const { keys, adminKeys } = await whatLeaves(deps, idOf(params.id))
      return {
        admin_keys: adminKeys,
        keys: keys.map(({ id, name, prefix, last4, usedByProgram, clients }) => ({
          id,
          name,
          prefix,
          last4,
          used_by_program: usedByProgram,
          clients: clients.map(({ client, requests, lastAt }) => {
            return { client, requests, last_used_at: timeText(lastAt) }
          }),
        })),
      }
    },
  }),
  route({
    method: 'POST',
    path: '/admin/api/keys/:id/move',
    tier: 'admin',
    summary:
      'Gives a key to a service account. Its secret goes on working, and calls are booked to the account.',
    errors: [409],
    body: z.strictObject({ user_id: z.int().min(1).meta({ description: 'The service account.' }) }),
    reply: z.strictObject({ message: z.string() }),
    async handle({ deps, params, body, actor }) {
      await moveKey({ ...deps, actor }, idOf(params.id), body.user_id)
      await deps.keyCache.changed()
      return { message: 'moved' }
    },
  }),
  route({
    method: 'DELETE',
    path: '/admin/api/users/:id',
    tier: 'admin',
    summary:
      'Deletes a user: sessions, keys and memberships end for good. Usage keeps the name, which stays taken.',
    errors: [409],
    reply: z.strictObject({ message: z.string() }),
    async handle({ deps, params, actor }) {
      await deleteUser({ ...deps, actor }, idOf(params.id))
      await deps.keyCache.changed()
      return { message: 'deleted' }
    },
  }),
  route({
    method: 'POST',
    path: '/admin/api/users/:id/revive',
    tier: 'admin',
    summary: 'Brings a deleted user back, with the role user and without the keys and groups that ended.',
    errors: [409],
    reply: z.strictObject({ user: Named }),
    async handle({ deps, params, actor }) {
      const { id, itcode } = await reviveUser({ ...deps, actor, auth: deps.settings.auth }, idOf(params.id))
      return { user: { id, itcode } }
    },
  }),
  route({
    method: 'POST',
    path: '/admin/api/users/:id/release',
    tier: 'admin',
    summary:
      'Frees the name of a user for somebody else: of one who was deleted, with the address, or whose mail goes elsewhere. They are called name#id.',
    errors: [409],
    reply: z.strictObject({ user: Named }),
    async handle({ deps, params, actor }) {
      const { id, itcode } = await releaseName({ ...deps, actor, auth: deps.settings.auth }, idOf(params.id))
      return { user: { id, itcode } }
    },
  }),
  route({
    method: 'POST',
    path: '/admin/api/users/:id/erase',
    tier: 'admin',
    // It hides who did something from the audit, for good.
    recent: true,
    summary:
      'Replaces names, addresses and IP addresses of a deleted user by #id, for good. Usage stays. Backups, logs and free text are not reached.',
    body: z.strictObject({
      itcode: line(300).meta({ description: 'Their account name, so that nobody is erased by mistake.' }),
    }),
    reply: z.strictObject({ user: Named }),
    async handle({ deps, params, body, actor }) {
      const id = idOf(params.id)
      const { itcode, deletedAt } = await userOf(deps.db, id)
      if (deletedAt !== null && itcode !== body.itcode)
        throw invalidField('itcode', 'the account name of this user is expected')
      const { pseudonym } = await eraseUser({ ...deps, actor }, id)
      return { user: { id, itcode: pseudonym } }
    },
  }),
]

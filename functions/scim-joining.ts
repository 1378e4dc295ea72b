/** Routes with which administrators hand accounts and groups that are here over to the directory. */
import * as z from 'zod'
import { adoptGroup } from '../core/scim/groups.ts'
import { joinUser } from '../core/scim/users.ts'
import { idOf, line } from './fields.ts'
import { route } from './route.ts'

const Done = z.strictObject({ message: z.string() })

export const scimJoining = [
  route({
    method: 'POST',
    path: '/admin/api/users/:id/scim',
    tier: 'admin',
    summary: 'Lets the directory keep an account by SCIM, also one with rights over others.',
    errors: [409],
    body: z.strictObject({
      user_name: line(254)
        .optional()
        .meta({ description: 'What the directory calls them; else their address.' }),
      external_id: line(254).optional(),
    }),
    reply: Done,
    async handle({ deps, params, body, actor }) {
      const { auth } = deps.settings
      const names = { userName: body.user_name, externalId: body.external_id }
      await joinUser({ ...deps, actor, auth }, idOf(params.id), names)
      return { message: 'joined' }
    },
  }),
  route({
    method: 'POST',
    path: '/admin/api/groups/:id/scim',
    tier: 'admin',
    summary: 'Lets the directory keep a group by SCIM: it changes its name and members from then on.',
    errors: [409],
    body: z.strictObject({ external_id: line(254).optional() }),
    reply: Done,
    async handle({ deps, params, body, actor }) {
      await adoptGroup({ ...deps, actor }, idOf(params.id), body.external_id ?? null)
      return { message: 'joined' }
    },
  }),
]

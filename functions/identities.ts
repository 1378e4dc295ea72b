/** Routes with which administrators see and change by which identities at providers a person signs in. */
import * as z from 'zod'
import { joinByAdmin, listIdentities, partIdentity } from '../core/identity/manage.ts'
import { timeText } from '../core/units.ts'
import { idOf, line, timestamp } from './fields.ts'
import { route } from './route.ts'

const IdentityView = z
  .strictObject({
    id: z.int(),
    issuer: z.string(),
    subject: z.string(),
    verified_at: timestamp.meta({ description: 'When the provider vouched for them last.' }),
    created_at: timestamp,
  })
  .meta({ id: 'Identity' })
export type IdentityView = z.infer<typeof IdentityView>
const Identities = z.strictObject({ identities: z.array(IdentityView) })

async function identitiesOf(db: Parameters<typeof listIdentities>[0], userId: number) {
  const all = await listIdentities(db, userId)
  return {
    identities: all.map(({ id, issuer, subject, verifiedAt, createdAt }) => ({
      id,
      issuer,
      subject,
      verified_at: timeText(verifiedAt),
      created_at: timeText(createdAt),
    })),
  }
}

export const identities = [
  route({
    method: 'GET',
    path: '/admin/api/users/:id/identities',
    tier: 'auditor',
    summary: 'By which identities at providers a person signs in.',
    reply: Identities,
    handle: ({ deps, params }) => identitiesOf(deps.db, idOf(params.id)),
  }),
  route({
    method: 'POST',
    path: '/admin/api/users/:id/identities',
    tier: 'admin',
    summary: 'Joins an identity to an account, also to one with rights, which an address alone never opens.',
    errors: [409],
    body: z.strictObject({
      issuer: line(1_000).meta({ description: 'As in the configuration, or ldap.' }),
      subject: line(512).meta({ description: 'Their id there. The log tells it: sign_in.refused.' }),
    }),
    reply: Identities,
    async handle({ deps, params, body, actor }) {
      const id = idOf(params.id)
      await joinByAdmin({ ...deps, actor }, id, body)
      return identitiesOf(deps.db, id)
    },
  }),
  route({
    method: 'DELETE',
    path: '/admin/api/users/:id/identities/:identity_id',
    tier: 'admin',
    summary: 'Parts an identity from an account. Sessions that it opened go on.',
    reply: Identities,
    async handle({ deps, params, actor }) {
      const id = idOf(params.id)
      await partIdentity({ ...deps, actor }, id, idOf(params.identity_id))
      return identitiesOf(deps.db, id)
    },
  }),
]

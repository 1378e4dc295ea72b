/** Routes with which administrators manage the keys of programs that administer. */
import * as z from 'zod'
import {
  ADMIN_SCOPES,
  type AdminKey,
  createAdminKey,
  listAdminKeys,
  revokeAdminKey,
} from '../core/keys/admin-keys.ts'
import { timeText } from '../core/units.ts'
import { idOf, line, moment, timestamp } from './fields.ts'
import { route } from './route.ts'

const scopes = z.array(z.enum(ADMIN_SCOPES))
const AdminKeyView = z
  .strictObject({
    id: z.int(),
    name: z.string(),
    last4: z.string(),
    scopes,
    created_by: z.int().nullable(),
    created_at: timestamp,
    expires_at: timestamp.nullable(),
    last_used_at: timestamp.nullable(),
  })
  .meta({ id: 'AdminKey' })
export type AdminKeyView = z.infer<typeof AdminKeyView>

export const adminKeys = [
  route({
    method: 'GET',
    path: '/admin/api/admin-keys',
    tier: 'auditor',
    summary: 'Admin keys that were not revoked, oldest first.',
    reply: z.strictObject({ admin_keys: z.array(AdminKeyView) }),
    handle: async ({ deps: { db } }) => ({ admin_keys: (await listAdminKeys(db)).map(viewOf) }),
  }),
  route({
    method: 'POST',
    path: '/admin/api/admin-keys',
    tier: 'admin',
    summary: 'Makes an admin key. Its secret is in this answer and nowhere else.',
    errors: [409],
    body: z.strictObject({
      name: line(100),
      scopes: scopes.min(1).max(ADMIN_SCOPES.length),
      expires_at: moment.nullish(),
    }),
    reply: z.strictObject({ admin_key: AdminKeyView, secret: z.string() }),
    status: 201,
    async handle({ deps, body, actor }) {
      const { name, scopes, expires_at: expiresAt = null } = body
      const { key, secret } = await createAdminKey({ ...deps, actor }, { name, scopes, expiresAt })
      return { admin_key: viewOf(key), secret }
    },
  }),
  route({
    method: 'DELETE',
    path: '/admin/api/admin-keys/:id',
    tier: 'admin',
    summary: 'Revokes an admin key, from its next request on.',
    reply: z.strictObject({ message: z.string() }),
    async handle({ deps, params, actor }) {
      await revokeAdminKey({ ...deps, actor }, idOf(params.id))
      return { message: 'revoked' }
    },
  }),
]

function viewOf({ id, name, last4, scopes, createdBy, createdAt, expiresAt, lastUsedAt }: AdminKey) {
  return {
    id,
    name,
    last4,
    scopes: [...scopes],
    created_by: createdBy,
    created_at: timeText(createdAt),
    expires_at: expiresAt === null ? null : timeText(expiresAt),
    last_used_at: lastUsedAt === null ? null : timeText(lastUsedAt),
  }
}

/** Keys of programs that administer. */
import type { AdminKeyView } from '../../../../functions/admin-keys.ts'
import { del, get, post } from './client.ts'

export type AdminKey = AdminKeyView
export type AdminScope = AdminKey['scopes'][number]
export const ADMIN_SCOPES = ['usage', 'read', 'write', 'scim'] as const satisfies readonly AdminScope[]

export const adminKeysApi = {
  list: () => get<{ admin_keys: AdminKey[] }>('/admin/api/admin-keys'),
  create: (wanted: Pick<AdminKey, 'name' | 'scopes' | 'expires_at'>) =>
    post<{ admin_key: AdminKey; secret: string }>('/admin/api/admin-keys', wanted),
  revoke: (id: number) => del(`/admin/api/admin-keys/${id}`),
}

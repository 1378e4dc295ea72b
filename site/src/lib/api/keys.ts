/** Routes for everybody's keys, as administrators see them, and for new secrets. */
import type { KeyView } from '../../../../functions/key-views.ts'
import { del, get, post, put, type Query } from './client.ts'

export type OwnedKey = KeyView & { itcode: string; owner_kind: 'person' | 'service' }
type Settable =
  | ('name' | 'expires_at' | 'models' | 'networks')
  | ('quota_tokens' | 'budget_usd' | 'requests_per_minute' | 'tokens_per_minute' | 'concurrent_requests')
export type KeyChange = Partial<Pick<KeyView, Settable>>

export const keysApi = {
  find: (query: Query) => get<{ keys: OwnedKey[]; total: number }>('/admin/api/keys', query),
  change: (id: number, change: KeyChange) => put<{ key: KeyView }>(`/admin/api/keys/${id}`, change),
  turn: (id: number, on: boolean) =>
    put<{ key: KeyView }>(`/admin/api/keys/${id}/${on ? 'enable' : 'disable'}`),
  /** One's own, or that of a service account whose keys one may make. */
  rotate: ({ id, user_id }: KeyView, overlap_hours: number, ofAccount: boolean) =>
    post<{ key: KeyView & { key: string } }>(
      `${ofAccount ? `/api/service-accounts/${user_id}` : '/api'}/keys/${id}/rotate`,
      { overlap_hours },
    ),
  endOldSecret: (id: number, scope: 'own' | 'all') =>
    del<{ key: KeyView }>(`${scope === 'all' ? '/admin' : ''}/api/keys/${id}/previous`),
  remove: (id: number) => del(`/admin/api/keys/${id}`),
}

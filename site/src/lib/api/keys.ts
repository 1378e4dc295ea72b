/** Routes for everybody's keys, as administrators see them. */
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
  endOldSecret: (id: number) => del<{ key: KeyView }>(`/admin/api/keys/${id}/previous`),
  move: (id: number, user_id: number) => post(`/admin/api/keys/${id}/move`, { user_id }),
  remove: (id: number) => del(`/admin/api/keys/${id}`),
}

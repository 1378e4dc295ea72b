/** Routes for groups: their settings, members, models and limits. */
import type * as z from 'zod'
import type { GroupView } from '../../../../functions/groups.ts'
import type { LimitView } from '../../../../functions/limits.ts'
import type { MemberView } from '../../../../functions/members.ts'
import { del, get, post, put } from './client.ts'

export type Group = GroupView
export type Member = z.infer<typeof MemberView>
export type SpendLimit = LimitView
export interface GroupModels {
  allow: string[]
  deny: string[]
}
export interface DescribedGroup {
  group: Group
  models: GroupModels
  members: Member[]
}
export type GroupChange = Pick<Group, 'name'> &
  Partial<Omit<Group, 'id' | 'name' | 'source' | 'external_id' | 'created_at' | 'updated_at'>>
type Kept = { source?: 'oidc' | 'ldap'; external_id?: string }

export const groupsApi = {
  one: (id: number) => get<DescribedGroup>(`/admin/api/groups/${id}`),
  create: (group: GroupChange & Kept) => post<{ group: Group }>('/admin/api/groups', group),
  change: (id: number, change: Partial<GroupChange>) =>
    put<{ group: Group }>(`/admin/api/groups/${id}`, change),
  remove: (id: number) => del(`/admin/api/groups/${id}`),
  setModels: (id: number, models: Partial<GroupModels>) =>
    put<DescribedGroup>(`/admin/api/groups/${id}/models`, models),
  setMember: (id: number, user: number, role: Member['role']) =>
    put<{ members: Member[] }>(`/admin/api/groups/${id}/members/${user}`, { role }),
  removeMember: (id: number, user: number) => del(`/admin/api/groups/${id}/members/${user}`),
  /** Those of one group, or of all; the company's have the id 0. */
  limits: (scope: SpendLimit['scope'], scope_id?: number) =>
    get<{ limits: SpendLimit[] }>('/admin/api/limits', { scope, scope_id }),
  /** Those that are set for one person. */
  limitsOf: (user: number) =>
    get<{ limits: SpendLimit[] }>('/admin/api/limits', { scope: 'user', scope_id: user }),
  setLimit: (limit: Pick<SpendLimit, 'scope' | 'scope_id' | 'period' | 'amount_usd'>) =>
    put('/admin/api/limits', limit),
  removeLimit: (id: number) => del(`/admin/api/limits/${id}`),
}

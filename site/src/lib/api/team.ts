/** Routes for the groups that somebody is in, and for what their leads see of them. */
import type * as z from 'zod'
import type { MemberView, OwnGroupView } from '../../../../functions/members.ts'
import type { ServiceAccountView } from '../../../../functions/service-accounts.ts'
import { get, post, type Query } from './client.ts'
import type { Report } from './index.ts'

export type OwnGroup = OwnGroupView
export type ServiceAccount = ServiceAccountView
type Members = { members: z.infer<typeof MemberView>[] }

export const teamApi = {
  groups: () => get<{ groups: OwnGroup[] }>('/api/groups'),
  members: (id: number) => get<Members>(`/api/groups/${id}/members`),
  addMember: (id: number, itcode: string) => post<Members>(`/api/groups/${id}/members`, { itcode }),
  accounts: () => get<{ service_accounts: ServiceAccount[] }>('/api/service-accounts'),
  /** Of calls that are booked to groups that the reader leads. */
  report: (query: Query) => get<Report>('/api/reports', { ...query, scope: 'led' }),
}

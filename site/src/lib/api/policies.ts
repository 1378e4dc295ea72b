/** Routes about the managed settings of Claude Code. */
import type * as z from 'zod'
import type { PolicyView } from '../../../../functions/policies.ts'
import { del, get, post, put } from './client.ts'

export type Policy = z.infer<typeof PolicyView>
export interface PolicyVersion {
  id: number
  created_at: string
  actor_id: number | null
  policy: Policy
}
type PolicyChange = Omit<Policy, 'id' | 'warnings' | 'warning_codes'>

const PATH = '/admin/api/policies'

export const policiesApi = {
  all: () => get<{ policies: Policy[] }>(PATH),
  create: (policy: PolicyChange) => post<{ policy: Policy }>(PATH, policy),
  change: (id: number, change: Partial<PolicyChange>) => put<{ policy: Policy }>(`${PATH}/${id}`, change),
  remove: (id: number) => del(`${PATH}/${id}`),
  versions: (id: number) => get<{ versions: PolicyVersion[] }>(`${PATH}/${id}/versions`),
  rollBack: (id: number, version: number) => post<{ policy: Policy }>(`${PATH}/${id}/rollback`, { version }),
  preview: (user_id: number) =>
    get<{ policies: string[]; settings: Policy['settings'] | null }>(`${PATH}-preview`, { user_id }),
}

/** Invitations that were made. */
import type { InvitationView } from '../../../../functions/invitations.ts'
import { del, get, type Query } from './client.ts'

export type Invitation = InvitationView
export const INVITATION_STATUSES = [
  'pending',
  'accepted',
  'expired',
  'revoked',
] as const satisfies readonly Invitation['status'][]

export const invitationsApi = {
  find: (query: Query) => get<{ invitations: Invitation[]; total: number }>('/admin/api/invitations', query),
  revoke: (id: number) => del(`/admin/api/invitations/${id}`),
}

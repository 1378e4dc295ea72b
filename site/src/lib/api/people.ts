/** Routes about one person, as administrators see them. */
import type { IdentityView } from '../../../../functions/identities.ts'
import type { LeavingKeyView, LeavingView } from '../../../../functions/leaving.ts'
import type { PersonGroup, PersonLimits, SessionView, SignInsView } from '../../../../functions/people.ts'
import { del, get, post } from './client.ts'

export type OpenSession = SessionView
export type LeavingKey = LeavingKeyView
export type Identity = IdentityView
export type PersonCap = PersonLimits['caps'][number]

const pathOf = (id: number) => `/admin/api/users/${id}`

export const peopleApi = {
  signIns: (id: number) => get<SignInsView>(`${pathOf(id)}/sign-ins`),
  limits: (id: number) => get<PersonLimits>(`${pathOf(id)}/limits`),
  groups: (id: number) => get<{ groups: PersonGroup[] }>(`${pathOf(id)}/groups`),
  leaving: (id: number) => get<LeavingView>(`${pathOf(id)}/leaving`),
  signOut: (id: number) => del(`${pathOf(id)}/sessions`),
  revive: (id: number) => post(`${pathOf(id)}/revive`),
  release: (id: number) => post(`${pathOf(id)}/release`),
  erase: (id: number, itcode: string) => post(`${pathOf(id)}/erase`, { itcode }),
  identities: (id: number) => get<{ identities: Identity[] }>(`${pathOf(id)}/identities`),
  join: (id: number, identity: Pick<Identity, 'issuer' | 'subject'>) =>
    post<{ identities: Identity[] }>(`${pathOf(id)}/identities`, identity),
  part: (id: number, identity: number) =>
    del<{ identities: Identity[] }>(`${pathOf(id)}/identities/${identity}`),
  endSession: (id: number, session: string) => del(`${pathOf(id)}/sessions/${encodeURIComponent(session)}`),
}

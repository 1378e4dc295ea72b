/** Routes for which events people are told of by mail, and where. */
import type { NoticeAddressView } from '../../../../functions/notice-address.ts'
import type { PreferencesView } from '../../../../functions/notices.ts'
import { del, get, post, put } from './client.ts'

export type Preferences = PreferencesView
export type Preference = Preferences['preferences'][number]
/** null = as administrators chose. */
export type Choice = Pick<Preference, 'event'> & { wanted: boolean | null }

const choices = (path: string) => ({
  read: () => get<Preferences>(path),
  choose: (choice: Choice) => put<Preferences>(path, { preferences: [choice] }),
})
/** Of oneself. */
export const ownNotices = choices('/api/notices/preferences')
/** Of all who did not choose. */
export const defaultNotices = choices('/admin/api/notices/preferences')
/** Where one's own notices go. */
export const addressApi = {
  read: () => get<NoticeAddressView>('/api/notices/address'),
  /** Mails a code there. */
  ask: (email: string) => post('/api/notices/address', { email }),
  confirm: (email: string, code: string) => put<NoticeAddressView>('/api/notices/address', { email, code }),
  forget: () => del<NoticeAddressView>('/api/notices/address'),
}

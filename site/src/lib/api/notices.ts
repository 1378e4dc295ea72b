/** Routes for which events people are told of by mail. */
import type { PreferencesView } from '../../../../functions/notices.ts'
import { get, put } from './client.ts'

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

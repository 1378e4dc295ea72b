/** What pickers of administrators search in. */
import type { Query } from './api/client.ts'
import { api, type CountedGroup } from './api/index.ts'
import { keysApi } from './api/keys.ts'
import { t } from './i18n/index.svelte.ts'
import type { Option } from './ui/recent.ts'

const MOST = 20

export const findPeople = (q: string) => findUsers({ q })
export const findServiceAccounts = (q: string) => findUsers({ q, kind: 'service', status: 'active' })

async function findUsers(query: Query): Promise<Option[]> {
  const { users } = await api.users({ ...query, page_size: MOST })
  return users.map(({ id, itcode, name }) => ({
    value: String(id),
    label: itcode,
    ...(name === itcode ? {} : { detail: name }),
  }))
}
export const nameOfPerson = async (id: string) => (await api.user(Number(id))).user.itcode

/** Everybody's, or those of one person. */
export async function findKeys(q: string, user: string): Promise<Option[]> {
  const { keys } = await keysApi.find({ q, user_id: user, page: 1, page_size: MOST })
  return keys.map(({ id, name, itcode }) => ({ value: String(id), label: name, detail: itcode }))
}

/** Whose members are set here. */
export const findGroups = (q: string) => groupsWith(q, ({ source }) => source === 'direct')
/** To which calls can be booked. */
export const findBillingGroups = (q: string) => groupsWith(q, ({ bills }) => bills)

async function groupsWith(q: string, wanted: (group: CountedGroup) => boolean): Promise<Option[]> {
  const { groups } = await api.groups()
  const text = q.toLowerCase()
  return groups
    .filter((group) => group.id > 0 && wanted(group) && group.name.toLowerCase().includes(text))
    .map(({ id, name }) => ({ value: String(id), label: name }))
}
export async function nameOfGroup(id: string): Promise<string> {
  const { groups } = await api.groups()
  const found = groups.find((group) => String(group.id) === id)
  return found?.name ?? (id === '0' ? t('explore.no_group') : `#${id}`)
}

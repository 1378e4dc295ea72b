/** What pickers of administrators search in. */
import { api } from './api/index.ts'
import { keysApi } from './api/keys.ts'
import type { Option } from './ui/recent.ts'

const MOST = 20

export async function findPeople(q: string): Promise<Option[]> {
  const { users } = await api.users({ q, page_size: MOST })
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

export async function findGroups(q: string): Promise<Option[]> {
  const { groups } = await api.groups()
  const text = q.toLowerCase()
  return groups
    .filter(({ id, name, source }) => id > 0 && source === 'direct' && name.toLowerCase().includes(text))
    .map(({ id, name }) => ({ value: String(id), label: name }))
}

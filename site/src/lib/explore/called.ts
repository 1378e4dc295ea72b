/** What something that calls are told apart by is called. */
import { api } from '../api/index.ts'
import { ownKeys } from '../api/kept-keys.ts'
import { keysApi } from '../api/keys.ts'
import { dayAfter } from '../days.ts'
import { localDay } from '../format.ts'
import { session } from '../session.svelte.ts'
import { nameOf } from './picture.ts'
import { type Cut, callsOf, FILTERS, scopeOf, type Whose } from './question.ts'

/** As far back as one report goes, in days. */
const MOST_DAYS = 3_660

/** As reports call a key. One that never called is in none, and one that was deleted is in them alone. */
export async function nameOfKey(whose: Whose, id: string): Promise<string> {
  const kept = await keptKeys(whose, id)
  const found = kept.find((key) => String(key.id) === id)
  return found ? `${found.name} (${found.itcode})` : nameByCalls(whose, 'key', id)
}

/** Those that the reader may list, this one among them if it is there. */
async function keptKeys(whose: Whose, id: string): Promise<{ id: number; name: string; itcode: string }[]> {
  if (whose === 'all') return session.may('auditor') ? (await keysApi.find({ key_id: id })).keys : []
  if (whose === 'led') return []
  const itcode = session.user?.itcode ?? ''
  return (await ownKeys.list()).keys.map((key) => ({ ...key, itcode }))
}

/**
 * Asked of the reports, because readers who may list no people, groups or keys see them there, too, and also what was deleted.
 * Whose calls nobody can see has a number alone.
 */
export async function nameByCalls(whose: Whose, by: Cut, id: string): Promise<string> {
  const to = localDay(new Date())
  const calls = callsOf({ whose, filters: { [FILTERS[by]]: id }, from: dayAfter(to, 1 - MOST_DAYS), to })
  const { rows } = await api.report(scopeOf({ whose }), { ...calls, group_by: by, page_size: 1 })
  return rows[0] ? nameOf(rows[0], by) : `#${id}`
}

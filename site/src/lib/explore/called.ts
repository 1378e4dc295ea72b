/** What something that calls are told apart by is called, asked of the reports: readers who may list no people, groups or keys see them there, too. */
import { api } from '../api/index.ts'
import { dayAfter } from '../days.ts'
import { localDay } from '../format.ts'
import { nameOf } from './picture.ts'
import { type Cut, callsOf, FILTERS, scopeOf, type Whose } from './question.ts'

/** As far back as one report goes, in days. */
const MOST_DAYS = 3_660

/** Also of what was deleted. Whose calls nobody can see has a number alone. */
export async function nameByCalls(whose: Whose, by: Cut, id: string): Promise<string> {
  const to = localDay(new Date())
  const calls = callsOf({ whose, filters: { [FILTERS[by]]: id }, from: dayAfter(to, 1 - MOST_DAYS), to })
  const { rows } = await api.report(scopeOf({ whose }), { ...calls, group_by: by, page_size: 1 })
  return rows[0] ? nameOf(rows[0], by) : `#${id}`
}

/** The list of groups, which is searched, sorted and paged here, because a company has few and reports need them all. */
import type { SpendLimit } from '../api/groups.ts'
import type { CountedGroup } from '../api/index.ts'
import type { ListView } from '../list-view.svelte.ts'

export interface ListedGroup extends CountedGroup {
  /** The name of the group that it is below. */
  parent: string | undefined
  /** Limits of a month. */
  pool: SpendLimit | undefined
  each: SpendLimit | undefined
  /** US dollars of the last thirty days. */
  cost: number
}

export function partOf(
  groups: readonly ListedGroup[],
  { q, sort, order, page, size }: Pick<ListView, 'q' | 'sort' | 'order' | 'page' | 'size'>,
): { rows: ListedGroup[]; total: number } {
  const wanted = q.trim().toLowerCase()
  const found = groups.filter(({ name, parent }) => `${name}\n${parent ?? ''}`.toLowerCase().includes(wanted))
  const sign = order === 'asc' ? 1 : -1
  const sorted = found.toSorted((a, b) => sign * compared(a, b, sort) || byName(a, b))
  return { rows: sorted.slice((page - 1) * size, page * size), total: found.length }
}

function compared(a: ListedGroup, b: ListedGroup, by: string): number {
  if (by === 'members') return a.members - b.members
  return by === 'cost' ? a.cost - b.cost : byName(a, b)
}

/** The tenth department comes after the second. */
function byName(a: ListedGroup, b: ListedGroup): number {
  return a.name.localeCompare(b.name, undefined, { numeric: true })
}

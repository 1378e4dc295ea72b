/** Columns of a list, and which of them a person does not want to see, in this browser. */
import type { Snippet } from 'svelte'

export interface Column<R> {
  title: string
  /** What the API calls the order by this column. */
  sort?: string
  isNumber?: boolean
  cell: Snippet<[R]>
}

const placeOf = (path: string) => `columns:${path}`

/** Numbers of columns; the first is always there. */
export function hiddenColumns(path: string): number[] {
  const stored = localStorage.getItem(placeOf(path)) ?? ''
  return stored
    .split(',')
    .map(Number)
    .filter((at) => Number.isInteger(at) && at > 0)
}

export function keepHidden(path: string, hidden: Iterable<number>) {
  localStorage.setItem(placeOf(path), [...hidden].join())
}

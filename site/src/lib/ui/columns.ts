/** Columns of a list, and which of them a person does not want to see, in this browser. */
import type { Snippet } from 'svelte'

export interface Column<R> {
  /** What it is remembered by; one of its list has it. */
  name: string
  title: string
  /** What the API calls the order by this column. */
  sort?: string
  isNumber?: boolean
  cell: Snippet<[R]>
}

const placeOf = (path: string) => `columns:${path}`

/** Names of columns. */
export function hiddenColumns(path: string): string[] {
  return (localStorage.getItem(placeOf(path)) ?? '').split(',')
}

export function keepHidden(path: string, hidden: Iterable<string>) {
  localStorage.setItem(placeOf(path), [...hidden].join())
}

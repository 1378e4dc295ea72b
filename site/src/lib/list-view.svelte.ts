/** What of a list is looked at: search, filters, order and page, kept in the address so that it can be shared and gone back to. */
import { page } from '$app/state'
import { goWith } from './address.ts'

interface Order {
  sort: string
  order: 'asc' | 'desc'
}
export const PAGE_SIZES = [25, 50, 100, 200] as const

export class ListView {
  #filters: readonly string[]
  #usual: Order

  /** `usual`: the order of a list that nobody sorted. */
  constructor(filters: readonly string[], usual: Order) {
    this.#filters = filters
    this.#usual = usual
  }
  get q() {
    return this.#text('q')
  }
  get sort() {
    return this.#text('sort') || this.#usual.sort
  }
  get order() {
    const order = this.#text('order')
    return order === 'asc' || order === 'desc' ? order : this.#usual.order
  }
  get page() {
    return Math.max(1, Number.parseInt(this.#text('page'), 10) || 1)
  }
  get size() {
    return PAGE_SIZES.find((size) => String(size) === this.#text('size')) ?? 25
  }
  filter(name: string) {
    return this.#text(name)
  }
  /** In the words of the lists of the API. */
  get query() {
    const { q, sort, order, page, size } = this
    return { ...this.#chosen(), q, sort, order, page, page_size: size }
  }
  /** Another search, filter or order begins at the first page. */
  set(change: Readonly<Record<string, string | number>>, how?: { replace: boolean }) {
    const { q, sort, order, size } = this
    const next: Record<string, string | number> = {
      ...this.#chosen(),
      q,
      sort,
      order,
      size,
      page: 1,
      ...change,
    }
    const isUsual = next.sort === this.#usual.sort && next.order === this.#usual.order
    return goWith(
      {
        ...next,
        ...(isUsual ? { sort: '', order: '' } : {}),
        size: next.size === 25 ? '' : (next.size ?? ''),
      },
      how,
    )
  }
  /** A column that is sorted by already turns round; figures begin with the highest. */
  sortBy(sort: string, isNumber: boolean) {
    const order = this.sort === sort ? (this.order === 'asc' ? 'desc' : 'asc') : isNumber ? 'desc' : 'asc'
    return this.set({ sort, order })
  }
  #chosen(): Record<string, string> {
    return Object.fromEntries(this.#filters.map((name) => [name, this.#text(name)]))
  }
  #text(name: string) {
    return page.url.searchParams.get(name) ?? ''
  }
}

/** Months as statements name them: YYYY-MM. */
import { monthAt } from '../days.ts'
import { i18n } from '../i18n/index.svelte.ts'

const parts = (month: string) => month.split('-').map(Number)

/** The month that lies `by` months after this one. */
export function monthAfter(month: string, by: number): string {
  const [year = 0, number = 1] = parts(month)
  return new Date(Date.UTC(year, number - 1 + by)).toISOString().slice(0, 7)
}

/** The last date (YYYY-MM-DD). */
export function lastOf(month: string): string {
  const [year = 0, number = 1] = parts(month)
  return new Date(Date.UTC(year, number, 0)).toISOString().slice(0, 10)
}

/** The month in words. */
export function monthName(month: string): string {
  const [year = 0, number = 1] = parts(month)
  return new Intl.DateTimeFormat(i18n.locale, { month: 'long', year: 'numeric' }).format(
    new Date(year, number - 1, 15),
  )
}

/** Where the statements' months begin, once one of them told it; until then it is the reader's zone. */
let zone = $state<string>()

export function tellZone(timeZone: string): void {
  zone = timeZone
}

/** The month that an address asks for; by default this one. */
export function monthFrom(parameters: Pick<URLSearchParams, 'get'>): string {
  const asked = parameters.get('month') ?? ''
  return /^20\d\d-(0[1-9]|1[0-2])$/.test(asked) ? asked : thisMonth()
}

export function thisMonth(): string {
  return monthAt(Date.now(), zone)
}

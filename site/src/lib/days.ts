/** Dates (YYYY-MM-DD) by the calendar alone, because a day at a change of the clocks does not have 24 hours. */

/** Whether text is a date; also false for the years that a field has while one is being typed: 0002, 0020, 0202. */
export function isDate(text: string): boolean {
  return /^2\d{3}-\d\d-\d\d$/.test(text) && Number.isFinite(Date.parse(text)) && dayAfter(text, 0) === text
}

/** The date that lies `by` days after this one. */
export function dayAfter(date: string, by: number): string {
  const at = new Date(`${date}T00:00:00Z`)
  at.setUTCDate(at.getUTCDate() + by)
  return at.toISOString().slice(0, 10)
}

/** All dates from the first to the last, which is one of them. */
export function daysBetween(first: string, last: string): string[] {
  const dates = []
  for (let date = first; date <= last; date = dayAfter(date, 1)) dates.push(date)
  return dates
}

/** The month (YYYY-MM) at a moment (ms since 1970) in a time zone; undefined: the reader's. */
export function monthAt(at: number, timeZone?: string): string {
  const parts = new Intl.DateTimeFormat('en-US-u-ca-gregory-nu-latn', {
    timeZone,
    year: 'numeric',
    month: '2-digit',
  }).formatToParts(at)
  const of = (name: string) => parts.find(({ type }) => type === name)?.value ?? ''
  return `${of('year')}-${of('month')}`
}

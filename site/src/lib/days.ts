/** Dates (YYYY-MM-DD) by the calendar alone, because a day at a change of the clocks does not have 24 hours. */

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

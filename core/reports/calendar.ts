/** Days of a time zone as spans of UTC time, right through its clock changes: a day may have 23 or 25 hours. */
import { DAY_MS } from '../units.ts'

export interface Calendar {
  /** The local date (YYYY-MM-DD) at a moment. */
  dateAt(ms: number): string
  /** The first moment of a local date, ms. Where clocks skip midnight it is not 00:00. */
  startOf(date: string): number
}

/** Whether an IANA time zone of this name is known. Offsets such as +08:00 are none. */
export function isTimeZone(name: string): boolean {
  if (!/^[A-Za-z][\w+/-]{0,63}$/.test(name)) return false
  try {
    return new Intl.DateTimeFormat('en', { timeZone: name }).resolvedOptions().timeZone !== ''
  } catch {
    return false
  }
}

/** The calendar of a known time zone. */
export function createCalendar(timeZone: string): Calendar {
  const format = new Intl.DateTimeFormat('en-US', {
    timeZone,
    calendar: 'gregory',
    numberingSystem: 'latn',
    hourCycle: 'h23',
    year: 'numeric',
    month: 'numeric',
    day: 'numeric',
    hour: 'numeric',
    minute: 'numeric',
    second: 'numeric',
  })
  /** What the clocks on the wall show at `ms`, as if it were UTC. */
  function wallAt(ms: number): number {
    const parts: Record<string, number> = {}
    for (const { type, value } of format.formatToParts(ms)) parts[type] = Number(value)
    const { year = 0, month = 1, day = 1, hour = 0, minute = 0, second = 0 } = parts
    return Date.UTC(year, month - 1, day, hour, minute, second)
  }
  return {
    dateAt: (ms) => dateText(wallAt(ms)),
    startOf(date) {
      const midnight = Date.parse(date)
      // The clocks differ from UTC by what they do a day before, or a day after if they change in between. The earliest
      // moment at which they show this date is its start.
      const candidates = [-DAY_MS, DAY_MS].map(
        (step) => midnight - (wallAt(midnight + step) - midnight - step),
      )
      const [first = midnight] = candidates.filter((ms) => wallAt(ms) >= midnight).sort((a, b) => a - b)
      return first
    },
  }
}

/** The date so many days later. */
export function addDays(date: string, days: number): string {
  return dateText(Date.parse(date) + days * DAY_MS)
}

/** How many days there are from one date to another. */
export function daysBetween(from: string, to: string): number {
  return (Date.parse(to) - Date.parse(from)) / DAY_MS
}

function dateText(ms: number): string {
  return new Date(ms).toISOString().slice(0, 10)
}

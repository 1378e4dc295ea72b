/** Days of a time zone as ranges of UTC time. Clock changes are respected: a day may have 23 or 25 hours. */
import { DAY_MS, HOUR_MS } from './units.ts'

export interface Calendar {
  /** The local date (YYYY-MM-DD) at a moment. */
  dateAt(ms: number): string
  /** The first moment (ms since 1970) of a local date; not 00:00 where a clock change skips midnight. */
  startOf(date: string): number
  /** The local hour of the week at a moment: 0 is the hour after the midnight that begins a Monday, 167 the last of a Sunday. */
  hourOfWeek(ms: number): number
}

/** Whether `name` is a known IANA time zone. Offsets such as +08:00 are not. */
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
  const wallAt = timeZone === 'UTC' ? (ms: number) => ms : wallOf(timeZone)
  return {
    dateAt: (ms) => dateText(wallAt(ms)),
    // 1970-01-05 was a Monday.
    hourOfWeek: (ms) => (Math.floor(wallAt(ms) / HOUR_MS) + 3 * 24) % 168,
    startOf(date) {
      const midnight = Date.parse(date)
      // The zone's offset is that of a day before or, after a clock change, of a day later. The day starts at the earlier
      // of both candidates at which clocks show this date.
      const candidates = [-DAY_MS, DAY_MS].map(
        (step) => midnight - (wallAt(midnight + step) - midnight - step),
      )
      const [first = midnight] = candidates.filter((ms) => wallAt(ms) >= midnight).sort((a, b) => a - b)
      return first
    },
  }
}

/**
 * Tells the local date and time at a moment, encoded as if they were UTC (ms since 1970), to a second. Not for UTC, because the
 * data of zones takes 20 ms to load and nothing else at the start of a process needs it.
 */
function wallOf(timeZone: string): (ms: number) => number {
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
  return (ms) => {
    const parts: Record<string, number> = {}
    for (const { type, value } of format.formatToParts(ms)) parts[type] = Number(value)
    const { year = 0, month = 1, day = 1, hour = 0, minute = 0, second = 0 } = parts
    return Date.UTC(year, month - 1, day, hour, minute, second)
  }
}

/** The date `days` days after `date`. */
export function addDays(date: string, days: number): string {
  return dateText(Date.parse(date) + days * DAY_MS)
}

/** Days from one date to another; 0 for the same. */
export function daysBetween(from: string, to: string): number {
  return (Date.parse(to) - Date.parse(from)) / DAY_MS
}

function dateText(ms: number): string {
  return new Date(ms).toISOString().slice(0, 10)
}

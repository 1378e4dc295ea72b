import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { createCalendar, isTimeZone } from '../../core/calendar.ts'
import { daySpans, hoursOf, lastDays, rangeOf } from '../../core/reports/range.ts'

const HOUR_MS = 3_600_000
const at = (text: string) => Date.parse(text)
const NOW = at('2026-11-23T12:34:56Z')
const dates = (startDate?: string, endDate?: string, timeZone = 'UTC') => ({ startDate, endDate, timeZone })

describe('a calendar', () => {
  test.each([
    ['UTC', '2026-11-23', '2026-11-23T00:00Z', 24],
    ['Asia/Shanghai', '2026-11-23', '2026-11-22T16:00Z', 24],
    ['Asia/Kolkata', '2026-11-23', '2026-11-22T18:30Z', 24],
    ['Asia/Kathmandu', '2026-11-23', '2026-11-22T18:15Z', 24],
    ['Pacific/Chatham', '2026-11-23', '2026-11-22T10:15Z', 24],
    ['Pacific/Kiritimati', '2026-11-23', '2026-11-22T10:00Z', 24],
    ['Pacific/Pago_Pago', '2026-11-23', '2026-11-23T11:00Z', 24],
    ['Europe/Berlin, clocks forward', '2026-03-29', '2026-03-28T23:00Z', 23],
    ['Europe/Berlin, clocks back', '2026-10-25', '2026-10-24T22:00Z', 25],
    ['America/New_York, clocks forward', '2026-03-08', '2026-03-08T05:00Z', 23],
    ['America/New_York, clocks back', '2026-11-01', '2026-11-01T04:00Z', 25],
    ['Australia/Lord_Howe, half an hour back', '2026-04-05', '2026-04-04T13:00Z', 24.5],
    // Midnight is skipped: the day begins at 01:00.
    ['Asia/Beirut, clocks forward at midnight', '2026-03-29', '2026-03-28T22:00Z', 23],
    ['America/Santiago, clocks forward at midnight', '2026-09-06', '2026-09-06T04:00Z', 23],
    // 00:00 comes twice: the day begins with the first.
    ['America/Havana, clocks back to midnight', '2026-11-01', '2026-11-01T04:00Z', 25],
    // 24:00 goes back to 23:00: the evening before has the hour.
    ['Asia/Beirut, clocks back at midnight', '2026-10-25', '2026-10-24T22:00Z', 24],
    ['America/Santiago, clocks back at midnight', '2026-04-04', '2026-04-04T03:00Z', 25],
  ])('of %s has %s begin at %s and last %d hours', (name, date, start, hours) => {
    const calendar = createCalendar(name.split(',')[0] ?? '')
    const next = new Date(at(date) + 86_400_000).toISOString().slice(0, 10)
    expect(new Date(calendar.startOf(date)).toISOString()).toBe(new Date(at(start)).toISOString())
    expect((calendar.startOf(next) - calendar.startOf(date)) / HOUR_MS).toBe(hours)
    expect([
      calendar.dateAt(calendar.startOf(date) - 1) < date,
      calendar.dateAt(calendar.startOf(date)),
    ]).toEqual([true, date])
  })

  test('puts every moment into the day that its clocks show, in all zones, on quarters of an hour', () => {
    const zones = Intl.supportedValuesOf('timeZone')
    const from = at('2024-01-01T00:00Z')
    const moment = fc.integer({ min: 0, max: 4 * 366 * 24 * 60 }).map((minutes) => from + minutes * 60_000)
    fc.assert(
      fc.property(fc.constantFrom(...zones), moment, (zone, ms) => {
        const calendar = createCalendar(zone)
        const shown = new Date(ms).toLocaleDateString('sv-SE', { timeZone: zone })
        expect(calendar.dateAt(ms)).toBe(shown)
        const start = calendar.startOf(shown)
        expect([start <= ms, start % 900_000, calendar.dateAt(start)]).toEqual([true, 0, shown])
      }),
      { numRuns: 2_000 },
    )
  })

  test.each(['UTC', 'asia/kolkata', 'Etc/GMT+8', 'America/Argentina/Buenos_Aires'])('knows %s', (name) => {
    expect(isTimeZone(name)).toBe(true)
  })
  test.each(['', '+08:00', '+0800', 'Mars/Base', 'UTC\0', 'local', '../UTC', 'x'.repeat(80), '%'])(
    'does not know %j',
    (name) => {
      expect(isTimeZone(name)).toBe(false)
    },
  )
})

describe('the days of a chart', () => {
  test('are the last 30 without dates, in their own zone', () => {
    const utc = daySpans(dates(), NOW)
    expect([utc.length, utc[0]?.label, utc.at(-1)?.label]).toEqual([30, '2026-10-25', '2026-11-23'])
    const tokyo = daySpans(dates(undefined, undefined, 'Asia/Tokyo'), at('2026-11-23T15:00Z'))
    expect(tokyo.at(-1)).toEqual({
      label: '2026-11-24',
      from: at('2026-11-23T15:00Z'),
      to: at('2026-11-24T15:00Z'),
    })
  })

  test('run from a start to today, and end where they are told', () => {
    const labels = (start?: string, end?: string) =>
      daySpans(dates(start, end), NOW).map(({ label }) => label)
    expect(labels('2026-11-21')).toEqual(['2026-11-21', '2026-11-22', '2026-11-23'])
    expect(labels('2027-01-05')).toEqual(['2027-01-05'])
    expect(labels(undefined, '2026-02-28')).toHaveLength(30)
    expect(labels('2024-02-28', '2024-03-01')).toEqual(['2024-02-28', '2024-02-29', '2024-03-01'])
  })

  test('follow one another without a gap, however the clocks change', () => {
    fc.assert(
      fc.property(fc.constantFrom(...Intl.supportedValuesOf('timeZone')), (zone) => {
        const days = daySpans(dates('2026-01-01', '2026-12-31', zone), NOW)
        expect(days).toHaveLength(365)
        for (const [i, day] of days.entries()) expect(day.to).toBe(days[i + 1]?.from ?? day.to)
        expect(days.every(({ from, to }) => to - from >= 22 * HOUR_MS && to - from <= 26 * HOUR_MS)).toBe(
          true,
        )
      }),
      { numRuns: 60 },
    )
  })

  test.each([
    [dates('2026-11-23', '2026-11-22'), 'end_date'],
    [dates('2025-11-21', '2026-11-22'), 'start_date'],
    [dates('2025-11-21'), 'start_date'],
  ])('%j are refused by the name of the field', (asked, field) => {
    expect(() => daySpans(asked, NOW)).toThrow(
      expect.objectContaining({ code: 'invalid_input', fields: { [field]: expect.any(String) } }),
    )
  })

  test('may be 366', () => {
    expect(daySpans(dates('2025-11-22', '2026-11-22'), NOW)).toHaveLength(366)
  })
})

describe('ranges', () => {
  test('of hours are the last 24, or the local day of one date', () => {
    expect(hoursOf(dates(), NOW)).toEqual({ from: at('2026-11-22T13:00Z'), to: at('2026-11-23T13:00Z') })
    const day = { from: at('2026-10-24T22:00Z'), to: at('2026-10-25T23:00Z') }
    expect(hoursOf(dates('2026-10-25', undefined, 'Europe/Berlin'), NOW)).toEqual(day)
    expect(hoursOf(dates(undefined, '2026-10-25', 'Europe/Berlin'), NOW)).toEqual(day)
    expect(() => hoursOf(dates('2026-10-01', '2026-11-01'), NOW)).toThrow('start_date')
  })

  test('are open on the side without a date', () => {
    expect(rangeOf(dates()).from).toBe(0)
    expect(rangeOf(dates('2026-11-23')).to).toBeGreaterThan(at('9999-01-01'))
    expect(rangeOf(dates(undefined, '2026-11-23')).to).toBe(at('2026-11-24'))
    expect(() => rangeOf(dates('2000-01-01', '2026-01-01'))).toThrow('start_date')
  })

  test('of the last days end with today', () => {
    const day = { from: at('2026-11-22T16:00Z'), to: at('2026-11-23T16:00Z') }
    expect(lastDays(1, 'Asia/Shanghai', NOW)).toEqual(day)
  })
})

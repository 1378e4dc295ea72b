import { describe, expect, test } from 'vitest'
import { createPeriods } from '../../../core/limits/period.ts'
import type { Period } from '../../../core/settings.ts'
import { DAY_MS } from '../../../core/units.ts'

const at = (text: string) => Date.parse(text)

describe('the period that holds a moment', () => {
  const UTC = createPeriods('UTC')

  test.each([
    ['daily', '2026-11-25T00:00:00.000Z', '2026-11-25', '2026-11-26'],
    ['daily', '2026-11-25T23:59:59.999Z', '2026-11-25', '2026-11-26'],
    // Weeks begin on Monday; this one has two years.
    ['weekly', '2026-12-31T12:00:00Z', '2026-12-28', '2027-01-04'],
    ['weekly', '2027-01-03T23:59:59.999Z', '2026-12-28', '2027-01-04'],
    ['weekly', '2027-01-04T00:00:00Z', '2027-01-04', '2027-01-11'],
    ['monthly', '2026-12-31T23:59:59.999Z', '2026-12-01', '2027-01-01'],
    ['monthly', '2028-02-29T00:00:00Z', '2028-02-01', '2028-03-01'],
  ] as const)('%s at %s is from %s to %s', (period, moment, start, end) => {
    expect(UTC.spanOf(period, at(moment))).toEqual({ start: at(start), end: at(end) })
  })

  test('before 1970 is as regular', () => {
    expect(UTC.spanOf('daily', -1)).toEqual({ start: at('1969-12-31'), end: 0 })
    expect(UTC.spanOf('weekly', 0)).toEqual({ start: at('1969-12-29'), end: at('1970-01-05') })
  })

  test.each(['daily', 'weekly', 'monthly'] as const)('%s: each ms belongs to exactly one', (period) => {
    let span = UTC.spanOf(period, Date.UTC(2024, 1, 27))
    for (let i = 0; i < 60; i++) {
      expect(UTC.spanOf(period, span.end - 1)).toEqual(span)
      const next = UTC.spanOf(period, span.end)
      expect(next.start).toBe(span.end)
      expect(next.start % DAY_MS).toBe(0)
      span = next
    }
  })

  test('of all time never ends', () => {
    expect(UTC.spanOf('total', at('2026-11-25'))).toEqual({ start: 0, end: Number.MAX_SAFE_INTEGER })
  })
})

describe('periods of a time zone', () => {
  const iso = (ms: number) => new Date(ms).toISOString().slice(0, 16)
  const spanOf = (zone: string, period: Period, at: string) => {
    const { start, end } = createPeriods(zone).spanOf(period, Date.parse(at))
    return [iso(start), iso(end)]
  }
  const berlin = (period: Period, at: string) => spanOf('Europe/Berlin', period, at)

  test('has a day of 23 hours when clocks go forward, and one of 25 when they go back', () => {
    expect(berlin('daily', '2026-03-29T10:00Z')).toEqual(['2026-03-28T23:00', '2026-03-29T22:00'])
    expect(berlin('daily', '2026-10-25T10:00Z')).toEqual(['2026-10-24T22:00', '2026-10-25T23:00'])
    expect(berlin('monthly', '2026-10-25T10:00Z')).toEqual(['2026-09-30T22:00', '2026-10-31T23:00'])
  })
  test('begins a day at a quarter past in Kathmandu', () => {
    expect(spanOf('Asia/Kathmandu', 'daily', '2026-11-25T18:14:59Z')[0]).toBe('2026-11-24T18:15')
    expect(spanOf('Asia/Kathmandu', 'daily', '2026-11-25T18:15:00Z')[0]).toBe('2026-11-25T18:15')
  })
  test('has one week over New Year, from Monday', () => {
    const week = ['2026-12-27T23:00', '2027-01-03T23:00']
    expect(berlin('weekly', '2026-12-31T22:59Z')).toEqual(week)
    expect(berlin('weekly', '2027-01-01T12:00Z')).toEqual(week)
    expect(berlin('monthly', '2026-12-31T22:59Z')).toEqual(['2026-11-30T23:00', '2026-12-31T23:00'])
  })
  test('never ends in total', () => {
    expect(createPeriods('Asia/Tokyo').spanOf('total', 5)).toEqual({ start: 0, end: Number.MAX_SAFE_INTEGER })
  })
  test('goes back to an earlier period when the clock does', () => {
    const periods = createPeriods('America/New_York')
    const later = periods.startsAt(Date.parse('2026-11-26T12:00Z'))
    const earlier = periods.startsAt(Date.parse('2026-11-25T12:00Z'))
    expect(later.map(iso)).toEqual(['2026-11-26T05:00', '2026-11-23T05:00', '2026-11-01T04:00'])
    expect(earlier.map(iso)).toEqual(['2026-11-25T05:00', '2026-11-23T05:00', '2026-11-01T04:00'])
  })
})

import { describe, expect, test } from 'vitest'
import { periodOf } from '../../../core/limits/period.ts'
import { DAY_MS } from '../../../core/units.ts'

const at = (text: string) => Date.parse(text)

describe('the period that holds a moment', () => {
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
    expect(periodOf(period, at(moment))).toEqual({ start: at(start), end: at(end) })
  })

  test('before 1970 is as regular', () => {
    expect(periodOf('daily', -1)).toEqual({ start: at('1969-12-31'), end: 0 })
    expect(periodOf('weekly', 0)).toEqual({ start: at('1969-12-29'), end: at('1970-01-05') })
  })

  test.each(['daily', 'weekly', 'monthly'] as const)('%s: each ms belongs to exactly one', (period) => {
    let span = periodOf(period, Date.UTC(2024, 1, 27))
    for (let i = 0; i < 60; i++) {
      expect(periodOf(period, span.end - 1)).toEqual(span)
      const next = periodOf(period, span.end)
      expect(next.start).toBe(span.end)
      expect(next.start % DAY_MS).toBe(0)
      span = next
    }
  })

  test('of all time never ends', () => {
    expect(periodOf('total', at('2026-11-25'))).toEqual({ start: 0, end: Number.MAX_SAFE_INTEGER })
  })
})

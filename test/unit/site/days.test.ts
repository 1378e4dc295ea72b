import { describe, expect, test } from 'vitest'
import { dayAfter, daysBetween, isDate, monthAt } from '../../../site/src/lib/days.ts'

describe('days of the calendar', () => {
  test('are one each where clocks change, in leap years and at the turn of a year', () => {
    expect(daysBetween('2026-03-28', '2026-03-30')).toEqual(['2026-03-28', '2026-03-29', '2026-03-30'])
    expect(daysBetween('2026-10-24', '2026-11-02')).toHaveLength(10)
    expect(daysBetween('2028-02-28', '2028-03-01')).toEqual(['2028-02-28', '2028-02-29', '2028-03-01'])
    expect(dayAfter('2026-12-31', 1)).toBe('2027-01-01')
  })
  test('that came before are counted back, the last one among them', () => {
    expect(daysBetween(dayAfter('2026-11-02', -29), '2026-11-02')).toHaveLength(30)
    expect(dayAfter('2027-01-01', -1)).toBe('2026-12-31')
  })
  test('are dates where the calendar has them and nobody is still typing the year', () => {
    expect(['2026-11-02', '2028-02-29'].filter(isDate)).toHaveLength(2)
    expect(['', '2026-02-31', '2026-13-01', '9999-99-99', '0002-11-02', '0202-11-02'].filter(isDate)).toEqual(
      [],
    )
  })
  test('of a span that ends before it begins are none', () => {
    expect(daysBetween('2026-11-02', '2026-11-01')).toEqual([])
  })
  test('lie in the month that the clocks of a zone show', () => {
    const at = Date.UTC(2027, 0, 1, 3)
    const zones = ['America/New_York', 'UTC', 'Asia/Shanghai', 'Pacific/Kiritimati']
    expect(zones.map((zone) => monthAt(at, zone))).toEqual(['2026-12', '2027-01', '2027-01', '2027-01'])
    expect(monthAt(Date.UTC(2026, 10, 30, 16), 'Asia/Shanghai')).toBe('2026-12')
  })
})

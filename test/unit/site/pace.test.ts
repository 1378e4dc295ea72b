import { describe, expect, test } from 'vitest'
import { paceOf } from '../../../site/src/lib/charts/pace.ts'

const costs = (...daily: number[]) =>
  new Map(daily.map((usd, i) => [`2026-11-${String(i + 1).padStart(2, '0')}`, usd]))

describe('the pace of a month', () => {
  test('adds up to each day that has begun, also those without calls', () => {
    expect(paceOf(costs(1, 0, 2), '2026-11-04')).toMatchObject({ sums: [1, 1, 3, 3], days: 30 })
  })
  test('goes on as the last seven full days did, and today at least to a usual day', () => {
    const daily = [100, 1, 1, 1, 1, 1, 1, 1, 0.25]
    // 107.25 so far, 0.75 for the rest of the 9th, 21 days to come.
    expect(paceOf(costs(...daily), '2026-11-09').forecast).toBe(129)
  })
  test('takes a day that cost more than usual as it is', () => {
    expect(paceOf(costs(1, 1, 5), '2026-11-03').forecast).toBe(7 + 27)
  })
  test('leads nowhere on the first day', () => {
    expect(paceOf(costs(3), '2026-11-01').forecast).toBeUndefined()
  })
  test('ends on the last day with what was spent and what is left of a usual day', () => {
    const february = new Map([
      ['2028-02-28', 2],
      ['2028-02-29', 2],
    ])
    expect(paceOf(february, '2028-02-29')).toMatchObject({ days: 29, forecast: 4 })
  })
})

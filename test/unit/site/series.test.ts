/** Scales of charts. */
import { expect, test } from 'vitest'
import { scaleOf } from '../../../site/src/lib/charts/series.ts'

test.each([
  [1, [0, 1]],
  [3, [0, 1, 2, 3]],
  [9, [0, 5, 10]],
  [1_000, [0, 250, 500, 750, 1_000]],
])('what is counted has no parts beside the axis: up to %d', (most, ticks) => {
  expect(scaleOf(most).ticks).toEqual(ticks)
})

test('what is measured has', () => {
  expect(scaleOf(0.9).ticks).toEqual([0, 0.25, 0.5, 0.75, 1])
  expect(scaleOf(0).ticks).toEqual([0])
})

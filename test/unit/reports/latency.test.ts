import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { boundsOf, percentile } from '../../../core/reports/latency.ts'

/** Where a number belongs, found by trying. */
function bucketOf(ms: number): number {
  for (let bucket = 16; ; bucket++) if (ms < boundsOf(bucket).to) return bucket
}
const counted = (latencies: readonly number[]) =>
  [...Map.groupBy(latencies, bucketOf)].map(([bucket, { length }]) => ({ bucket, requests: length }))

describe('buckets', () => {
  test('follow one another without a gap, each about a fifth wide', () => {
    for (let bucket = 16; bucket < 220; bucket++) {
      const { from, to } = boundsOf(bucket)
      expect(boundsOf(bucket + 1).from).toBe(to)
      expect(to / from).toBeGreaterThan(1.16)
      expect(to / from).toBeLessThan(1.22)
    }
    expect(boundsOf(16).from).toBe(1)
    expect(boundsOf(32).from).toBe(16)
  })
})

describe('a percentile', () => {
  test('lies in the bucket of the call that it names', () => {
    const latencies = fc.array(fc.integer({ min: 1, max: 10_000_000 }), { minLength: 1, maxLength: 200 })
    fc.assert(
      fc.property(latencies, fc.constantFrom(0.5, 0.95, 0.99), (list, share) => {
        const sorted = list.toSorted((a, b) => a - b)
        const exact = sorted[Math.ceil(share * list.length) - 1] ?? 0
        const { from, to } = boundsOf(bucketOf(exact))
        const found = percentile(counted(list), share)
        expect([found >= from, found <= to]).toEqual([true, true])
      }),
    )
  })

  test('is interpolated: of many even ones it is nearly exact', () => {
    const even = Array.from({ length: 10_000 }, (_, i) => i + 1)
    expect(percentile(counted(even), 0.95)).toBeCloseTo(9_500, -2)
    expect(percentile(counted(even), 0.5)).toBeCloseTo(5_000, -2)
  })

  test('is in order whatever the order of the counts, and 0 of nothing', () => {
    const counts = counted([5, 500, 50_000])
    expect(percentile(counts.toReversed(), 0.95)).toBe(percentile(counts, 0.95))
    expect(percentile([], 0.95)).toBe(0)
  })
})

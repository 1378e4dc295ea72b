/**
 * A histogram of latencies, so that percentiles need no list of calls. Each bucket begins 2^(1/4) (about 1.19) times higher
 * than the one before; a percentile is interpolated within its bucket.
 *
 * Decision: SQL finds the bucket by binary search in nested iif(), because libSQL has no logarithm in base 2 and D1 allows no
 * user-defined functions.
 */
import { type SQL, sql } from 'drizzle-orm'

/** Lower bounds of the 16 buckets from 16 to 256: 16 × 2^(i/4), rounded. Other powers of 16 use multiples of them. */
const STEPS = [16, 19, 23, 27, 32, 38, 45, 54, 64, 76, 91, 108, 128, 152, 181, 215] as const
const END = 256

export type LatencyCounts = readonly { bucket: number; requests: number }[]

/** The first bucket begins at 1 ms; bucket 160, after the last, would begin at 16^9 ms, about two years. */
const [FIRST, AFTER_LAST] = [16, 160]

/** SQL for the bucket of `latency_ms`, known to be at least `low` and below `high`. */
function bucketSql(low: number, high: number): string {
  if (high - low === 1) return String(low)
  const middle = (low + high) >> 1
  // Rounded up to whole ms, so that SQLite compares integers.
  const from = Math.ceil(boundsOf(middle).from)
  return `iif(latency_ms < ${from}, ${bucketSql(low, middle)}, ${bucketSql(middle, high)})`
}
const BUCKET = sql.raw(bucketSql(FIRST, AFTER_LAST))

/** Selects log rows as counts of latencies. `rows` is what follows FROM: usage_logs and a WHERE. */
export function latencyOfLog(rows: SQL): SQL {
  return sql`select created_at as start, backend, ${BUCKET} as bucket, 1 as requests from ${rows}`
}

/** The latency in ms that `share` (0..1) of the calls do not exceed, interpolated linearly; 0 without calls. */
export function percentile(counts: LatencyCounts, share: number): number {
  const sorted = [...counts].sort((a, b) => a.bucket - b.bucket)
  const wanted = share * sorted.reduce((sum, { requests }) => sum + requests, 0)
  let below = 0
  for (const { bucket, requests } of sorted) {
    if (requests > 0 && below + requests >= wanted) {
      const { from, to } = boundsOf(bucket)
      return from + ((wanted - below) / requests) * (to - from)
    }
    below += requests
  }
  return 0
}

/** The bounds of a bucket in ms: `from` inclusive, `to` exclusive. The lowest bucket also holds 0. */
export function boundsOf(bucket: number): { from: number; to: number } {
  const unit = 16 ** (Math.floor(bucket / 16) - 2)
  const step = bucket % 16
  return { from: (STEPS[step] ?? END) * unit, to: (STEPS[step + 1] ?? END) * unit }
}

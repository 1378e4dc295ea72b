/**
 * Latencies as a histogram, so that percentiles need no list of calls. A bucket is about a fifth wide (2^(1/4)): a
 * percentile is right to its bucket and interpolated within.
 *
 * Decision: SQL finds a bucket by halving the list of all of them, because libSQL has no logarithm in base 2 and D1 has
 * no functions of ours.
 */
import { type SQL, sql } from 'drizzle-orm'

/** The first two digits where a step begins: 16 times 2^(1/4), again and again, up to 256. */
const STEPS = [16, 19, 23, 27, 32, 38, 45, 54, 64, 76, 91, 108, 128, 152, 181, 215] as const
const END = 256

export type LatencyCounts = readonly { bucket: number; requests: number }[]

/** The first bucket, and the one after the last: 16^9 ms are two thousand years. */
const [FIRST, AFTER_LAST] = [16, 160]

/** The bucket of `latency_ms`, given that it is one from `low` on and below `high`. */
function bucketSql(low: number, high: number): string {
  if (high - low === 1) return String(low)
  const middle = (low + high) >> 1
  // Whole ms, so that SQLite compares integers.
  const from = Math.ceil(boundsOf(middle).from)
  return `iif(latency_ms < ${from}, ${bucketSql(low, middle)}, ${bucketSql(middle, high)})`
}
const BUCKET = sql.raw(bucketSql(FIRST, AFTER_LAST))

/** Log rows as latency counts. `rows` says which: usage_logs with a condition. */
export function latencyOfLog(rows: SQL): SQL {
  return sql`select created_at as start, backend, ${BUCKET} as bucket, 1 as requests from ${rows}`
}

/** The latency (ms) that `share` of the calls did not exceed, by linear interpolation in its bucket; 0 without calls. */
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

/** What a bucket holds, in ms: from `from` on, below `to`. The lowest also holds 0. */
export function boundsOf(bucket: number): { from: number; to: number } {
  const unit = 16 ** (Math.floor(bucket / 16) - 2)
  const step = bucket % 16
  return { from: (STEPS[step] ?? END) * unit, to: (STEPS[step + 1] ?? END) * unit }
}

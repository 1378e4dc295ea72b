/** Calls, errors, use and latency of each backend in a range. */
import { type SQL, sql } from 'drizzle-orm'
import type { Db } from '../ports.ts'
import { keptSince } from '../retention/retention.ts'
import { type LatencyCounts, latencyOfLog, percentile } from './latency.ts'
import { piecesOf, sumsOf } from './query.ts'
import { isAllTime, type Range, readable } from './range.ts'
import { ALL_TOKENS } from './rollups.ts'

export interface BackendStats {
  backend: string
  requests: number
  errors: number
  totalTokens: number
  costMicros: number
  averageMs: number
  /** Interpolated within a bucket of core/reports/latency.ts, so exact to about a fifth. */
  p95Ms: number
}

/** Ordered by name. Calls that reached no backend are left out. */
export async function backendStats(db: Db, asked: Range): Promise<BackendStats[]> {
  const range = readable(asked, await keptSince(db))
  const sums = await db.all<Omit<BackendStats, 'p95Ms'>>(sql`
    select backend, total(requests) as requests, total(errors) as errors, total(cost_micros) as costMicros,
      total(${ALL_TOKENS}) as totalTokens, total(latency_ms) / total(requests) as averageMs
    from (${sumsOf({}, [range])}) where backend <> '' group by backend order by backend`)
  const counts = await db.all<{ backend: string } & LatencyCounts[number]>(sql`
    select backend, bucket, total(requests) as requests from (${latenciesOf(range)}) group by backend, bucket`)
  const byBackend = Map.groupBy(counts, ({ backend }) => backend)
  return sums.map((sum) => ({ ...sum, p95Ms: percentile(byBackend.get(sum.backend) ?? [], 0.95) }))
}

function latenciesOf(range: Range): SQL {
  if (isAllTime(range)) return sql`select backend, bucket, requests from usage_latency where unit = 'day'`
  const pieces = piecesOf([range], 'day')
  const counted = (unit: 'day' | 'hour') =>
    pieces[unit].map(
      ([, from, to]) => sql`select backend, bucket, requests from usage_latency
        where unit = ${unit} and start >= ${from} and start < ${to}`,
    )
  const cutOff = pieces.fine.map(
    ([, from, to]) => sql`select backend, bucket, requests
      from (${latencyOfLog(sql`usage_logs where created_at >= ${from} and created_at < ${to}`)})`,
  )
  const parts = [...counted('day'), ...counted('hour'), ...cutOff]
  return parts.length > 0
    ? sql.join(parts, sql` union all `)
    : sql`select '' as backend, 0 as bucket, 0 as requests`
}

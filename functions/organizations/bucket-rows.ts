/** The rows of a page of buckets. */
import type { Db } from '../../core/ports.ts'
import { type BucketQuestion, type BucketRow, usageInSomeBuckets } from '../../core/reports/for-programs.ts'
import type { BucketPage } from './buckets.ts'

/** Results by the place of their bucket. */
export function byPlace<R>(
  rows: readonly BucketRow[],
  resultsOf: (row: BucketRow) => R[],
): ReadonlyMap<number, R[]> {
  const ofPlaces = Map.groupBy(rows, ({ place }) => place)
  return new Map([...ofPlaces].map(([place, ofPlace]) => [place, ofPlace.flatMap(resultsOf)]))
}

/** Rows of a page, unless one bucket alone has more. */
const MOST_ROWS = 50_000

/** The rows of a page, which ends earlier where it would have too many. */
export async function usageOfPage(
  db: Db,
  asked: BucketPage,
  question: Pick<BucketQuestion, 'told' | 'filter'>,
): Promise<{ rows: BucketRow[]; page: BucketPage }> {
  const { rows, count } = await usageInSomeBuckets(db, { ...asked, ...question }, MOST_ROWS)
  const { from, ms } = asked
  return { rows, page: count < asked.count ? { from, ms, count, next: from + count * ms } : asked }
}

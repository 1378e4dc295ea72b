/**
 * Which sums answer a question: the coarsest that tell apart what it asks for. A range is taken from whole UTC days,
 * then hours, and only what an odd time zone cuts off an hour from finer rows, so that every figure is exact.
 */
import { type SQL, sql } from 'drizzle-orm'
import type { Range, Span } from './range.ts'
import { ALL_TIME } from './range.ts'
import { type Cut, DAY_MS, HOUR_MS, ofHours, ofLog, ofSums } from './sums.ts'

/** Whose calls: all that match every part given. */
export interface Filter {
  userId?: number | undefined
  /** Only ever together with its owner: see filters.ts. */
  keyId?: number | undefined
  model?: string | undefined
  backend?: string | undefined
}

type Grain = 'fine' | 'hour' | 'day' | 'ever'

/**
 * The sums of all calls that match, as rows in the shape of sums with the label of their span. `people` tells users and
 * keys apart although none is asked for. The spans lie on quarters of an hour, as the days of all time zones do.
 */
export function sumsOf(filter: Filter, spans: readonly Span[], people = false): SQL {
  const bySite = filter.userId === undefined && !people
  const named = peopleOf(filter)
  const places = placesOf(filter)
  const part = (cut: Cut, start: SQL = sql`and start >= span.value->>1 and start < span.value->>2`) =>
    sql`usage_sums where cut = ${cut} ${bySite ? sql`` : named} ${places} ${start}`
  const sources: Record<Grain, (list: SQL) => SQL> = {
    ever: (list) => ofSums(sql`${list} ${part('total', sql``)}`),
    day: (list) => ofSums(sql`${list} ${part(bySite ? 'site_day' : dayCut(filter))}`),
    hour: (list) => bySite ? ofSums(sql`${list} ${part('site_hour')}`) : ofHours(sql`${list} usage_hourly where true`),
    fine: (list) => ofLog(list),
  }
  void sources
  return sql``
}

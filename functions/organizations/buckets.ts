/** Time of reports: equal buckets in UTC, a page of them at a time. */
import * as z from 'zod'
import { invalidField } from '../../core/errors.ts'
import { DAY_MS, HOUR_MS, MINUTE_MS, timeText } from '../../core/units.ts'
import { moment, timestamp } from '../fields.ts'
import { byPage } from './fields.ts'

/** Of each width: ms, and how many are listed unless `limit` says otherwise, and at most. */
const WIDTHS = {
  '1d': { ms: DAY_MS, usual: 7, most: 31 },
  '1h': { ms: HOUR_MS, usual: 24, most: 168 },
  '1m': { ms: MINUTE_MS, usual: 60, most: 1_440 },
} as const
export type Width = keyof typeof WIDTHS
/** Of those whose end can be written: RFC 3339 knows four digits of a year. */
const LAST_DAY = Date.UTC(9999, 11, 31)

export const spanQuery = {
  starting_at: moment.meta({ description: 'Buckets from the one that holds this time on.' }),
  ending_at: moment.optional().meta({ description: 'Buckets that begin before this time; default: now.' }),
  limit: z
    .string()
    .regex(/^[1-9]\d{0,3}$/, 'a whole number is expected')
    .transform(Number)
    .optional()
    .meta({
      description:
        'At most 31 days, 168 hours or 1440 minutes; a page has fewer where they have very many rows.',
    }),
  page: byPage.page,
}

interface Asked {
  starting_at: number
  ending_at?: number | undefined
  limit?: number | undefined
  page?: number | undefined
}
export interface BucketPage {
  from: number
  ms: number
  count: number
  /** Where the next page begins (ms since 1970); undefined = this is the last. */
  next: number | undefined
}

/** Throws a Refusal invalid_input. */
export function bucketPage(asked: Asked, width: Width, now: number): BucketPage {
  const { ms, usual, most } = WIDTHS[width]
  const { ending_at: ending = now + 1, limit = usual, page } = asked
  if (limit > most)
    throw invalidField('limit', `at most ${most} buckets of ${width} can be asked for at once`)
  if (asked.ending_at !== undefined && ending <= asked.starting_at) {
    throw invalidField('ending_at', 'it is before starting_at')
  }
  const first = Math.max(0, Math.floor(asked.starting_at / ms) * ms)
  const from = page === undefined ? first : Math.max(first, Math.floor(page / ms) * ms)
  const left = Math.max(0, Math.ceil((Math.min(ending, LAST_DAY) - from) / ms))
  const count = Math.min(limit, left)
  return { from, ms, count, next: left > count ? from + count * ms : undefined }
}

export function bucketList(result: z.ZodType) {
  return z.strictObject({
    data: z.array(z.strictObject({ starting_at: timestamp, ending_at: timestamp, results: z.array(result) })),
    has_more: z.boolean(),
    next_page: z.string().nullable(),
  })
}

/** Every bucket of the page, also the empty ones, with its results. */
export function bucketListOf<R>({ from, ms, count, next }: BucketPage, resultsOf: ReadonlyMap<number, R[]>) {
  const data = Array.from({ length: count }, (_, at) => ({
    starting_at: timeText(from + at * ms),
    ending_at: timeText(from + (at + 1) * ms),
    results: resultsOf.get(at) ?? [],
  }))
  return { data, has_more: next !== undefined, next_page: next === undefined ? null : `page_${next}` }
}

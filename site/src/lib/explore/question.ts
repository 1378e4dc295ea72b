/** What is explored: kept in the address, in the words of the reports of the API. */
import type { Query } from '../api/client.ts'
import type { Scope } from '../api/index.ts'
import { dayAfter, daysBetween, isDate } from '../days.ts'
import { localDay, ZONE } from '../format.ts'
import type { ListView } from '../list-view.svelte.ts'

const CUTS = ['user', 'group', 'key', 'model', 'backend', 'client', 'project'] as const
export type Cut = (typeof CUTS)[number]
/** Whose calls are explored: everybody's, one's own, or those booked to groups that one leads. */
export type Whose = 'all' | 'own' | 'led'
/** What tells calls apart; the first is the usual one. Which backend answered is for those who look after backends. */
export const CUTS_OF: Record<Whose, readonly Cut[]> = {
  all: CUTS,
  own: ['model', 'key', 'client', 'project', 'group'],
  led: ['user', 'group', 'key', 'model', 'client', 'project'],
}
const SUMS = ['cost', 'tokens', 'requests', 'errors'] as const
const TIMES = ['first_byte', 'duration'] as const
export type Time = (typeof TIMES)[number]
export const MEASURES = [...SUMS, ...TIMES] as const
export type Measure = (typeof MEASURES)[number]
/** How long calls took is told by percentiles, which cannot be added up. */
export function isTime(measure: Measure): measure is Time {
  return TIMES.some((time) => time === measure)
}
export const PERCENTILES = ['p50', 'p95'] as const
export type Percentile = (typeof PERCENTILES)[number]
const BUCKETS = ['hour', 'day', 'week', 'month'] as const
type Bucket = (typeof BUCKETS)[number]
export const RANGES = ['7d', '30d', '90d', 'month', 'last_month', 'year', 'custom'] as const
type RangeName = (typeof RANGES)[number]

/** What narrows the calls, by the name that addresses and the API have for it. */
export const FILTERS: Record<Cut, string> = {
  user: 'user_id',
  group: 'group_id',
  key: 'key_id',
  model: 'model',
  backend: 'backend',
  client: 'client',
  project: 'project',
}
/** All that an address says, besides the order of the table. */
export const PARAMETERS = [
  'whose',
  'by',
  'show',
  'percentile',
  'bucket',
  'range',
  'from',
  'to',
  'compare',
  ...Object.values(FILTERS),
]
/** What tells most, once one of these was chosen. */
const NEXT: Record<Cut, Cut> = {
  user: 'model',
  group: 'user',
  key: 'model',
  model: 'user',
  backend: 'model',
  client: 'user',
  project: 'user',
}
export function nextCut(by: Cut, whose: Whose): Cut {
  const cuts = CUTS_OF[whose]
  return [NEXT[by], 'key' as const].find((cut) => cut !== by && cuts.includes(cut)) ?? 'model'
}
/** How many have a colour of their own in the picture. */
const TOP = 5

export interface Question {
  whose: Whose
  by: Cut
  measure: Measure
  percentile: Percentile
  range: RangeName
  from: string
  to: string
  bucket: Bucket
  buckets: readonly Bucket[]
  compare: boolean
  /** In the words of the API. */
  filters: Readonly<Record<string, string>>
}

export function questionOf(view: ListView, whose: Whose): Question {
  const one = <T extends string>(name: string, values: readonly T[], usual: T): T =>
    values.find((value) => value === view.filter(name)) ?? usual
  const range = one('range', RANGES, '30d')
  const { from, to } = spanOf(range, view.filter('from'), view.filter('to'))
  const days = daysBetween(from, to).length
  const buckets = BUCKETS.filter((bucket) => fits(bucket, days))
  const cuts = CUTS_OF[whose]
  return {
    whose,
    by: one('by', cuts, cuts[0] ?? 'model'),
    measure: one('show', MEASURES, 'cost'),
    percentile: one('percentile', PERCENTILES, 'p50'),
    range,
    from,
    to,
    bucket: one('bucket', buckets, usualBucket(days)),
    buckets,
    compare: view.filter('compare') === 'true',
    filters: Object.fromEntries(Object.values(FILTERS).map((name) => [name, view.filter(name)])),
  }
}

function spanOf(range: RangeName, from: string, to: string): { from: string; to: string } {
  const today = localDay(new Date())
  const first = `${today.slice(0, 8)}01`
  const lastMonth = dayAfter(first, -1)
  switch (range) {
    case '7d':
      return { from: dayAfter(today, -6), to: today }
    case '30d':
      return { from: dayAfter(today, -29), to: today }
    case '90d':
      return { from: dayAfter(today, -89), to: today }
    case 'month':
      return { from: first, to: today }
    case 'last_month':
      return { from: `${lastMonth.slice(0, 8)}01`, to: lastMonth }
    case 'year':
      return { from: `${today.slice(0, 4)}-01-01`, to: today }
    case 'custom': {
      const [start, end] = [isDate(from) ? from : first, isDate(to) ? to : today]
      return start <= end ? { from: start, to: end } : { from: end, to: start }
    }
  }
}

/** Whether a picture has room for as many bars, and one page of a report for their parts. */
function fits(bucket: Bucket, days: number): boolean {
  return { hour: days <= 6, day: days <= 160, week: days >= 14 && days <= 1_100, month: days >= 32 }[bucket]
}

function usualBucket(days: number): Bucket {
  if (days <= 2) return 'hour'
  if (days <= 62) return 'day'
  return days <= 400 ? 'week' : 'month'
}

/** The calls that are meant. */
export function callsOf({
  whose,
  filters,
  from,
  to,
}: Pick<Question, 'whose' | 'filters' | 'from' | 'to'>): Query {
  const scope = whose === 'all' ? {} : { scope: whose }
  return { ...scope, ...filters, start_date: from, end_date: to, tz: ZONE }
}
/** The routes that know them. */
export function scopeOf({ whose }: Pick<Question, 'whose'>): Scope {
  return whose === 'all' ? 'all' : 'own'
}

export function pictureOf(question: Question): Query {
  const { by, bucket, measure } = question
  const sort = isTime(measure) ? 'requests' : measure
  return {
    ...callsOf(question),
    ...timesOf(question),
    group_by: by,
    bucket,
    sort,
    top: TOP,
    page_size: 1_000,
  }
}

/** The hours of a week, each as often as it was. */
export function weekOf(question: Question): Query {
  return { ...callsOf(question), figure: sortOf(question.measure, question.percentile) }
}

function timesOf({ measure }: Question): Query {
  return isTime(measure) ? { timings: 'true' } : {}
}

/** What the table is sorted by when a measure is chosen. */
export function sortOf(measure: Measure, percentile: Percentile): string {
  return isTime(measure) ? `${measure}_${percentile}` : measure
}

export function tableOf(question: Question, { sort, order, page, size }: ListView): Query {
  return { ...fileOf(question, { sort, order }), page, page_size: size }
}

export function fileOf(question: Question, { sort, order }: Pick<ListView, 'sort' | 'order'>): Query {
  const { by, compare } = question
  return { ...callsOf(question), ...timesOf(question), group_by: by, compare: String(compare), sort, order }
}

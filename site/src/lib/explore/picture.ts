/** A report as bars, and what stands behind each of them. */
import type { Report, ReportRow } from '../api/index.ts'
import type { Bar } from '../charts/series.ts'
import { dayAfter, daysBetween } from '../days.ts'
import { dateTime, day, fullDay, hour, shortTime } from '../format.ts'
import { i18n, t } from '../i18n/index.svelte.ts'
import { type Cut, isTime, type Percentile, type Question, type Time } from './question.ts'

const HOUR_MS = 3_600_000

/** A bar, and the days that it is of, or, of an hour, when that begins. */
export interface Slot extends Bar {
  at: string
  from: string
  to: string
}

type Asked = Pick<Question, 'measure' | 'percentile'>
type Figures = Pick<ReportRow, 'cost_usd' | 'total_tokens' | 'requests' | 'timings'>

/** A figure of some calls; undefined where none of them has it. */
export function figureOf(
  row: Figures & { errors?: number },
  { measure, percentile }: Asked,
): number | undefined {
  if (isTime(measure)) return row.timings?.[measure][`${percentile}_ms`] ?? undefined
  return { cost: row.cost_usd, tokens: row.total_tokens, requests: row.requests, errors: row.errors }[measure]
}

/** How a percentile is called. */
export function timeName(measure: Time, percentile: Percentile): string {
  return t('explore.time', { what: t(`usage.${measure}`), percentile: t(`explore.${percentile}`) })
}

/** What a row is of, as filters name it; undefined for what no filter can name. */
export function filterValue(row: ReportRow, by: Cut): string | undefined {
  const { user_id, group_id, key_id, model, backend, client, project } = row
  const value = { user: user_id, group: group_id, key: key_id, model, backend, client, project }[by]
  return value === undefined || value === '' ? undefined : String(value)
}

/** What a row is of, as people name it. */
export function nameOf(row: ReportRow, by: Cut): string {
  switch (by) {
    case 'user':
      return row.itcode ?? t('explore.user_gone', { id: String(row.user_id) })
    case 'group':
      return row.group_id === 0 ? t('explore.no_group') : (row.group_name ?? `#${row.group_id}`)
    case 'key':
      return row.key_name ? `${row.key_name} (${row.owner ?? '–'})` : `#${row.key_id}`
    case 'project':
      return row.project || t('statement.no_project')
    default:
      return row[by] || t('explore.unknown')
  }
}

/** One bar for each bucket, also where nothing was used. Names are keys of `names`; '' is the rest. */
export function picture(
  report: Report,
  by: Cut,
  asked: Asked,
): { slots: Slot[]; names: Map<string, string> } {
  const slots = slotsOf(report)
  const values = new Map(slots.map(({ key }) => [key, new Map<string, number>()]))
  const names = new Map<string, string>()
  for (const row of report.rows) {
    const key = row.rest ? '' : `=${filterValue(row, by) ?? ''}`
    if (!row.rest) names.set(key, nameOf(row, by))
    const figure = figureOf(row, asked)
    if (figure !== undefined) values.get(row.bucket)?.set(key, figure)
  }
  return {
    slots: slots.map(({ key, ...slot }) => ({ ...slot, values: values.get(key) ?? new Map() })),
    names,
  }
}

type Empty = Omit<Slot, 'values'> & { key: string }

function slotsOf({ bucket, start_date: first, end_date: last, from, to }: Report): Empty[] {
  if (bucket === 'hour') return hoursOf(from, to, first === last)
  const dates = daysBetween(first, last)
  const starts = dates.filter((date) => date === first || begins(date, bucket))
  return starts.map((start, at) => {
    const next = starts[at + 1]
    const end = next === undefined ? last : dayAfter(next, -1)
    const label = bucket === 'month' ? month(start) : day(noon(start))
    const title = bucket === 'day' ? fullDay(noon(start)) : `${fullDay(noon(start))} – ${fullDay(noon(end))}`
    return { key: bucket === 'month' ? start.slice(0, 7) : start, label, title, at: '', from: start, to: end }
  })
}

function begins(date: string, bucket: Report['bucket']): boolean {
  if (bucket === 'month') return date.endsWith('-01')
  return bucket === 'day' || new Date(noon(date)).getDay() === 1
}

function hoursOf(from: string, to: string, isOneDay: boolean): Empty[] {
  const [first, end] = [Date.parse(from), Date.parse(to)]
  return Array.from({ length: Math.ceil((end - first) / HOUR_MS) }, (_, at) => {
    const key = new Date(first + at * HOUR_MS).toISOString()
    return {
      key,
      label: isOneDay ? hour(key) : shortTime(key),
      title: dateTime(key),
      at: key,
      from: '',
      to: '',
    }
  })
}

const noon = (date: string) => `${date}T12:00`

function month(date: string): string {
  return new Intl.DateTimeFormat(i18n.locale, { month: 'short', year: 'numeric' }).format(
    new Date(noon(date)),
  )
}

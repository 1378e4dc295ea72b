/** Answers of the usage routes as bars: one for each hour or day of a span, also where nothing was used. */
import type { DayStats, HourStats, OfModel } from '../api/index.ts'
import { daysBetween } from '../days.ts'
import { day, fullDay, hour, localDay } from '../format.ts'
import type { Bar } from './series.ts'

export const MEASURES = ['cost', 'tokens', 'requests'] as const
export type Measure = (typeof MEASURES)[number]

/** What bars are made of. */
type Measured = Pick<OfModel, 'model' | 'cost_usd' | 'total_tokens' | 'requests'>

function measured(row: Measured, measure: Measure): number {
  return { cost: row.cost_usd, tokens: row.total_tokens, requests: row.requests }[measure]
}

function barsOf<R extends Measured>(
  slots: { key: string; label: string; title: string }[],
  rows: R[],
  keyOf: (row: R) => string,
  measure: Measure,
): Bar[] {
  const bySlot = new Map(slots.map(({ key }) => [key, new Map<string, number>()]))
  for (const row of rows) {
    const values = bySlot.get(keyOf(row))
    values?.set(row.model, (values.get(row.model) ?? 0) + measured(row, measure))
  }
  return slots.map(({ key, label, title }) => ({ label, title, values: bySlot.get(key) ?? new Map() }))
}

export function dayBars(
  stats: (Measured & Pick<DayStats, 'date'>)[],
  from: string,
  to: string,
  measure: Measure,
): Bar[] {
  const slots = daysBetween(from, to).map((key) => {
    const noon = `${key}T12:00`
    return { key, label: day(noon), title: fullDay(noon) }
  })
  return barsOf(slots, stats, ({ date }) => date, measure)
}

const HOUR_MS = 3_600_000

/** The hours of one local day, up to 25 of them. */
export function hourBars(stats: HourStats[], date: string, measure: Measure): Bar[] {
  const first = new Date(`${date}T00:00:00`).getTime()
  const slots = []
  for (let at = Math.floor(first / HOUR_MS) * HOUR_MS; localDay(new Date(at)) <= date; at += HOUR_MS) {
    const text = new Date(at).toISOString()
    slots.push({
      key: text,
      label: hour(text),
      title: `${hour(text)} – ${hour(new Date(at + HOUR_MS).toISOString())}`,
    })
  }
  return barsOf(slots, stats, (row) => new Date(row.hour).toISOString(), measure)
}

/** Figures by time and name, as stacked bars: the largest names each by itself, the rest together. */
export interface Bar {
  /** Under the axis. */
  label: string
  /** In full, for the tooltip and the table. */
  title: string
  values: ReadonlyMap<string, number>
}

export interface Series {
  name: string
  total: number
}

const MOST = 5

/** The names in order of size; '' stands for all that are not among the largest, here and in bars that come so. */
export function seriesOf(bars: readonly Bar[]): Series[] {
  const totals = new Map<string, number>()
  for (const { values } of bars) {
    for (const [name, value] of values) totals.set(name, (totals.get(name) ?? 0) + value)
  }
  const given = totals.get('')
  totals.delete('')
  const sorted = [...totals].map(([name, total]) => ({ name, total })).sort((a, b) => b.total - a.total)
  if (given === undefined && sorted.length <= MOST + 1) return sorted
  const rest = sorted.slice(MOST).reduce((sum, { total }) => sum + total, given ?? 0)
  return [...sorted.slice(0, MOST), { name: '', total: rest }]
}

export function valueIn(bar: Bar, series: readonly Series[], name: string): number {
  if (name !== '') return bar.values.get(name) ?? 0
  const shown = new Set(series.map((one) => one.name))
  let sum = 0
  for (const [other, value] of bar.values) if (other === '' || !shown.has(other)) sum += value
  return sum
}

export function totalOf(bar: Bar): number {
  let sum = 0
  for (const value of bar.values.values()) sum += value
  return sum
}

/** A round number at or above `value`, and its steps. */
export function scaleOf(value: number): { top: number; ticks: number[] } {
  if (value <= 0) return { top: 1, ticks: [0] }
  const power = 10 ** Math.floor(Math.log10(value))
  // What is counted has no quarters.
  const steps = [0.2, 0.25, 0.5, 1, 2, 2.5, 5]
    .map((one) => one * power)
    .filter((one) => !Number.isInteger(value) || Number.isInteger(one))
  const step = steps.find((one) => value / one <= 4) ?? 5 * power
  const count = Math.ceil(value / step)
  return { top: count * step, ticks: Array.from({ length: count + 1 }, (_, i) => i * step) }
}

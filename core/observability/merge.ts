/** The figures of several processes as one: counts are added up, and those of processes that ended stay. */
import { keyOf, type Series } from './series.ts'
import { metricOf } from './table.ts'

export interface Merged<Process> {
  /** Series of a process that changed since its last report, and all of its gauges. */
  report(process: Process, series: readonly Series[]): void
  /** The process ended: its gauges are forgotten. */
  ended(process: Process): void
  all(): Series[]
}

export function createMerged<Process>(): Merged<Process> {
  const processes = new Map<Process, { counts: Map<string, Series>; gauges: readonly Series[] }>()
  const past = new Map<string, Series>()
  return {
    report(process, series) {
      const counts = processes.get(process)?.counts ?? new Map<string, Series>()
      for (const one of series) if (!isGauge(one)) counts.set(keyOf(one), one)
      processes.set(process, { counts, gauges: series.filter(isGauge) })
    },
    ended(process) {
      for (const series of processes.get(process)?.counts.values() ?? []) put(past, series)
      processes.delete(process)
    },
    all() {
      const sums = new Map(past)
      for (const { counts, gauges } of processes.values()) {
        for (const series of counts.values()) put(sums, series)
        for (const series of gauges) put(sums, series)
      }
      return [...sums.values()]
    },
  }
}

function isGauge({ metric }: Series): boolean {
  return metricOf(metric).kind === 'gauge'
}

/** Adds a series to those of the same metric and labels. */
function put(sums: Map<string, Series>, series: Series) {
  const key = keyOf(series)
  const before = sums.get(key)
  if (!before) return void sums.set(key, series)
  const combined = metricOf(series.metric).merge === 'highest' ? Math.max : (a: number, b: number) => a + b
  const numbers = series.numbers.map((number, i) => combined(number, before.numbers[i] ?? 0))
  sums.set(key, { ...series, numbers })
}

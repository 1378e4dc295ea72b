/** The figures of several processes as one: counts are added up, and those of processes that ended stay. */
import { keyOf, type Series } from './series.ts'
import { metricOf } from './table.ts'

export interface Merged<Process> {
  /** What changed in a process since its last report. Series that are gauges replace all of its earlier gauges. */
  report(process: Process, counts: readonly Series[], gauges: readonly Series[]): void
  /** The process ended: its gauges are forgotten. */
  ended(process: Process): void
  all(): Series[]
}

export function createMerged<Process>(): Merged<Process> {
  const processes = new Map<Process, { counts: Map<string, Series>; gauges: readonly Series[] }>()
  const past = new Map<string, Series>()
  return {
    report(process, counts, gauges) {
      const known = processes.get(process)?.counts ?? new Map<string, Series>()
      for (const series of counts) known.set(keyOf(series), series)
      processes.set(process, { counts: known, gauges })
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

/** Adds a series to those of the same metric and labels. */
function put(sums: Map<string, Series>, series: Series) {
  const key = keyOf(series)
  const before = sums.get(key)
  if (!before) return void sums.set(key, series)
  const combined = metricOf(series.metric).merge === 'highest' ? Math.max : (a: number, b: number) => a + b
  const numbers = series.numbers.map((number, i) => combined(number, before.numbers[i] ?? 0))
  sums.set(key, { ...series, numbers })
}

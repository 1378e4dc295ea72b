/** Counts, in arrays of numbers that grow rarely. A count costs one look-up by an integer and makes no garbage. */
import { type Label, packed } from './labels.ts'
import type { Series } from './series.ts'
import { type MetricName, metricOf } from './table.ts'

/** The most series of one metric; what goes beyond is counted in the series whose labels are all `other`. */
const MOST_SERIES = 5_000
const FIRST_ROOM = 16

/** A metric with its labels; missing ones are 0. */
interface Family {
  /** Adds to the counter of these labels' values, by their numbers. */
  add(amount: number, a?: number, b?: number, c?: number, d?: number): void
  /** Puts a value into the histogram of these labels' values. */
  observe(value: number, a?: number, b?: number, c?: number, d?: number): void
}

export interface Registry {
  family(metric: MetricName, labels: readonly Label[]): Family
  /** Every series that was ever counted. */
  all(): Series[]
  /** Those that changed since the last call. */
  changes(): Series[]
}

interface Rows extends Family {
  collect(onlyChanged: boolean): Series[]
}

export function createRegistry(): Registry {
  const families: Rows[] = []
  return {
    family(metric, labels) {
      const rows = createRows(metric, labels)
      families.push(rows)
      return rows
    },
    all: () => families.flatMap((rows) => rows.collect(false)),
    changes: () => families.flatMap((rows) => rows.collect(true)),
  }
}

function createRows(metric: MetricName, labels: readonly Label[]): Rows {
  const { bounds = [], kind } = metricOf(metric)
  /** Of a histogram: its buckets, the one without a bound, the sum. */
  const width = kind === 'histogram' ? bounds.length + 2 : 1
  const rowOf = new Map<number, number>()
  const ids: (readonly number[])[] = []
  let numbers = new Float64Array(FIRST_ROOM * width)
  let changed = new Uint8Array(FIRST_ROOM)

  function begin(key: number, values: readonly number[]): number {
    if (ids.length >= MOST_SERIES && key !== 0) return row(0, 0, 0, 0)
    const next = ids.push(values) - 1
    rowOf.set(key, next)
    if (next < changed.length) return next
    const wider = new Float64Array(numbers.length * 2)
    wider.set(numbers)
    numbers = wider
    const more = new Uint8Array(changed.length * 2)
    more.set(changed)
    changed = more
    return next
  }
  function row(a: number, b: number, c: number, d: number): number {
    const key = packed(a, b, c, d)
    const found = rowOf.get(key) ?? begin(key, [a, b, c, d])
    changed[found] = 1
    return found
  }
  const raise = (at: number, amount: number) => {
    numbers[at] = (numbers[at] ?? 0) + amount
  }

  return {
    add(amount, a = 0, b = 0, c = 0, d = 0) {
      raise(row(a, b, c, d), amount)
    },
    observe(value, a = 0, b = 0, c = 0, d = 0) {
      const start = row(a, b, c, d) * width
      let bucket = 0
      while (bucket < bounds.length && value > (bounds[bucket] ?? 0)) bucket += 1
      raise(start + bucket, 1)
      raise(start + width - 1, value)
    },
    collect(onlyChanged) {
      const found: Series[] = []
      for (const [at, values] of ids.entries()) {
        if (onlyChanged && changed[at] === 0) continue
        if (onlyChanged) changed[at] = 0
        found.push({
          metric,
          labels: labels.map((label, i) => label.value(values[i] ?? 0)),
          numbers: [...numbers.subarray(at * width, (at + 1) * width)],
        })
      }
      return found
    },
  }
}

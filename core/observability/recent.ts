/** What the calls of the last minute were, second by second, for live figures. */
import type { CallRecord, Clock } from '../ports.ts'

const SECONDS = 60
/** Tokens come when calls end, so that a shorter time would only show single calls. */
const TOKEN_SECONDS = 10
const COLUMNS = ['calls', 'failed', 'input', 'output', 'cacheRead', 'cacheWrite', 'costMicros'] as const

/** Sums of calls that ended lately. */
type Sums = Record<(typeof COLUMNS)[number], number>
export interface RecentSums {
  /** Of the last 10 seconds. */
  tenSeconds: Sums
  minute: Sums
}

export interface Recent {
  add(record: CallRecord): void
  sums(): RecentSums
}

export function createRecent({ elapsed }: Pick<Clock, 'elapsed'>): Recent {
  const width = COLUMNS.length
  const rows = new Float64Array(SECONDS * width)
  /** Which second each row is of. */
  const seconds = new Float64Array(SECONDS).fill(Number.NEGATIVE_INFINITY)
  const now = () => Math.floor(elapsed() / 1000)

  function sumsSince(first: number): Sums {
    const sum = new Float64Array(width)
    for (const [i, second] of seconds.entries()) {
      if (second < first) continue
      for (let column = 0; column < width; column += 1) {
        sum[column] = (sum[column] ?? 0) + (rows[i * width + column] ?? 0)
      }
    }
    const of = (column: keyof Sums) => sum[COLUMNS.indexOf(column)] ?? 0
    return {
      calls: of('calls'),
      failed: of('failed'),
      input: of('input'),
      output: of('output'),
      cacheRead: of('cacheRead'),
      cacheWrite: of('cacheWrite'),
      costMicros: of('costMicros'),
    }
  }

  return {
    add(record) {
      const second = now()
      const at = second % SECONDS
      const start = at * width
      if (seconds[at] !== second) {
        rows.fill(0, start, start + width)
        seconds[at] = second
      }
      const add = (column: number, amount: number) => {
        rows[start + column] = (rows[start + column] ?? 0) + amount
      }
      add(0, 1)
      add(1, record.outcome === 'ok' ? 0 : 1)
      add(2, record.inputTokens)
      add(3, record.outputTokens)
      add(4, record.cacheReadTokens)
      add(5, record.cacheWrite5mTokens + record.cacheWrite1hTokens)
      add(6, record.costMicros)
    },
    sums() {
      const end = now()
      return { tenSeconds: sumsSince(end - TOKEN_SECONDS + 1), minute: sumsSince(end - SECONDS + 1) }
    },
  }
}

/** The sums of several processes together. */
export function added(all: readonly RecentSums[]): RecentSums {
  const sum = (part: keyof RecentSums, column: keyof Sums) =>
    all.reduce((total, sums) => total + sums[part][column], 0)
  const of = (part: keyof RecentSums): Sums => ({
    calls: sum(part, 'calls'),
    failed: sum(part, 'failed'),
    input: sum(part, 'input'),
    output: sum(part, 'output'),
    cacheRead: sum(part, 'cacheRead'),
    cacheWrite: sum(part, 'cacheWrite'),
    costMicros: sum(part, 'costMicros'),
  })
  return { tenSeconds: of('tenSeconds'), minute: of('minute') }
}

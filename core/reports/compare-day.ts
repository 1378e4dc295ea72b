/** One day of an account: what it reports, beside what the log has. */
import type { MEASURES, reconciledUse } from '../db/schema.ts'
import type { TokenCounts } from '../metering/tokens.ts'
import type { Prices } from '../pricing/prices.ts'
import type { AccountReport } from './upstream-reports.ts'

type Measure = (typeof MEASURES)[number]
type Row = Omit<typeof reconciledUse.$inferInsert, 'account' | 'day'>
const TOKENS = {
  input: 'input',
  output: 'output',
  cacheRead: 'cache_read',
  cacheWrite5m: 'cache_write_5m',
  cacheWrite1h: 'cache_write_1h',
} as const satisfies Record<keyof TokenCounts, Measure>
const NAMES: readonly (keyof TokenCounts)[] = ['input', 'output', 'cacheRead', 'cacheWrite5m', 'cacheWrite1h']

/** What the log has of one model. */
export interface Own {
  tokens: TokenCounts
  estimated: TokenCounts
  costMicros: number
  estimatedMicros: number
}

/** One row for each model and measure of which either side has something. */
export function rowsOf(
  prices: Prices,
  { day, report, ours }: { day: number; report: AccountReport; ours: Map<string, Own> },
): Row[] {
  const rows = new Map<string, Row>()
  const rowOf = (model: string, measure: Measure) => {
    const key = `${measure} ${model}`
    const row = rows.get(key) ?? { model, measure, ours: 0, estimated: 0, theirs: 0, outside: 0 }
    rows.set(key, row)
    return row
  }
  for (const [model, own] of ours) {
    for (const name of NAMES) {
      const row = rowOf(model, TOKENS[name])
      row.ours += own.tokens[name]
      row.estimated += own.estimated[name]
    }
    const cost = rowOf(model, 'cost_micros')
    cost.ours += own.costMicros
    cost.estimated += own.estimatedMicros
  }
  for (const used of report.use.filter((one) => one.day === day)) {
    const model = prices.canonical(used.model)
    for (const name of NAMES) {
      const row = rowOf(model, TOKENS[name])
      row.theirs += used.tokens[name]
      if (!used.ours) row.outside += used.tokens[name]
    }
    if (!used.ours) rowOf(model, 'cost_micros').outside += costOf(prices, model, used.tokens, day)
  }
  for (const { model, micros } of report.costs.filter((one) => one.day === day)) {
    rowOf(model === '' ? '' : prices.canonical(model), 'cost_micros').theirs += micros
  }
  return [...rows.values()].filter((row) => row.ours + row.theirs > 0)
}

/** At our prices, without long prompts and other multipliers, which a report of tokens does not tell. */
function costOf(prices: Prices, model: string, tokens: TokenCounts, at: number): number {
  const none = {
    webSearches: 0,
    fast: false,
    geoUs: false,
    batch: false,
    serviceTier: '',
    speed: '',
    geo: '',
  }
  const rest = { estimated: false, inputUnknown: false, extra: null, promptLosses: [] }
  return prices.cost({ parts: [{ model, tokens }], ...none, ...rest }, model, at).costMicros
}

/** How the cost of a request comes about, in whole micro-dollars, so that its parts add up to what was recorded. */
import type { Log } from '../api/index.ts'

export type PricePart =
  | 'input'
  | 'cache_write_5m'
  | 'cache_write_1h'
  | 'cache_read'
  | 'output'
  | 'tools'
  | 'other'

export interface PriceLine {
  part: PricePart
  /** null where it is not a matter of tokens. */
  tokens: number | null
  micros: number
  /** What the lines before it add up to. */
  before: number
}

export const microsOf = (usd: number) => Math.round(usd * 1e6)

/** The lines that are not empty, and their sum, which is the recorded cost. */
export function priceOf(log: Log): { lines: PriceLine[]; total: number } {
  const total = microsOf(log.cost_usd)
  const parts: [PricePart, number | null, number][] = [
    ['input', log.input_tokens, microsOf(log.input_usd)],
    ['cache_write_5m', log.cache_write_5m_tokens, microsOf(log.cache_write_5m_usd)],
    ['cache_write_1h', log.cache_write_1h_tokens, microsOf(log.cache_write_1h_usd)],
    ['cache_read', log.cache_read_tokens, microsOf(log.cache_read_usd)],
    ['output', log.output_tokens, microsOf(log.output_usd)],
    ['tools', null, microsOf(log.server_tool_usd)],
  ]
  const told = parts.reduce((sum, [, , micros]) => sum + micros, 0)
  parts.push(['other', null, total - told])
  const lines: PriceLine[] = []
  let before = 0
  for (const [part, tokens, micros] of parts) {
    if (micros === 0) continue
    lines.push({ part, tokens, micros, before })
    before += micros
  }
  return { lines, total }
}

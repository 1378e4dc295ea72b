/** What a call used and cost, as its record has it. */

import { type BilledUsage, NO_TOKENS, promptOf, type TokenCounts } from '../metering/tokens.ts'
import type { CallRecord } from '../ports.ts'
import type { Prices } from '../pricing/prices.ts'

/** The row's figures by the usage; zeros without one. Input that the usage leaves out is estimated by the body's size. */
export function figuresOf(
  usage: BilledUsage | undefined,
  begun: Pick<CallRecord, 'inputTokens' | 'model' | 'createdAt'>,
  prices: Pick<Prices, 'cost'>,
) {
  if (!usage) {
    return {
      ...columnsOf(NO_TOKENS),
      costMicros: 0,
      inputMicros: 0,
      contextWindow: '',
      unpriced: false,
      estimated: false,
    }
  }
  const known = usage.inputUnknown ? withInput(usage, begun.inputTokens) : usage
  const price = prices.cost(known, begun.model, begun.createdAt)
  const largest = known.parts.reduce((most, { tokens }) => Math.max(most, promptOf(tokens)), 0)
  return {
    ...columnsOf(sumOf(known)),
    ...price,
    webSearches: known.webSearches,
    serviceTier: known.serviceTier,
    speed: known.speed,
    geo: known.geo,
    contextWindow: contextWindowOf(largest),
    estimated: known.estimated,
    extra: known.extra,
    promptLosses: known.promptLosses,
  }
}

/** As Anthropic's usage reports name it. */
export function contextWindowOf(promptTokens: number): string {
  if (promptTokens === 0) return ''
  return promptTokens > 200_000 ? '200k-1M' : '0-200k'
}

function withInput(usage: BilledUsage, input: number): BilledUsage {
  const [first, ...others] = usage.parts
  if (!first) return usage
  return { ...usage, estimated: true, parts: [{ ...first, tokens: { ...first.tokens, input } }, ...others] }
}

/** Tokens as a record has them. */
function columnsOf(tokens: TokenCounts) {
  return {
    inputTokens: tokens.input,
    outputTokens: tokens.output,
    cacheReadTokens: tokens.cacheRead,
    cacheWrite5mTokens: tokens.cacheWrite5m,
    cacheWrite1hTokens: tokens.cacheWrite1h,
  }
}

function sumOf(usage: BilledUsage): TokenCounts {
  const sum = { ...NO_TOKENS }
  for (const { tokens } of usage.parts) {
    sum.input += tokens.input
    sum.output += tokens.output
    sum.cacheRead += tokens.cacheRead
    sum.cacheWrite5m += tokens.cacheWrite5m
    sum.cacheWrite1h += tokens.cacheWrite1h
  }
  return sum
}

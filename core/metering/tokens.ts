/** Token counts of one call, as the upstream reports them and as the gateway bills them. */
import type { PromptLoss } from './prompt-losses.ts'

/** Tokens by price class. `input` is uncached input; cache writes are split by time to live. */
export interface TokenCounts {
  input: number
  output: number
  cacheRead: number
  cacheWrite5m: number
  cacheWrite1h: number
}

/** Tokens billed at one model's rates. A call has several parts when `usage.iterations` names several models. */
export interface BilledPart {
  /** undefined = the model of the request. */
  model: string | undefined
  tokens: TokenCounts
}

/** What a usage meter knows of a call once its answer ended (or was given up). */
export interface BilledUsage {
  parts: BilledPart[]
  webSearches: number
  /** usage.speed === 'fast' */
  fast: boolean
  /** usage.inference_geo === 'us' */
  geoUs: boolean
  /** usage.service_tier === 'batch' */
  batch: boolean
  /** `service_tier`, `speed` and `inference_geo` as the upstream named them; '' = it did not. */
  serviceTier: string
  speed: string
  geo: string
  /** True when the final usage never came, or held counts that are no counts: figures are (partly) estimated. */
  estimated: boolean
  /** The upstream never told the input, which cost something all the same. */
  inputUnknown: boolean
  /** JSON text of usage fields beyond the five token classes (server_tool_use, iterations, speed …), or null. */
  extra: string | null
  promptLosses: readonly PromptLoss[]
}

export const NO_TOKENS: TokenCounts = { input: 0, output: 0, cacheRead: 0, cacheWrite5m: 0, cacheWrite1h: 0 }

type Classes =
  | 'inputTokens'
  | 'outputTokens'
  | 'cacheReadTokens'
  | 'cacheWrite5mTokens'
  | 'cacheWrite1hTokens'

/** All tokens of a call, of whatever kind, as quotas count them. */
export function totalTokens(record: Record<Classes, number>): number {
  const { inputTokens, outputTokens, cacheReadTokens, cacheWrite5mTokens, cacheWrite1hTokens } = record
  return inputTokens + outputTokens + cacheReadTokens + cacheWrite5mTokens + cacheWrite1hTokens
}

/** Tokens as limits per minute count them: all but those that came from the cache. */
export function minuteTokens(record: Record<Classes, number>): number {
  return totalTokens(record) - record.cacheReadTokens
}

/** Tokens that were read, from the cache or not. */
export function promptOf(tokens: TokenCounts): number {
  return tokens.input + tokens.cacheRead + tokens.cacheWrite5m + tokens.cacheWrite1h
}

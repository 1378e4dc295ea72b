/** What is recorded of a call. */
import type { MadeObject } from './db/objects.ts'
import type { PromptLoss } from './metering/prompt-losses.ts'

/** `interrupted`: this process ended before the answer did, by a kill or because the answer outlasted the shutdown. */
export type Outcome = 'ok' | 'error' | 'client_aborted' | 'upstream_cut' | 'interrupted'

/** One finished call, which becomes one row of usage_logs. Tokens are as billed, durations in ms. */
export interface CallRecord {
  id: string
  userId: number
  keyId: number
  /** The model the client named, before model_replacements. */
  requestedModel: string
  /** The model that was checked, priced and sent. */
  model: string
  /** Name of the backend that answered or failed last; '' when none was reached. */
  backend: string
  inputTokens: number
  outputTokens: number
  cacheReadTokens: number
  cacheWrite5mTokens: number
  cacheWrite1hTokens: number
  costMicros: number
  statusCode: number
  outcome: Outcome
  /** Some figures are the gateway's own estimate, because the upstream's final usage never came. */
  estimated: boolean
  /** The model has no price: `costMicros` uses the rates for unknown models. */
  unpriced: boolean
  stream: boolean
  /** How many backends were tried. */
  attempts: number
  latencyMs: number
  /** Time to the first byte of the body; null when none came. */
  ttftMs: number | null
  /** Other usage the upstream reported (server tools, iterations, speed …) as JSON text, kept raw; null when none. */
  extra: string | null
  createdAt: number
  /** Missed prompt caches and dropped thinking that the answer reported; nearly always none. */
  promptLosses: readonly PromptLoss[]
  /** Objects that the answer created in the account of `backend`; they belong to the user. */
  madeObjects?: readonly MadeObject[]
}

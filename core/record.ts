/** What is recorded of a call. */
import type { MadeObject } from './db/objects.ts'
import type { PromptLoss } from './metering/prompt-losses.ts'
import type { Period } from './settings.ts'

/** `interrupted`: this process ended before the answer did, by a kill or because the answer outlasted the shutdown. */
export type Outcome = 'ok' | 'error' | 'client_aborted' | 'upstream_cut' | 'interrupted'

/** First ms of the day, week and month by limits.time_zone. */
export type PeriodStarts = readonly [day: number, week: number, month: number]

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
  /** The group that the call is booked to (0 = unassigned), then its parents. Decided at its admission. */
  billingGroupIds: readonly [number, ...number[]]
  /** The periods that it counts in, by its admission. */
  periodStarts: PeriodStarts
  /** Which program called. */
  client: string
  /** As the call's tag named it; '' = none. */
  project: string
  /** Parts of `costMicros`, which add up to it. */
  inputMicros: number
  outputMicros: number
  cacheReadMicros: number
  cacheWrite5mMicros: number
  cacheWrite1hMicros: number
  serverToolMicros: number
  /** What it would have cost more without the prompt cache; negative where writing it cost more than it saved. */
  savedMicros: number
  webSearches: number
  /** As the upstream named them; '' = it did not. */
  serviceTier: string
  speed: string
  geo: string
  /** `0-200k` or `200k-1M`, by the size of the prompt; '' where nothing was read. */
  contextWindow: string
  /** The spend limits that it counts against, so that people are told when one is nearly used up. */
  limits?: readonly RecordedLimit[]
  /** A hash of what the client calls its session, told apart within one person only; '' = it named none. */
  session: string
  /** Why it failed: a code of core/errors.ts, or `upstream_error`; '' = it did not, or the client left. */
  error: string
  /** The upstream's own id of the answer; '' = none. */
  upstreamId: string
  /** Text of core/calls/story.ts; '' of calls that their first backend answered. */
  story: string
}

/** `owner` as limit_spent has it. `start`: first ms of the period. `micros`: micro-dollars. */
export type RecordedLimit = readonly [owner: string, period: Period, start: number, micros: number]

/** A call before anything is known of what it costs, booked to no group. */
export const NOT_BOOKED = {
  billingGroupIds: [0],
  client: '',
  project: '',
  inputMicros: 0,
  outputMicros: 0,
  cacheReadMicros: 0,
  cacheWrite5mMicros: 0,
  cacheWrite1hMicros: 0,
  serverToolMicros: 0,
  savedMicros: 0,
  webSearches: 0,
  serviceTier: '',
  speed: '',
  geo: '',
  contextWindow: '',
  session: '',
  error: '',
  upstreamId: '',
  story: '',
} satisfies Partial<CallRecord> & { billingGroupIds: [number] }

/** A change of what counts against limits that is in no row of a call. Amounts may be negative. */
export type SpentChange = Pick<
  CallRecord,
  | 'id'
  | 'userId'
  | 'keyId'
  | 'billingGroupIds'
  | 'periodStarts'
  | 'costMicros'
  | 'inputTokens'
  | 'outputTokens'
  | 'cacheReadTokens'
  | 'cacheWrite5mTokens'
  | 'cacheWrite1hTokens'
>

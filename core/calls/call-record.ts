/** The record of one call, from its admission to its one row. */

import type { MadeObject } from '../db/objects.ts'
import type { Deps } from '../deps.ts'
import type { RefusalCode } from '../errors.ts'
import { recordedLimits } from '../limits/recorded.ts'
import { type Reservation, reservationOf } from '../limits/reservation.ts'
import { type BilledUsage, NO_TOKENS, promptOf, type TokenCounts } from '../metering/tokens.ts'
import type { Admission, CallRecord, Logger, MaybePromise, Outcome } from '../ports.ts'
import type { Prices } from '../pricing/prices.ts'
import { NOT_BOOKED } from '../record.ts'
import { usdOf } from '../units.ts'
import type { Call } from './call.ts'
import { createStory, type Listener } from './story.ts'

/** The record of a call that is not over yet. */
export interface OpenCallRecord extends Listener {
  admission: Admission
  /** The first body byte came, at this time of the clock that never runs backwards. Later calls change nothing. */
  firstByte(elapsed: number): void
  /** Final usage is known, the answer still flows. */
  update(status: number, usage: BilledUsage, made?: readonly MadeObject[]): void
  /** The call is over. Called once. A promise where the last byte has to wait until something is stored. */
  settle(end: CallEnd): MaybePromise<void>
}

export type CallRecordParts = Pick<
  Deps,
  | 'clock'
  | 'settings'
  | 'periods'
  | 'prices'
  | 'catalogue'
  | 'abilities'
  | 'ledger'
  | 'objects'
  | 'logger'
  | 'projects'
  | 'waitUntil'
> &
  Partial<Pick<Deps, 'metrics'>>

interface CallEnd {
  outcome: Outcome
  /** As the client saw it. */
  status: number
  /** Why it failed, if the gateway says so itself. */
  error?: RefusalCode
  usage: BilledUsage | undefined
  /**
   * Where no usage is known but Claude is likely to have worked: the output tokens to record, beside the input as it was
   * estimated from the request.
   */
  estimatedOutput?: number
  /** What the answer made in the backend's account. */
  made?: readonly MadeObject[] | undefined
}

export function openCallRecord(deps: CallRecordParts, call: Call): OpenCallRecord {
  const { clock, prices, ledger, logger } = deps
  const reservation = reservationOf(deps, call)
  const begun = beginningOf(deps, call, reservation)
  const story = createStory(() => clock.elapsed() - call.startedAt)
  let backend = ''
  let attempts = 0
  let ttftMs: number | null = null

  function recordOf({ outcome, status, error, usage, estimatedOutput, made = [] }: CallEnd): CallRecord {
    const latencyMs = Math.round(clock.elapsed() - call.startedAt)
    const told = { story: story.text(), upstreamId: story.upstreamId(), error: error ?? errorOf(outcome) }
    const base = { ...begun, backend, attempts, ttftMs, latencyMs, outcome, statusCode: status, ...told }
    // Claude may have read the input of a call that was given up before any usage came.
    const givenUp = outcome === 'client_aborted' || outcome === 'interrupted'
    const guessed = estimatedOutput ?? (givenUp && !usage ? 0 : undefined)
    const own = prices.of(backend)
    if (guessed === undefined) return { ...base, ...figuresOf(usage, begun, own), madeObjects: made }
    return { ...base, ...guessedFigures(begun, own, guessed) }
  }

  function remember(made: readonly MadeObject[]) {
    if (made.length > 0) deps.objects.remember({ userId: call.caller.userId, backend }, made)
  }

  return {
    admission: {
      begun,
      periodEnds: deps.periods.endsAt(call.createdAt),
      counters: call.caller.counters,
      worst: reservation.worst,
      usual: reservation.usual,
    },
    sentTo(name) {
      backend = name
      attempts += 1
      story.sentTo(name)
      if (attempts === 1) deps.metrics?.callSent()
    },
    ended: story.ended,
    firstByte(elapsed) {
      ttftMs ??= Math.round(elapsed - call.startedAt)
    },
    update(status, usage, made = []) {
      remember(made)
      ledger.update(recordOf({ outcome: 'interrupted', status, usage, made }))
    },
    settle(end) {
      const { made = [] } = end
      remember(made)
      const limits = recordedLimits(call.caller.counters, begun.periodStarts)
      const record = { ...recordOf(end), limits }
      const work = ledger.settle(record)
      if (work) deps.waitUntil(work)
      log(logger, call, record)
      deps.metrics?.callEnded({ target: call.target ?? call.path, headers: call.headers, record })
      if (made.length > 0 || call.mayPause || deps.settings.journal.fsync) return work
    },
  }
}

/** Figures of an answer whose usage is not known, by a guess of its output tokens. */
function guessedFigures(begun: CallRecord, prices: Pick<Prices, 'estimate'>, output: number) {
  const costMicros = prices.estimate(begun.model, { input: begun.inputTokens, output }, begun.createdAt)
  // The estimate of the input alone was rounded up, too.
  const inputMicros = Math.min(begun.inputMicros, costMicros)
  return { outputTokens: output, costMicros, inputMicros, outputMicros: costMicros - inputMicros }
}

/** Why a call failed of which the gateway says nothing itself. */
function errorOf(outcome: Outcome): 'upstream_error' | '' {
  return outcome === 'error' ? 'upstream_error' : ''
}

/** What is recorded if nothing more is heard of the call: its input, as far as the size of its body tells. */
function beginningOf(
  { prices, periods, projects }: Pick<Deps, 'prices' | 'periods' | 'projects'>,
  call: Call,
  { inputTokens }: Reservation,
): CallRecord {
  const costMicros = prices.estimate(call.model, { input: inputTokens, output: 0 }, call.createdAt)
  return {
    ...NOT_BOOKED,
    id: call.id,
    userId: call.caller.userId,
    keyId: call.caller.keyId,
    requestedModel: call.requestedModel,
    model: call.model,
    backend: '',
    ...columnsOf({ ...NO_TOKENS, input: inputTokens }),
    costMicros,
    inputMicros: costMicros,
    statusCode: 499,
    outcome: 'interrupted',
    estimated: true,
    unpriced: prices.rates(call.model, call.createdAt) === undefined,
    stream: call.stream,
    attempts: 0,
    latencyMs: 0,
    ttftMs: null,
    extra: null,
    createdAt: call.createdAt,
    promptLosses: [],
    client: call.client,
    session: call.conversation?.session ?? '',
    project: projects.recorded(call.caller.userId, call.project),
    contextWindow: contextWindowOf(inputTokens),
    billingGroupIds: call.caller.billingGroupIds,
    periodStarts: periods.startsAt(call.createdAt),
  }
}

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
  const { estimated, extra, promptLosses, webSearches, serviceTier, speed, geo } = known
  const price = prices.cost(known, begun.model, begun.createdAt)
  const largest = known.parts.reduce((most, { tokens }) => Math.max(most, promptOf(tokens)), 0)
  const contextWindow = contextWindowOf(largest)
  const named = { webSearches, serviceTier, speed, geo, contextWindow }
  return { ...columnsOf(sumOf(known)), ...price, ...named, estimated, extra, promptLosses }
}

/** As Anthropic's usage reports name it. */
function contextWindowOf(promptTokens: number): string {
  if (promptTokens === 0) return ''
  return promptTokens > 200_000 ? '200k-1M' : '0-200k'
}

function withInput(usage: BilledUsage, input: number): BilledUsage {
  const [first, ...others] = usage.parts
  if (!first) return usage
  return { ...usage, estimated: true, parts: [{ ...first, tokens: { ...first.tokens, input } }, ...others] }
}

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

function log(logger: Logger, { caller }: Call, record: CallRecord) {
  logger.info('call.done', {
    id: record.id,
    user: caller.itcode,
    key: caller.keyPrefix,
    model: record.model,
    backend: record.backend,
    status: record.statusCode,
    outcome: record.outcome,
    input: record.inputTokens,
    output: record.outputTokens,
    cache_read: record.cacheReadTokens,
    cache_write: record.cacheWrite5mTokens + record.cacheWrite1hTokens,
    cost_usd: usdOf(record.costMicros),
    estimated: record.estimated || undefined,
    attempts: record.attempts,
    ttft_ms: record.ttftMs,
    latency_ms: record.latencyMs,
  })
}

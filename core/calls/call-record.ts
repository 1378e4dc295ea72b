/** The record of one call, from its admission to its one row. */

import type { MadeObject } from '../db/objects.ts'
import type { Deps } from '../deps.ts'
import type { RefusalCode } from '../errors.ts'
import { recordedLimits } from '../limits/recorded.ts'
import { type Reservation, reservationOf } from '../limits/reservation.ts'
import type { BilledUsage } from '../metering/tokens.ts'
import type { Admission, CallRecord, Logger, MaybePromise, Outcome } from '../ports.ts'
import type { Prices } from '../pricing/prices.ts'
import { usdOf } from '../units.ts'
import type { Call } from './call.ts'
import { contextWindowOf, figuresOf } from './call-figures.ts'
import { createStory, type Listener } from './story.ts'

/** The record of a call that is not over yet. */
export interface OpenCallRecord extends Listener {
  admission: Admission
  /** The call goes as one for this model from now on. */
  sentAs(model: string): void
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

/** What became of a call up to its answer. */
type Sent = Pick<CallRecord, 'model' | 'backend' | 'attempts' | 'ttftMs'>

export function openCallRecord(deps: CallRecordParts, call: Call): OpenCallRecord {
  const { clock, prices, ledger, logger } = deps
  const reservation = reservationOf(deps, call)
  const begun = beginningOf(deps, call, reservation)
  const story = createStory(() => clock.elapsed() - call.startedAt)
  const sent: Sent = { model: call.model, backend: '', attempts: 0, ttftMs: null }

  function recordOf(end: CallEnd): CallRecord {
    const record = endedRecord(begun, sent, end)
    record.latencyMs = Math.round(clock.elapsed() - call.startedAt)
    record.story = story.text()
    record.upstreamId = story.upstreamId()
    return Object.assign(record, figuresAtEnd(end, record, prices.of(sent.backend)))
  }

  function remember(made: readonly MadeObject[]) {
    if (made.length > 0) deps.objects.remember({ userId: call.caller.userId, backend: sent.backend }, made)
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
      sent.backend = name
      sent.attempts += 1
      story.sentTo(name)
      if (sent.attempts === 1) deps.metrics?.callSent()
    },
    sentAs(name) {
      sent.model = name
    },
    ended: story.ended,
    firstByte(elapsed) {
      sent.ttftMs ??= Math.round(elapsed - call.startedAt)
    },
    update(status, usage, made = []) {
      remember(made)
      ledger.update(recordOf({ outcome: 'interrupted', status, usage, made }))
    },
    settle(end) {
      const { made = [] } = end
      remember(made)
      const record = recordOf(end)
      record.limits = recordedLimits(call.caller.counters, begun.periodStarts)
      const work = ledger.settle(record)
      if (work) deps.waitUntil(work)
      log(logger, call, record)
      deps.metrics?.callEnded({ target: call.target ?? call.path, headers: call.headers, record })
      if (made.length > 0 || call.mayPause || deps.settings.journal.fsync) return work
    },
  }
}

/** A copy with the end assigned to it, because records of one shape are read and written in half the time. */
function endedRecord(begun: CallRecord, sent: Sent, end: CallEnd): CallRecord {
  const record = { ...begun }
  record.model = sent.model
  record.backend = sent.backend
  record.attempts = sent.attempts
  record.ttftMs = sent.ttftMs
  record.outcome = end.outcome
  record.statusCode = end.status
  record.error = end.error ?? errorOf(end.outcome)
  return record
}

/** The figures of a call that ended so: by its usage, or by a guess where none is known. */
function figuresAtEnd(
  { outcome, usage, estimatedOutput, made = [] }: CallEnd,
  record: CallRecord,
  prices: Pick<Prices, 'cost' | 'estimate'>,
) {
  // Claude may have read the input of a call that was given up before any usage came, unless it was sent nowhere.
  const givenUp = outcome === 'client_aborted' || outcome === 'interrupted'
  const guessed = record.attempts === 0 ? undefined : (estimatedOutput ?? (givenUp && !usage ? 0 : undefined))
  if (guessed === undefined) return { ...figuresOf(usage, record, prices), madeObjects: made }
  return guessedFigures(record, prices, guessed)
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
    id: call.id,
    userId: call.caller.userId,
    keyId: call.caller.keyId,
    requestedModel: call.requestedModel,
    model: call.model,
    backend: '',
    inputTokens,
    outputTokens: 0,
    cacheReadTokens: 0,
    cacheWrite5mTokens: 0,
    cacheWrite1hTokens: 0,
    costMicros,
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
    madeObjects: [],
    billingGroupIds: call.caller.billingGroupIds,
    periodStarts: periods.startsAt(call.createdAt),
    client: call.client,
    project: projects.recorded(call.caller.userId, call.project),
    inputMicros: costMicros,
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
    contextWindow: contextWindowOf(inputTokens),
    limits: [],
    session: call.conversation?.session ?? '',
    error: '',
    upstreamId: '',
    story: '',
  }
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

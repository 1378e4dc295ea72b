/** The record of one call, from its admission to its one row. */
import type { Deps } from '../deps.ts'
import { reservationOf } from '../limits/reservation.ts'
import type { MadeObject } from '../objects/owner.ts'
import type { Admission, CallRecord, MaybePromise, Outcome } from '../ports.ts'
import { type Metered, NO_TOKENS, type TokenCounts } from '../usage/counts.ts'
import type { Call } from './call.ts'

export interface Booking {
  admission: Admission
  /** The call goes to this backend now; it may be the second or third. */
  sentTo(backend: string): void
  /** The first body byte came, at this time of the clock that never runs backwards. Later calls change nothing. */
  firstByte(elapsed: number): void
  /** Final usage is known, the answer still flows. */
  note(status: number, metered: Metered, made?: readonly MadeObject[]): void
  /** The call is over. Called once. A promise where the last byte has to wait for what its answer made to be stored. */
  settle(end: CallEnd): MaybePromise<void>
}

export interface CallEnd {
  outcome: Outcome
  /** As the client saw it. */
  status: number
  metered: Metered | undefined
  /**
   * Where nothing was metered but Claude is likely to have worked: the output tokens to book, beside the input as it was
   * estimated from the request.
   */
  estimatedOutput?: number
  /** What the answer made in the backend's account. */
  made?: readonly MadeObject[] | undefined
}

export function openBooking(deps: Deps, call: Call): Booking {
  const { clock, prices, ledger, logger } = deps
  const { inputTokens, ...reserved } = reservationOf(deps, call)
  const begun: CallRecord = {
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
    costMicros: prices.estimate(call.model, { input: inputTokens, output: 0 }, call.createdAt),
    statusCode: 499,
    outcome: 'interrupted',
    estimated: true,
    unpriced: false,
    stream: call.stream,
    attempts: 0,
    latencyMs: 0,
    ttftMs: null,
    extra: null,
    createdAt: call.createdAt,
    promptLosses: [],
  }
  let backend = ''
  let attempts = 0
  let ttftMs: number | null = null

  const sofar = () => ({
    backend,
    attempts,
    ttftMs,
    latencyMs: Math.round(clock.elapsed() - call.startedAt),
  })
  const estimate = (output: number): CallRecord => ({
    ...begun,
    ...sofar(),
    outputTokens: output,
    costMicros: prices.estimate(call.model, { input: inputTokens, output }, call.createdAt),
  })
  const filled = (outcome: Outcome, status: number, known: Metered | undefined): CallRecord => {
    const metered = known?.inputUnknown ? withInput(known, inputTokens) : known
    const tokens = metered ? sumOf(metered) : NO_TOKENS
    const price = metered
      ? prices.cost(metered, call.model, call.createdAt)
      : { costMicros: 0, unpriced: false }
    return {
      ...begun,
      ...sofar(),
      inputTokens: tokens.input,
      outputTokens: tokens.output,
      cacheReadTokens: tokens.cacheRead,
      cacheWrite5mTokens: tokens.cacheWrite5m,
      cacheWrite1hTokens: tokens.cacheWrite1h,
      ...price,
      statusCode: status,
      outcome,
      estimated: metered?.estimated ?? false,
      extra: metered?.extra ?? null,
      promptLosses: metered?.promptLosses ?? [],
    }
  }
  const remember = (made: readonly MadeObject[]) => {
    if (made.length > 0) deps.objects.remember({ userId: call.caller.userId, backend }, made)
  }
  return {
    admission: {
      begun,
      user: call.caller.userLimits,
      key: call.caller.keyLimits,
      ...reserved,
    },
    sentTo(name) {
      backend = name
      attempts += 1
    },
    firstByte(elapsed) {
      ttftMs ??= Math.round(elapsed - call.startedAt)
    },
    note(status, metered, made = []) {
      remember(made)
      ledger.note({ ...filled('interrupted', status, metered), madeObjects: made })
    },
    settle({ outcome, status, metered, estimatedOutput, made = [] }) {
      remember(made)
      // A client that left before any answer may have cost its input.
      const guessed = estimatedOutput ?? (outcome === 'client_aborted' && !metered ? 0 : undefined)
      const done =
        guessed === undefined
          ? { ...filled(outcome, status, metered), madeObjects: made }
          : { ...estimate(guessed), outcome, statusCode: status }
      const work = ledger.settle(done)
      if (work) deps.waitUntil(work)
      logger.info('call.done', {
        id: done.id,
        user: call.caller.itcode,
        key: call.caller.keyPrefix,
        model: done.model,
        backend: done.backend,
        status: done.statusCode,
        outcome: done.outcome,
        input: done.inputTokens,
        output: done.outputTokens,
        cache_read: done.cacheReadTokens,
        cache_write: done.cacheWrite5mTokens + done.cacheWrite1hTokens,
        cost_usd: done.costMicros / 1e6,
        estimated: done.estimated || undefined,
        attempts: done.attempts,
        ttft_ms: done.ttftMs,
        latency_ms: done.latencyMs,
      })
      if (work && made.length > 0) return work
    },
  }
}

/** The input as it was estimated from the request. */
function withInput(metered: Metered, input: number): Metered {
  const [first, ...others] = metered.parts
  if (!first) return metered
  return { ...metered, estimated: true, parts: [{ ...first, tokens: { ...first.tokens, input } }, ...others] }
}

function sumOf(metered: Metered): TokenCounts {
  const sum = { ...NO_TOKENS }
  for (const { tokens } of metered.parts) {
    sum.input += tokens.input
    sum.output += tokens.output
    sum.cacheRead += tokens.cacheRead
    sum.cacheWrite5m += tokens.cacheWrite5m
    sum.cacheWrite1h += tokens.cacheWrite1h
  }
  return sum
}

/** Tries backends until one answers: each at most once, and only while nothing has gone to the client. */

import { type Confirmation, isAccountVerdict } from '../backends/confirm.ts'
import { waitOf } from '../backends/kinds/anthropic.ts'
import { envelopeOf } from '../backends/kinds/error-envelope.ts'
import type { Selection } from '../backends/selection.ts'
import type { Deps } from '../deps.ts'
import { Refusal } from '../errors.ts'
import { headerOf } from '../http/headers.ts'
import type { UpstreamReply } from '../ports.ts'
import type { Stop } from '../stop.ts'
import { type Attempt, answerOf, attempt, type KeptAnswer } from './attempt.ts'
import type { Call } from './call.ts'
import { NO_THREADS } from './features.ts'
import { LATEST_RETRY_MS, SOONEST_RETRY_MS, selected, wantedOf } from './selecting.ts'
import type { Listener } from './story.ts'
import type { Failure } from './verdict.ts'

const ACCOUNT_RETRY_MS = 30_000

export type FailoverParts = Pick<
  Deps,
  'balancer' | 'settings' | 'clock' | 'random' | 'logger' | 'upstream' | 'confirm' | 'waitUntil'
> &
  Partial<Pick<Deps, 'metrics' | 'credentialsOf'>>

export type Served =
  /** `callers`: it is an error that the caller has to mend. */
  | {
      kind: 'answered'
      selection: Selection
      reply: UpstreamReply
      stop: Stop
      callers: boolean
      leftOut?: readonly string[]
    }
  /** Every backend failed; this is the last answer that may be shown. */
  | { kind: 'kept'; answer: KeptAnswer }
  /** A whole answer did not come in time. `answer`: the upstream said so itself. */
  | { kind: 'whole_answer_late'; answer: KeptAnswer | undefined }
  | { kind: 'client_gone' }

type Failed = Extract<Attempt, { kind: 'failed' }>

/**
 * Sends the call to one backend after the other. `listener` hears of each. Throws a Refusal: model_unknown,
 * body_too_large, unsupported_value, no_backend_available, account_unavailable, network_unavailable, upstream_timeout,
 * upstream_refused or all_backends_failed.
 */
export async function sendWithFailover(
  deps: FailoverParts,
  call: Call,
  listener?: Listener,
): Promise<Served> {
  const { balancer, settings, logger } = deps
  const tried = new Set<string>()
  let last: Failed | undefined
  let kept: KeptAnswer | undefined
  let confirming: Promise<Confirmation> | undefined
  let onlyAnswering = false
  while (tried.size < settings.retry.maxAttempts) {
    const choosing = selected(deps, call, tried, onlyAnswering)
    const selection = choosing instanceof Promise ? await choosing : choosing
    if (!selection) break
    if (call.signal.aborted) return leftBefore(selection)
    const { backend } = selection
    tried.add(backend.name)
    listener?.sentTo(backend.name)
    const sentAt = deps.clock.elapsed()
    const result = await attempt(deps, call, backend)
    listener?.ended(answerOf(result), result.kind === 'answered' ? result.reply.headers : undefined)
    if (result.kind === 'answered') {
      // Another limit holds for counting tokens.
      if (!call.countsTokens) selection.heard(result.reply.headers)
      return { ...result, selection }
    }
    if (result.kind === 'client_gone') {
      selection.done(undefined)
      return result
    }
    const pairAnswered = balancer.answeredSince(backend, call.model, sentAt)
    if (result.kind === 'whole_answer_late') {
      const counts = !result.byCaller && !pairAnswered
      selection.done(
        counts ? { kind: 'pair_failed', reason: 'no answer in time', fromNetwork: true } : undefined,
      )
      return { kind: 'whole_answer_late', answer: result.kept }
    }
    const verdict = balancer.judged(backend, result.verdict)
    selection.done(verdictToLearn(call, verdict, result.late && pairAnswered))
    deps.metrics?.attemptFailed(backend.name, verdict.kind)
    logger.warn('call.attempt_failed', { id: call.id, backend: backend.name, reason: verdict.reason })
    if (verdict.kind === 'ours') throw networkRefusal()
    confirming =
      isAccountVerdict(verdict) && !call.countsTokens ? confirmed(deps, call, selection, verdict) : undefined
    keepForOthers(deps, call, selection, { verdict, kept: result.kept, late: result.late })
    last = { ...result, verdict }
    if (isShown(verdict)) kept = result.kept ?? kept
    // A call that met a time-out is sent to one more backend at most, and only to one that answered somebody lately.
    if (onlyAnswering) break
    onlyAnswering = result.late
    if (selection.isLastResort) break
  }
  if (last && isAccountVerdict(last.verdict) && !kept) return ofAccount(call, last, await confirming)
  if (kept) return { kind: 'kept', answer: kept }
  if (last) throw call.boundTo === undefined ? failedRefusal(tried.size, last.late) : boundRefusal()
  throw noneRefusal(deps, call)
}

/** Nothing was sent, so nothing was learned and nobody pays. */
function leftBefore(selection: Selection): Served {
  selection.done(undefined)
  return { kind: 'client_gone' }
}

/** Counting tokens teaches nothing about messages: another limit holds for it, and some backends cannot do it. */
function verdictToLearn(call: Call, verdict: Failure, unproven: boolean): Failure | undefined {
  if (call.countsTokens) return verdict.kind === 'account_unreachable' ? verdict : undefined
  return unproven || isFastLimit(call, verdict) ? undefined : verdict
}

/**
 * Fast mode has limits of its own, which say nothing of other calls:
 * https://platform.claude.com/docs/en/build-with-claude/fast-mode#rate-limits
 */
function isFastLimit({ fast }: Call, { kind }: Failure): boolean {
  return fast && kind === 'pair_cooldown'
}

function confirmed(
  { balancer, confirm, waitUntil }: Pick<Deps, 'balancer' | 'confirm' | 'waitUntil'>,
  call: Call,
  { backend }: Selection,
  verdict: Parameters<Deps['confirm']['account']>[2],
): Promise<Confirmation> {
  // A disabled account needs no confirmation, because its half-open call has just got the same verdict.
  if (balancer.isDisabled(backend)) return Promise.resolve('confirmed')
  const confirming = confirm.account(backend, call.model, verdict)
  waitUntil(confirming)
  return confirming
}

/** Keeps what callers get who find no usable backend in the next 10 s: status and type, never anybody's words. */
function keepForOthers(
  { balancer, clock }: Pick<Deps, 'balancer' | 'clock'>,
  call: Call,
  { backend }: Selection,
  { verdict, kept, late }: Pick<Failed, 'verdict' | 'kept' | 'late'>,
) {
  if (call.countsTokens || isFastLimit(call, verdict)) return
  if (verdict.kind !== 'pair_failed' && verdict.kind !== 'pair_cooldown') return
  const now = clock.now()
  const wait = kept && waitOf(headerOf(kept.headers, 'retry-after'), now)
  balancer.keepRefusal(backend, call.model, {
    status: kept && kept.status >= 400 ? kept.status : late ? 504 : 502,
    type: envelopeOf(kept?.body)?.type || (late ? 'timeout_error' : 'api_error'),
    retryAt: wait === undefined ? undefined : now + wait,
  })
}

/** Whether the client may get the upstream's own answer: never one about our credential, and never one from a proxy. */
function isShown(verdict: Failure): boolean {
  if (verdict.kind === 'pair_failed' || verdict.kind === 'pair_cooldown') return true
  return verdict.kind === 'model_not_offered' && verdict.reason.startsWith('answered 404')
}

/** No other backend was left. If the account works after all, the answer was about this one call. */
function ofAccount(call: Call, { verdict, kept }: Failed, confirmation: Confirmation | undefined): Served {
  if (confirmation === 'passed' && kept && verdict.kind === 'account_unpaid') {
    return { kind: 'kept', answer: kept }
  }
  throw call.boundTo === undefined ? failedRefusal(1, false) : boundRefusal()
}

function failedRefusal(tried: number, late: boolean): Refusal {
  return late
    ? new Refusal('upstream_timeout', 'Claude did not begin to answer in time. Please try again.')
    : new Refusal('all_backends_failed', `All upstreams failed (${tried} attempted). Please try again.`)
}

function networkRefusal(): Refusal {
  return new Refusal(
    'network_unavailable',
    'The gateway cannot reach any upstream. Please try again shortly.',
    {
      retryAfterMs: LATEST_RETRY_MS,
    },
  )
}

function boundRefusal(): Refusal {
  const message =
    'The account that holds what this call names cannot take calls right now, and no other account has it. Please try again.'
  return new Refusal('account_unavailable', message, { retryAfterMs: ACCOUNT_RETRY_MS })
}

function noneRefusal({ balancer, random }: Pick<Deps, 'balancer' | 'random'>, call: Call): Refusal {
  const lack = balancer.lack(wantedOf(call))
  if (lack === 'body') {
    return new Refusal('body_too_large', 'No upstream of this model takes a request of this size.')
  }
  if (lack !== undefined) {
    const said = `${lack}: no upstream of this model can do this here.`
    return new Refusal('unsupported_value', said, lack === 'thread' ? NO_THREADS : {})
  }
  if (call.boundTo !== undefined) return boundRefusal()
  if (!balancer.serves(call.model)) return new Refusal('model_unknown', `model: ${call.model}`)
  const why = balancer.whyNone(wantedOf(call))
  if (why === 'unavailable') return new Refusal('model_unknown', `model: ${call.model}`)
  if (why === 'disabled') {
    return new Refusal('all_backends_failed', 'No upstream account can be used. Ask an administrator.')
  }
  return new Refusal(
    'no_backend_available',
    'No upstream can take calls right now. Please try again shortly.',
    {
      retryAfterMs: SOONEST_RETRY_MS + random() * (LATEST_RETRY_MS - SOONEST_RETRY_MS),
    },
  )
}

/** One call to one backend: its address and credential, the limits on its first byte, and what its answer means. */
import { exchanged } from '../backends/exchange.ts'
import { openingError, opensAsError, opensClearly, statusWithin } from '../backends/kinds/anthropic.ts'
import type { Outgoing } from '../backends/kinds/kind.ts'
import { kindOf } from '../backends/kinds/kinds.ts'
import { verdictOfFault } from '../backends/network.ts'
import type { Deps } from '../deps.ts'
import { mediaTypeOf } from '../http/headers.ts'
import type { HeaderPairs, MaybePromise, UpstreamReply } from '../ports.ts'
import type { Backend } from '../settings.ts'
import { createStop, type Stop } from '../stop.ts'
import type { Call } from './call.ts'
import { concealed, credentialForms, masked } from './conceal.ts'
import { peeked } from './peek.ts'
import type { AttemptAnswer } from './story.ts'
import { type Failure, isFailure } from './verdict.ts'
import { wholeBody } from './whole-body.ts'

/** Claude's longest errors quote a part of the request. */
const ERROR_BODY_BYTES = 256 * 1024
/** How long the rest of an error may take. */
const REST_MS = 5_000
/** More than Claude takes to write one, also when it is slow. */
const SLOWEST_TOKEN_MS = 50

/** An error answer, whole. */
export interface KeptAnswer {
  /** It is in OpenAI's interface, in which the call came. */
  native?: boolean
  status: number
  headers: HeaderPairs
  body: Uint8Array
}

export type Attempt =
  /** `leftOut`: paths of what this kind of backend was not sent. */
  | { kind: 'answered'; reply: UpstreamReply; stop: Stop; callers: boolean; leftOut?: readonly string[] }
  | { kind: 'failed'; verdict: Failure; kept: KeptAnswer | undefined; late: boolean }
  /**
   * A whole answer did not come in time, so that Claude is likely to have worked on it. `byCaller`: the caller would not
   * wait for longer.
   */
  | { kind: 'whole_answer_late'; byCaller: boolean; kept: KeptAnswer | undefined }
  | { kind: 'client_gone' }

/** As the call's row keeps it. */
export function answerOf(result: Attempt): AttemptAnswer {
  if (result.kind === 'answered') return result.reply.status
  if (result.kind === 'client_gone') return 'client_gone'
  if (result.kept) return result.kept.status
  if (result.kind === 'whole_answer_late' || result.late) return 'timeout'
  return result.verdict.kind
}

/** Sends the call, whose client is still there, to `backend`. Never throws. */
export async function attempt(
  deps: Pick<Deps, 'clock' | 'settings' | 'upstream'> & Partial<Pick<Deps, 'credentialsOf'>>,
  call: Call,
  backend: Backend,
): Promise<Attempt> {
  const { clock } = deps
  const stop = createStop()
  const onGone = () => stop.abort(call.signal.reason)
  call.signal.addEventListener('abort', onGone)
  const limit = firstByteLimit(deps, call, backend)
  let timedOut = false
  let waitsForWhole = limit.whole
  const after = (ms: number) =>
    clock.after(ms, () => {
      timedOut = true
      stop.abort(new Error('no answer in time'))
    })
  let cancelTimer = after(limit.ms)
  try {
    const outgoing = outgoingOf(call, backend)
    const request = kindOf(backend).addressed(backend, outgoing)
    const came = await exchanged(deps, backend, { request, outgoing }, stop.signal)
    const secrets = deps.credentialsOf?.(backend)?.secrets()
    const reply = concealed(came, backend, secrets)
    if (reply.status >= 400) {
      // The rest of an error is not waited for as long as its beginning, and Claude does not work on an answer meanwhile.
      waitsForWhole = false
      cancelTimer()
      cancelTimer = after(REST_MS)
    }
    const judging = judged(deps, reply, { backend, secrets, stop, whole: limit.whole })
    const result = judging instanceof Promise ? await judging : judging
    if (request.leftOut?.length && result.kind === 'answered') result.leftOut = request.leftOut
    if (call.native && backend.speaksOpenAi && 'kept' in result && result.kept) result.kept.native = true
    return result
  } catch (cause) {
    if (call.signal.aborted) return { kind: 'client_gone' }
    if (timedOut && waitsForWhole)
      return { kind: 'whole_answer_late', byCaller: limit.byCaller, kept: undefined }
    const verdict: Failure = timedOut
      ? { kind: 'pair_failed', reason: 'no first byte in time', fromNetwork: true }
      : verdictOfFault(cause)
    return { kind: 'failed', verdict, kept: undefined, late: timedOut }
  } finally {
    cancelTimer()
    call.signal.removeEventListener('abort', onGone)
  }
}

/**
 * How long this call may wait for its first byte. A whole answer has none before it is finished, so there the lower of
 * the client's own limit (`X-Stainless-Timeout`) and `retry.whole_answer_timeout` holds. An answer that is only asked for as a
 * whole because it is short may take as long as a stream's first byte and the writing of it, and is then asked of another backend.
 */
function firstByteLimit({ settings }: Pick<Deps, 'settings'>, call: Call, backend: Backend) {
  const { firstByteTimeoutMs, wholeAnswerTimeoutMs } = settings.retry
  const isNative = call.native !== undefined && backend.speaksOpenAi
  const streams = isNative ? call.stream : (call.streamsUpstream ?? call.stream)
  if (streams || call.countsTokens) return { ms: firstByteTimeoutMs, whole: false, byCaller: false }
  if (!isNative && call.streamsUpstream === false) {
    const writingMs = (call.maxTokens ?? Number.POSITIVE_INFINITY) * SLOWEST_TOKEN_MS
    return {
      ms: Math.min(firstByteTimeoutMs + writingMs, wholeAnswerTimeoutMs),
      whole: false,
      byCaller: false,
    }
  }
  const ofCaller = call.clientTimeoutMs ?? Number.POSITIVE_INFINITY
  return {
    ms: Math.min(ofCaller, wholeAnswerTimeoutMs),
    whole: true,
    byCaller: ofCaller < wholeAnswerTimeoutMs,
  }
}

function judged(
  { clock }: Pick<Deps, 'clock'>,
  reply: UpstreamReply,
  { whole, ...of }: Judging & { whole: boolean },
): MaybePromise<Attempt> {
  const now = clock.now()
  if (reply.status >= 400) return judgedError(reply, { ...of, whole }, now)
  if (reply.status >= 300 || !reply.first) return judgedBeginning(reply, of, now)
  if (!isStream(reply)) {
    return opensAsError(reply.first)
      ? judgedError(reply, { ...of, whole }, now)
      : judgedBeginning(reply, of, now)
  }
  if (opensClearly(reply.first)) return judgedBeginning(reply, of, now)
  return peeked(reply, opensClearly).then((opened) => judgedBeginning(opened, of, now))
}

/** An error, also one that was sent as a success. */
async function judgedError(
  reply: UpstreamReply,
  { backend, stop, whole }: Judging & { whole: boolean },
  now: number,
): Promise<Attempt> {
  const { headers } = reply
  const kind = kindOf(backend)
  const whatCame = await wholeBody(reply.pipe, ERROR_BODY_BYTES)
  const status = reply.status < 400 ? statusWithin(whatCame) : reply.status
  const came = { status, headers, body: whatCame }
  const error = kind.errorOf?.(came) ?? came
  const { body = EMPTY } = error
  // HTTP knows no status above: https://www.rfc-editor.org/rfc/rfc9110#section-15
  const kept = error.body && status < 600 && !isPage(headers) ? { ...error, body } : undefined
  if (status === 504 && whole) return { kind: 'whole_answer_late', byCaller: false, kept }
  const verdict = kind.verdictOf({ ...came, now })
  if (isFailure(verdict)) return { kind: 'failed', verdict, kept, late: false }
  return { kind: 'answered', reply: asReply({ ...error, body }), stop, callers: true }
}

interface Judging {
  backend: Backend
  /** What its credentials hold. */
  secrets: readonly string[] | undefined
  stop: Stop
}

/** A success, or a redirect. A stream is judged by its first event, which `reply.first` has whole. */
function judgedBeginning(reply: UpstreamReply, { backend, secrets, stop }: Judging, now: number): Attempt {
  const { status, headers, first } = reply
  const verdict = kindOf(backend).verdictOf({ status, headers, body: first, now })
  if (!isFailure(verdict)) {
    return { kind: 'answered', reply, stop, callers: verdict.kind === 'callers' }
  }
  reply.cancel()
  const opening = first && isStream(reply) ? openingError(first) : undefined
  const kept = opening && {
    status: opening.status,
    headers: [['content-type', 'application/json']] satisfies HeaderPairs,
    body: masked(new TextEncoder().encode(opening.json), credentialForms(backend, secrets)),
  }
  return { kind: 'failed', verdict, kept, late: false }
}

function isStream({ headers }: UpstreamReply): boolean {
  return mediaTypeOf(headers) === 'text/event-stream'
}

const EMPTY = new Uint8Array()

function isPage(headers: HeaderPairs): boolean {
  return mediaTypeOf(headers) === 'text/html'
}

/** A reply whose whole body is there already. */
function asReply({ status, headers, body }: KeptAnswer): UpstreamReply {
  return { status, headers, first: body, pipe: (sink) => sink.write(body), cancel: () => {} }
}

/** The call as this backend is asked it, in one of the interfaces that it speaks. */
function outgoingOf(
  { path, headers, body, model, stream, streamsUpstream, native }: Call,
  { speaksOpenAi }: Backend,
): Outgoing {
  if (native && speaksOpenAi) return { ...native, method: 'POST', model, stream, openAi: true }
  return { method: 'POST', path, headers, body, model, stream: streamsUpstream ?? stream, openAi: false }
}

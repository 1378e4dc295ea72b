/** One call from admission to answer: reserve, find a backend, hand its answer on, settle it. The one way through. */
import type { Deps } from '../deps.ts'
import { asRefusal, Refusal } from '../errors.ts'
import { headerText } from '../http/headers.ts'
import { limitHeaders, limitRefusal } from '../limits/refusals.ts'
import type { Admitted, HeaderPairs, Reply } from '../ports.ts'
import type { KeptAnswer } from './attempt.ts'
import type { Call } from './call.ts'
import { type CallRecordParts, type OpenCallRecord, openCallRecord } from './call-record.ts'
import { type FailoverParts, type Served, sendWithFailover } from './failover.ts'
import { sendWithFallbacks } from './fallback.ts'
import { clientHeaders } from './forwarded-headers.ts'
import { outcomeOfLeaving, type RelayParts, relay } from './relay.ts'

/** The client left before it was answered: there is nobody to tell. */
export class ClientGone extends Error {}

export type Forwarded = Reply & {
  /** The answer is of a backend that speaks OpenAI's interface, in which the call came. */
  native: boolean
  /** The backend that answered; '' where none did. */
  backend: string
}

/** Output tokens a second that are assumed of an answer that never came: about the most that Claude writes. */
const TOKENS_A_SECOND = 80

export type ForwardParts = CallRecordParts & FailoverParts & RelayParts & Pick<Deps, 'ledger'>

/** A metered call: exactly one record, whatever its end. Throws a Refusal, or ClientGone. */
export async function forward(deps: ForwardParts, call: Call): Promise<Forwarded> {
  const record = openCallRecord(deps, call)
  const reserving = deps.ledger.reserve(record.admission)
  const admitted = reserving instanceof Promise ? await reserving : reserving
  if (!admitted.ok) {
    deps.metrics?.limitReached(admitted)
    // It is sent nowhere.
    deps.wire.free(call.body)
    if (call.native) deps.wire.free(call.native.body)
    throw limitRefusal(deps.settings, admitted, call.caller.counters, deps.clock.now())
  }
  const sentAt = deps.clock.elapsed()
  let sent: { call: Call; served: Served }
  try {
    sent = call.fallbacks
      ? await sendWithFallbacks(deps, call, record)
      : { call, served: await sendWithFailover(deps, call, record) }
  } catch (cause) {
    const { status, code } = asRefusal(cause)
    record.settle({ outcome: 'error', status, error: code, usage: undefined })
    throw cause
  }
  const { served } = sent
  if (served.kind === 'client_gone') {
    const estimatedOutput = waitsForWhole(call) ? writtenSince(deps, call, sentAt) : 0
    record.settle({ outcome: outcomeOfLeaving(call.signal), status: 499, usage: undefined, estimatedOutput })
    throw new ClientGone()
  }
  if (served.kind === 'whole_answer_late') {
    const estimatedOutput = writtenSince(deps, call, sentAt)
    record.settle({
      outcome: 'error',
      status: 504,
      error: 'upstream_timeout',
      usage: undefined,
      estimatedOutput,
    })
  }
  return answer(deps, sent.call, served, { record, admitted, asked: call.model })
}

/** A call that is neither metered nor limited: count_tokens. Throws a Refusal, or ClientGone. */
export async function forwardFree(deps: FailoverParts & RelayParts, call: Call): Promise<Forwarded> {
  const counting = { ...call, countsTokens: true }
  const served = await sendWithFailover(deps, counting)
  if (served.kind === 'client_gone') throw new ClientGone()
  return answer(deps, counting, served, undefined)
}

function waitsForWhole({ stream, streamsUpstream }: Call): boolean {
  return !(streamsUpstream ?? stream)
}

/** What Claude may have written of an answer that nobody got, in tokens. */
function writtenSince({ clock }: Pick<Deps, 'clock'>, { maxTokens }: Call, sentAt: number): number {
  const seconds = (clock.elapsed() - sentAt) / 1000
  return Math.min(maxTokens ?? Number.POSITIVE_INFINITY, Math.ceil(seconds * TOKENS_A_SECOND))
}

function answer(
  deps: RelayParts,
  call: Call,
  served: Exclude<Served, { kind: 'client_gone' }>,
  metering: { record: OpenCallRecord; admitted: Extract<Admitted, { ok: true }>; asked: string } | undefined,
): Forwarded {
  const extraHeaders = metering ? limitHeaders(metering.admitted) : []
  if (served.kind === 'whole_answer_late') {
    if (served.answer) return keptReply(served.answer, call.id, extraHeaders)
    throw new Refusal(
      'upstream_timeout',
      'Claude did not finish its answer in time. Please stream long answers.',
    )
  }
  if (served.kind === 'kept') {
    metering?.record.settle({ outcome: 'error', status: served.answer.status, usage: undefined })
    return keptReply(served.answer, call.id, extraHeaders)
  }
  const { selection, reply, stop, callers, leftOut } = served
  if (leftOut) extraHeaders.push(warning(`not sent to this upstream: ${leftOut.join(', ')}`))
  if (metering && metering.asked !== call.model) {
    const why = `no upstream can serve ${metering.asked} right now`
    extraHeaders.push(warning(`answered by ${call.model}, because ${why}`))
  }
  const native = call.native !== undefined && selection.backend.speaksOpenAi
  const relayed = { call, reply, stop, native, callers, record: metering?.record, extraHeaders, selection }
  return { ...relay(deps, relayed), native, backend: selection.backend.name }
}

function warning(what: string): [string, string] {
  return ['x-gateway-warning', headerText(what)]
}

function keptReply(kept: KeptAnswer, requestId: string, extraHeaders: HeaderPairs): Forwarded {
  return {
    native: kept.native ?? false,
    backend: '',
    status: kept.status,
    headers: [...clientHeaders(kept.headers, requestId), ...extraHeaders],
    async pipe(sink) {
      await sink.write(kept.body)
    },
  }
}

/** Hands an upstream's answer on, byte for byte, while a usage meter reads the same bytes; settles the call when it ends. */

import { verdictOfLateError } from '../backends/kinds/anthropic.ts'
import type { Selection } from '../backends/selection.ts'
import type { Deps } from '../deps.ts'
import { mediaTypeOf } from '../http/headers.ts'
import { createStreamMeter } from '../metering/anthropic-stream.ts'
import type { UsageMeter } from '../metering/meter.ts'
import { createOpenAiStreamMeter, OPENAI_ANSWERS } from '../metering/openai.ts'
import { createWholeMeter } from '../metering/whole-answer.ts'
import { createMadeReader } from '../objects/made.ts'
import type { HeaderPairs, MaybePromise, Outcome, Reply, Sink, UpstreamReply } from '../ports.ts'
import { PING } from '../sse/ping.ts'
import { ProcessEnds, type Stop, type StopSignal } from '../stop.ts'
import type { Call } from './call.ts'
import type { OpenCallRecord } from './call-record.ts'
import { clientHeaders } from './forwarded-headers.ts'
import type { Verdict } from './verdict.ts'

export type RelayParts = Pick<Deps, 'clock' | 'settings' | 'wire'>

export interface Answer {
  call: Call
  reply: UpstreamReply
  /** Stops the upstream exchange. */
  stop: Stop
  /** Absent for what is not metered. */
  record: OpenCallRecord | undefined
  /** The backend speaks OpenAI's interface, in which the call came. */
  native: boolean
  /** Headers of our own, about the caller's limits. */
  extraHeaders: HeaderPairs
  /** The answer is an error that the caller has to mend. */
  callers: boolean
  selection: Selection
}

export function relay(deps: RelayParts, answer: Answer): Reply {
  const { call, reply } = answer
  return {
    bodyFreed: freed(deps, answer),
    status: reply.status,
    headers: [...clientHeaders(reply.headers, call.id), ...answer.extraHeaders],
    pipe: (sink) => flow(deps, answer, sink),
  }
}

/**
 * Gives the memory of the request's body back, because from here on the call goes to no other backend. It is not left to the
 * garbage collector, which cost more than all else that is done for a request of 1 MB.
 */
function freed({ wire }: Pick<Deps, 'wire'>, { call, reply, native }: Answer): boolean {
  return (reply.sent?.() ?? false) && wire.free(native && call.native ? call.native.body : call.body)
}

function flow(deps: RelayParts, answer: Answer, sink: Sink): MaybePromise<void> {
  const { call, reply, stop, record, selection } = answer
  const { clock, settings } = deps
  const meter = record && reply.first && reply.status < 300 ? meterFor(answer) : undefined
  const made = meter && createMadeReader(call, isStream(answer))
  const { idleTimeoutMs } = settings.retry
  let lastByteAt = clock.elapsed()
  let clientIsSlow = false
  let stalled = false
  let clientLeft = false
  let updated = false
  let settled = false

  let begun = false
  const begin = () => {
    begun = true
    record?.firstByte(lastByteAt)
    if (record && reply.status < 300) selection.firstByte()
  }

  const read = (meter: UsageMeter, chunk: Uint8Array): MaybePromise<void> => {
    meter.write(chunk)
    made?.write(chunk)
    // Settled before the last byte leaves, because the call of a client that has its whole answer must be recorded.
    const state = meter.state()
    if (state === 'complete') return settle(meter.error() === undefined ? 'ok' : 'error')
    if (state !== 'usage' || updated) return
    updated = true
    record?.update(reply.status, meter.usage(), made?.made())
  }
  const write = (chunk: Uint8Array): void | Promise<void> => {
    if (chunk !== PING) lastByteAt = clock.elapsed()
    if (!begun) begin()
    const stored = meter && !settled ? read(meter, chunk) : undefined
    const wait = stored ? stored.then(() => sink.write(chunk)) : sink.write(chunk)
    if (!wait) return
    clientIsSlow = true
    return wait.then(
      () => {
        clientIsSlow = false
      },
      (cause) => {
        clientLeft = true
        throw cause
      },
    )
  }
  const settle = (outcome: Outcome): MaybePromise<void> => {
    if (settled) return
    settled = true
    return record?.settle({ outcome, status: reply.status, usage: meter?.usage(), made: made?.made() })
  }

  const ended = () => {
    meter?.end()
    const whole = meter === undefined || meter.state() === 'complete'
    if (reply.status >= 400 || meter?.error() !== undefined) settle('error')
    else settle(whole ? 'ok' : 'upstream_cut')
    selection.done(whole ? verdictOf(answer, meter) : cut('ended before message_stop'))
  }
  const failed = (cause: unknown) => {
    meter?.end()
    const left = clientLeft || (stalled && clientIsSlow)
    if (reply.status >= 400) settle('error')
    else settle(left ? outcomeOfLeaving(call.signal) : 'upstream_cut')
    // A client that left in the middle proves nothing about the backend.
    selection.done(left ? undefined : cut(stalled ? 'silent for too long' : 'cut its answer'))
    throw cause
  }

  // Runtimes tell of a client that left by the request, by the response or by both.
  const signals = sink.left ? [call.signal, sink.left] : [call.signal]
  const onGone = () => {
    clientLeft = true
    stop.abort(new Error('client left'))
  }
  if (signals.some(({ aborted }) => aborted)) onGone()
  const flowing = reply.pipe({ write })
  // The whole answer is delivered: there is nothing to watch.
  if (!flowing) return ended()

  // One timer per stream, not one per chunk: it looks when the limit can have passed at the earliest.
  const watch = (ms: number): (() => void) =>
    clock.after(ms, () => {
      const silentMs = clock.elapsed() - lastByteAt
      if (silentMs < idleTimeoutMs) cancelWatch = watch(idleTimeoutMs - silentMs)
      else {
        stalled = true
        stop.abort(new Error('silent for too long'))
      }
    })
  let cancelWatch = watch(idleTimeoutMs)
  for (const signal of signals) signal.addEventListener('abort', onGone)
  return flowing.then(ended, failed).finally(() => {
    cancelWatch()
    for (const signal of signals) signal.removeEventListener('abort', onGone)
  })
}

/** How a call ended whose answer nobody takes any more: the client left, or this process ended before the answer did. */
export function outcomeOfLeaving({ reason }: StopSignal): 'client_aborted' | 'interrupted' {
  return reason instanceof ProcessEnds ? 'interrupted' : 'client_aborted'
}

function isStream({ reply }: Answer): boolean {
  return mediaTypeOf(reply.headers) === 'text/event-stream'
}

function meterFor(answer: Answer): UsageMeter {
  const { native, call } = answer
  const streamed = isStream(answer)
  if (native) return streamed ? createOpenAiStreamMeter() : createWholeMeter(OPENAI_ANSWERS)
  return streamed ? createStreamMeter() : createWholeMeter(undefined, call.uses?.has('fallbacks'))
}

/** An error event of the upstream's own making counts against it, even in a stream that ended well. */
function verdictOf({ record, callers }: Answer, meter: UsageMeter | undefined): Verdict | undefined {
  // A call that only counts tokens says nothing about messages.
  if (!record) return undefined
  if (callers) return { kind: 'callers' }
  const error = meter?.error()
  return error === undefined ? { kind: 'served' } : verdictOfLateError(error)
}

function cut(reason: string): Verdict {
  return { kind: 'pair_failed', reason, fromNetwork: true }
}

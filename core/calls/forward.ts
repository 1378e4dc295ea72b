/** One call from admission to answer: reserve, find a backend, hand its answer on, book it. The one way through. */
import type { Deps } from '../deps.ts'
import { asRefusal } from '../errors.ts'
import { limitHeaders, limitRefusal } from '../limits/refusals.ts'
import type { Admitted, HeaderPairs, Reply } from '../ports.ts'
import type { KeptAnswer } from './attempt.ts'
import type { Call } from './call.ts'
import { type Booking, openBooking } from './call-record.ts'
import { type Served, sendWithFailover } from './failover.ts'
import { clientHeaders } from './forwarded-headers.ts'
import { relay } from './relay.ts'

/** The client left before it was answered: there is nobody to tell. */
export class ClientGone extends Error {}

/** `native`: a backend answered that speaks OpenAI's interface, in which the call came. */
export type Forwarded = Reply & { native: boolean }

/** A metered call: exactly one record, whatever its end. Throws a Refusal, or ClientGone. */
export async function forward(deps: Deps, call: Call): Promise<Forwarded> {
  const booking = openBooking(deps, call)
  const admitted = await deps.ledger.reserve(booking.admission)
  if (!admitted.ok) throw limitRefusal(deps.policy, admitted, deps.clock.now())
  let served: Served
  try {
    served = await sendWithFailover(deps, call, 'metered', booking.sentTo)
  } catch (cause) {
    booking.settle({ outcome: 'error', status: asRefusal(cause).status, metered: undefined })
    throw cause
  }
  if (served.kind === 'client_gone') {
    booking.settle({ outcome: 'client_aborted', status: 499, metered: undefined })
    throw new ClientGone()
  }
  return answer(deps, call, served, { booking, admitted })
}

/** A call that is neither metered nor limited: count_tokens. Throws a Refusal, or ClientGone. */
export async function forwardFree(deps: Deps, call: Call): Promise<Reply> {
  const served = await sendWithFailover(deps, call, 'free')
  if (served.kind === 'client_gone') throw new ClientGone()
  return answer(deps, call, served, undefined)
}

function answer(
  deps: Deps,
  call: Call,
  served: Exclude<Served, { kind: 'client_gone' }>,
  metering: { booking: Booking; admitted: Extract<Admitted, { ok: true }> } | undefined,
): Forwarded {
  const { policy } = deps
  const extraHeaders = metering ? limitHeaders(policy, metering.admitted) : []
  if (served.kind === 'kept') {
    metering?.booking.settle({ outcome: 'error', status: served.answer.status, metered: undefined })
    return { ...keptReply(served.answer, call.id, extraHeaders), native: false }
  }
  const { lease, reply, stop } = served
  const native = call.native !== undefined && lease.backend.speaksOpenAi
  const relayed = { call, reply, stop, native, booking: metering?.booking, extraHeaders, done: lease.done }
  return { ...relay(deps, relayed), native }
}

function keptReply(kept: KeptAnswer, requestId: string, extraHeaders: HeaderPairs): Reply {
  return {
    status: kept.status,
    headers: [...clientHeaders(kept.headers, requestId), ...extraHeaders],
    async pipe(sink) {
      await sink.write(kept.body)
    },
  }
}

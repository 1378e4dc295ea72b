/** Calls that go from one backend to the next. */
import type { Confirmation } from '../../core/backends/confirm.ts'
import { ConnectError } from '../../core/backends/network.ts'
import type { Call } from '../../core/calls/call.ts'
import { sendWithFailover } from '../../core/calls/failover.ts'
import type { UpstreamRequest } from '../../core/ports.ts'
import type { Backend } from '../../core/settings.ts'
import type { StopSignal } from '../../core/stop.ts'
import { backend, OPUS } from './backends.ts'
import { balancing } from './balancing.ts'
import { call } from './call.ts'
import { type PlainAnswer, portUpstream } from './port-upstream.ts'

export type Answer = PlainAnswer | Error | ((signal: StopSignal) => Promise<PlainAnswer>)
type Parts = Parameters<typeof sendWithFailover>[0]

export const errorOf = (status: number, type: string, message = 'm'): PlainAnswer => ({
  status,
  body: { type: 'error', error: { type, message } },
})
export const SERVED: PlainAnswer = { body: '{}' }
export const OVERLOADED = errorOf(529, 'overloaded_error')
export const REFUSED = errorOf(401, 'authentication_error')
export const UNPAID = errorOf(402, 'billing_error')
export const NOT_OFFERED = errorOf(404, 'not_found_error', `model: ${OPUS}`)
export const UNREACHABLE = new ConnectError(Object.assign(new Error(), { code: 'ECONNREFUSED' }))
export const NO_NETWORK = new ConnectError(Object.assign(new Error(), { code: 'ENETUNREACH' }))

/** Calls that go through failover. `answers`: of each backend, in the order in which they are tried. */
export function failoverScene(
  answers: Record<string, Answer>,
  given: { confirmation?: Confirmation; maxAttempts?: number; backends?: Backend[] } = {},
) {
  const { confirmation = 'unknown', maxAttempts = 3 } = given
  const names = Object.keys(answers)
  // The first has by far the largest share of all conversations.
  const backends =
    given.backends ?? names.map((name, i) => backend(name, { weight: 1000 ** (names.length - i) }))
  const scene = balancing(backends)
  const { balancer, clock, logger } = scene
  const tried: string[] = []
  const confirmed: string[] = []
  const nameOf = ({ origin }: UpstreamRequest) => new URL(origin).hostname.replace('.test', '')
  const upstream = portUpstream(async (request, signal) => {
    const answer = answers[nameOf(request)] ?? {}
    if (answer instanceof Error) throw answer
    return typeof answer === 'function' ? answer(signal) : answer
  })
  const retry = { maxAttempts, firstByteTimeoutMs: 60_000, wholeAnswerTimeoutMs: 600_000 }
  const parts = {
    balancer,
    clock,
    logger,
    upstream,
    settings: { retry },
    random: () => 0.5,
    waitUntil: () => {},
    confirm: {
      account: async ({ name }: Backend, model: string, { kind }: { kind: string }) => {
        confirmed.push(`${name} ${model} ${kind}`)
        return confirmation
      },
    },
  } as unknown as Parts // what failover uses of them
  const send = (told: Partial<Call> = {}) =>
    sendWithFailover(parts, call(told), { sentTo: (name) => tried.push(name), ended: () => {} })
  return { ...scene, parts, upstream, tried, confirmed, send }
}
export const statusOf = (served: Awaited<ReturnType<typeof sendWithFailover>>) =>
  served.kind === 'kept' ? served.answer.status : served.kind

export type Scene = ReturnType<typeof failoverScene>

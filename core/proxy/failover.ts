/** Tries backends until one answers: each at most once, and only while nothing has gone to the client. */
import type { Lease } from '../balance/balancer.ts'
import type { Deps } from '../deps.ts'
import { Refusal } from '../errors.ts'
import type { UpstreamReply } from '../ports.ts'
import type { Stop } from '../stop.ts'
import { attempt, type KeptAnswer } from './attempt.ts'
import type { Call } from './call.ts'

const DEFAULT_REST_MS = 5_000

export type Served =
  | { kind: 'answered'; lease: Lease; reply: UpstreamReply; stop: Stop }
  /** Every backend failed; this is the last answer that may be shown. */
  | { kind: 'kept'; answer: KeptAnswer }
  | { kind: 'client_gone' }

/**
 * Sends the call to one backend after the other. `onTry` hears each backend's name. Throws a Refusal: model_unknown,
 * no_backend_available, upstream_timeout or all_backends_failed.
 */
export async function sendWithFailover(
  deps: Deps,
  call: Call,
  onTry: (backend: string) => void,
): Promise<Served> {
  const { balancer, policy, logger } = deps
  const tried = new Set<string>()
  let kept: KeptAnswer | undefined
  let timedOut = false
  while (tried.size < policy.retry.maxAttempts) {
    const lease = balancer.pick(call, tried)
    if (!lease) break
    const { name } = lease.backend
    tried.add(name)
    onTry(name)
    const result = await attempt(deps, call, lease.backend)
    if (result.kind === 'answered') return { ...result, lease }
    if (result.kind === 'client_gone') {
      lease.done(undefined)
      return result
    }
    lease.done(result.verdict)
    kept = result.kept ?? kept
    timedOut = result.timedOut
    logger.warn('call.attempt_failed', { id: call.id, backend: name, reason: result.reason })
  }
  if (kept) return { kind: 'kept', answer: kept }
  throw refusal(deps, call, tried.size, timedOut)
}

function refusal({ balancer }: Deps, call: Call, tried: number, timedOut: boolean): Refusal {
  if (tried > 0) {
    return timedOut
      ? new Refusal('upstream_timeout', 'Claude did not begin to answer in time. Please try again.')
      : new Refusal('all_backends_failed', `All upstreams failed (${tried} attempted). Please try again.`)
  }
  if (!balancer.serves(call.model)) return new Refusal('model_unknown', `model: ${call.model}`)
  return new Refusal(
    'no_backend_available',
    'No upstream can take calls right now. Please try again shortly.',
    {
      retryAfterMs: balancer.restMs(call.model) ?? DEFAULT_REST_MS,
    },
  )
}

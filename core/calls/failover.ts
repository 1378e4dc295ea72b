/** Tries backends until one answers: each at most once, and only while nothing has gone to the client. */
import type { Lease } from '../backends/balancer.ts'
import type { Deps } from '../deps.ts'
import { Refusal } from '../errors.ts'
import type { UpstreamReply } from '../ports.ts'
import type { Stop } from '../stop.ts'
import { type Attempt, attempt, type KeptAnswer } from './attempt.ts'
import type { Call } from './call.ts'

const DEFAULT_REST_MS = 5_000

export type Served =
  | { kind: 'answered'; lease: Lease; reply: UpstreamReply; stop: Stop }
  /** Every backend failed; this is the last answer that may be shown. */
  | { kind: 'kept'; answer: KeptAnswer }
  | { kind: 'client_gone' }

/** A call of the kind that limits and health are about, or one beside them, such as count_tokens. */
export type Kind = 'metered' | 'free'

/**
 * Sends the call to one backend after the other. `onTry` hears each backend's name. Throws a Refusal: model_unknown,
 * no_backend_available, upstream_timeout or all_backends_failed.
 */
export async function sendWithFailover(
  deps: Deps,
  call: Call,
  kind: Kind,
  onTry: (backend: string) => void = () => {},
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
    if (result.kind === 'answered') return { ...result, lease: kind === 'free' ? silent(lease) : lease }
    if (result.kind === 'client_gone') {
      lease.done(undefined)
      return result
    }
    lease.done(kind === 'free' ? ofFree(result) : result.verdict)
    kept = result.kept ?? kept
    timedOut = result.how === 'timed out'
    logger.warn('call.attempt_failed', { id: call.id, backend: name, reason: result.reason })
  }
  if (kept) return { kind: 'kept', answer: kept }
  throw refusal(deps, call, tried.size, timedOut)
}

/** A backend that cannot count tokens, or not so many at once, answers messages all the same. */
function ofFree({ how, verdict }: Extract<Attempt, { kind: 'failed' }>) {
  return how === 'unreachable' || verdict?.kind === 'barred' ? verdict : undefined
}

/** Nor does it prove anything that one counts well. */
function silent(lease: Lease): Lease {
  return { ...lease, done: () => lease.done(undefined) }
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

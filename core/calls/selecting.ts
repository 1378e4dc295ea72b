/** Which backend a call is sent to next. */
import type { Selection, Wanted } from '../backends/selection.ts'
import type { KeptRefusal } from '../backends/tries.ts'
import type { Deps } from '../deps.ts'
import { Refusal } from '../errors.ts'
import type { MaybePromise } from '../ports.ts'
import type { Call } from './call.ts'

/** `retry-after` where nothing better is known: random between these two, so that callers do not all come back at once. */
export const SOONEST_RETRY_MS = 1_000
export const LATEST_RETRY_MS = 5_000

/** What a backend is wanted for. */
export function wantedOf(call: Call): Wanted {
  const { model, caller, conversation, boundTo, native, uses, body, countsTokens = false } = call
  const onlyNative = native?.only
  const asked = { model, person: caller.userId, conversation, boundTo, onlyNative, uses }
  return { ...asked, bytes: body.length, teachesNothing: countsTokens }
}

type SelectingParts = Pick<Deps, 'balancer' | 'clock' | 'random'>

/**
 * The next backend. Where none is usable and none was tried, one that is out is tried all the same. Rejects with a Refusal
 * upstream_refused. A promise only where something has to be waited for.
 */
export function selected(
  deps: SelectingParts,
  call: Call,
  tried: ReadonlySet<string>,
  onlyAnswering: boolean,
): MaybePromise<Selection | undefined> {
  if (call.steersTo !== undefined && tried.size === 0) return steered(deps, call, call.steersTo, tried)
  const usual = deps.balancer.select(wantedOf(call), tried, onlyAnswering)
  const isThere = usual !== undefined && !(usual instanceof Promise)
  return isThere ? usual : searched(deps, call, tried, usual)
}

/** The backend that the call's own words steer to, if it is usable. */
async function steered(
  deps: SelectingParts,
  call: Call,
  steersTo: string,
  tried: ReadonlySet<string>,
): Promise<Selection | undefined> {
  const { balancer } = deps
  const wanted = wantedOf(call)
  const found = await balancer.select({ ...wanted, boundTo: call.boundTo ?? steersTo }, tried)
  return found ?? searched(deps, call, tried, balancer.select(wanted, tried))
}

async function searched(
  { balancer, clock, random }: SelectingParts,
  call: Call,
  tried: ReadonlySet<string>,
  choosing: MaybePromise<Selection | undefined>,
): Promise<Selection | undefined> {
  const usual = await choosing
  if (usual || tried.size > 0) return usual
  const found = await balancer.tryAnyway(wantedOf(call))
  if (!found) return undefined
  if ('selection' in found) return found.selection
  throw keptRefusal(found.refusal, clock.now(), random())
}

function keptRefusal({ status, type, retryAt }: KeptRefusal, now: number, random: number): Refusal {
  const wait = retryAt === undefined ? 0 : retryAt - now
  const retryAfterMs = wait > 0 ? wait : SOONEST_RETRY_MS + random * (LATEST_RETRY_MS - SOONEST_RETRY_MS)
  return new Refusal(
    'upstream_refused',
    'The upstreams of this model are failing or overloaded. Please try again.',
    {
      retryAfterMs,
      shown: { status, type },
    },
  )
}

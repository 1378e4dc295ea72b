/**
 * One exchange with one account about what exists there only. No other account is asked instead, nobody gets an answer that is
 * about our credential, and nothing is learnt about the account's health, because other limits hold for such requests.
 */
import { exchanged } from '../backends/exchange.ts'
import type { Kind } from '../backends/kinds/kind.ts'
import { kindOf } from '../backends/kinds/kinds.ts'
import { verdictOfFault } from '../backends/network.ts'
import type { KeptAnswer } from '../calls/attempt.ts'
import { concealed } from '../calls/conceal.ts'
import { ClientGone } from '../calls/forward.ts'
import { wholeBody } from '../calls/whole-body.ts'
import type { Deps } from '../deps.ts'
import { Refusal } from '../errors.ts'
import { mediaTypeOf } from '../http/headers.ts'
import type { HeaderPairs, UpstreamReply } from '../ports.ts'
import type { Backend } from '../settings.ts'
import { createStop, type Stop, type StopSignal } from '../stop.ts'

export type AccountParts = Pick<Deps, 'balancer' | 'clock' | 'settings' | 'upstream' | 'logger'> &
  Partial<Pick<Deps, 'credentialsOf'>>

export interface AccountRequest {
  method: 'GET' | 'POST' | 'DELETE'
  /** Path and query. */
  path: string
  /** As core/calls/forwarded-headers.ts lets them pass. */
  headers: HeaderPairs
  body?: Uint8Array | AsyncIterable<Uint8Array>
  signal: StopSignal
}

/** An answer of the account, of which a success is not read yet. */
export interface AccountAnswer {
  reply: UpstreamReply
  /** Ends the exchange. */
  stop: Stop
}

/** The account cannot be reached, and nothing of the request has left. */
export class Unreached extends Refusal {}
/** The account answered that it does nothing with the request, for a reason that is not the caller's to know. */
export class Declined extends Refusal {}

const RETRY_MS = 30_000
/** How long an account may take to begin an answer about what it has stored, so that one that is silent keeps nobody for long. */
const STORED_MS = 60_000
/** How long the rest of a short answer may take. */
const REST_MS = 30_000
const ERROR_BYTES = 256 * 1024
const ANSWER_BYTES = 4 * 1024 * 1024

/** The backend of this name. Throws a Refusal account_unavailable that says why it cannot be asked. */
export function accountNamed({ balancer }: Pick<Deps, 'balancer'>, name: string): Backend {
  const found = balancer.views().find(({ backend }) => backend.name === name)?.backend
  if (!found) throw unavailable('is no longer configured here')
  if (!found.enabled) throw unavailable('is switched off')
  return found
}

/**
 * Asks an account. An answer above 299 is whole. Throws a Refusal: account_unavailable (Unreached where nothing was sent,
 * Declined where nothing was done), network_unavailable, upstream_timeout, what `body` throws; or ClientGone.
 */
export async function askAccount(
  deps: AccountParts,
  backend: Backend,
  { method, path, headers, body, signal }: AccountRequest,
): Promise<AccountAnswer> {
  const { clock, settings, logger } = deps
  const stop = createStop()
  const onGone = () => stop.abort(signal.reason)
  if (signal.aborted) throw new ClientGone()
  signal.addEventListener('abort', onGone)
  const { wholeAnswerTimeoutMs } = settings.retry
  const wait = createWait(
    clock,
    stop,
    body ? wholeAnswerTimeoutMs : Math.min(wholeAnswerTimeoutMs, STORED_MS),
  )
  const sending = body && !(body instanceof Uint8Array) ? watched(body, wait) : undefined
  if (!sending) wait.begin()
  const outgoing = { method, path, headers, body: undefined, model: undefined, stream: false, openAi: false }
  const kind = kindOf(backend)
  try {
    const addressed = kind.addressed(backend, outgoing)
    const request = { ...addressed, body: sending?.pieces ?? (body instanceof Uint8Array ? body : undefined) }
    const came = await exchanged(deps, backend, { request, outgoing }, stop.signal)
    const reply = concealed(came, backend, deps.credentialsOf?.(backend)?.secrets())
    if (reply.status < 300) return { reply, stop }
    return { reply: asReply(await errorOf(kind, reply, clock.now())), stop }
  } catch (cause) {
    if (cause instanceof Refusal) throw cause
    if (sending?.failure()) throw sending.failure()
    if (signal.aborted) throw new ClientGone()
    if (wait.isOver())
      throw new Refusal('upstream_timeout', 'The account did not answer in time. Please try again.')
    const verdict = verdictOfFault(cause)
    logger.warn('account.not_reached', { backend: backend.name, reason: verdict.reason })
    if (verdict.kind === 'ours')
      throw new Refusal('network_unavailable', 'The gateway cannot reach any upstream.')
    throw unavailable('cannot be reached', verdict.kind === 'account_unreachable' ? Unreached : undefined)
  } finally {
    wait.end()
    signal.removeEventListener('abort', onGone)
  }
}

/** A JSON answer, whole: what uploads, metadata and deletions are answered with. Throws as askAccount. */
export async function askForJson(
  parts: AccountParts,
  backend: Backend,
  request: AccountRequest,
): Promise<KeptAnswer> {
  const { reply, stop } = await askAccount(parts, backend, request)
  const cancel = parts.clock.after(REST_MS, () => stop.abort(new Error('silent for too long')))
  const body = await wholeBody(reply.pipe, ANSWER_BYTES)
    .catch(() => undefined)
    .finally(cancel)
  if (!body) throw unavailable('broke its answer off')
  return { status: reply.status, headers: reply.headers, body }
}

/** An answer about the account instead of the request becomes a Refusal. */
async function errorOf(kind: Kind, reply: UpstreamReply, now: number): Promise<KeptAnswer> {
  const { status, headers } = reply
  const body = await wholeBody(reply.pipe, ERROR_BYTES).catch(() => undefined)
  const verdict = kind.verdictOf({ status, headers, body, now })
  switch (verdict.kind) {
    case 'account_refused':
      throw unavailable('refuses the credential of this gateway', Declined)
    case 'account_unpaid':
      throw unavailable('has no credit left', Declined)
    case 'foreign':
      throw unavailable('is behind something that refuses the request', Declined)
    default:
      if (status < 400 || !body || mediaTypeOf(headers) === 'text/html')
        throw unavailable('answered with nothing')
      return { status, headers, body }
  }
}

function unavailable(why: string, Of: typeof Refusal = Refusal): Refusal {
  const message = `The account that this belongs to ${why}, and no other account has it.`
  return new Of('account_unavailable', message, { retryAfterMs: RETRY_MS })
}

/** The time limit on an account begins whenever it has to do something, because nobody knows how long a client takes to send. */
function createWait(clock: Deps['clock'], stop: Stop, mostMs: number) {
  let cancel = () => {}
  let over = false
  return {
    begin() {
      cancel = clock.after(mostMs, () => {
        over = true
        stop.abort(new Error('no answer in time'))
      })
    },
    end: () => cancel(),
    isOver: () => over,
  }
}

/** The same pieces, while the account is waited for until it takes the next, and until it answers; tells what they failed with. */
function watched(
  pieces: AsyncIterable<Uint8Array>,
  wait: Pick<ReturnType<typeof createWait>, 'begin' | 'end'>,
) {
  let failure: unknown
  async function* watching() {
    try {
      for await (const piece of pieces) {
        wait.begin()
        yield piece
        wait.end()
      }
      wait.begin()
    } catch (cause) {
      failure = cause
      throw cause
    }
  }
  return { pieces: watching(), failure: () => failure }
}

function asReply({ status, headers, body }: KeptAnswer): UpstreamReply {
  return { status, headers, first: body, pipe: (sink) => sink.write(body), cancel: () => {} }
}

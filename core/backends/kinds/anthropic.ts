/**
 * Claude's own interface: what its answers mean. Decided from the parsed error (`error.type`,
 * `error.details.error_code`, the beginning of `error.message`), never from text anywhere in a body, because Claude
 * quotes callers' words. Error types: https://platform.claude.com/docs/en/api/errors
 */
import type { Verdict } from '../../calls/verdict.ts'
import { headerOf, mediaTypeOf } from '../../http/headers.ts'
import type { Backend } from '../../settings.ts'
import { OPENING_BYTES, type OpeningEvent, openingEvent } from '../../sse/event-name.ts'
import { DAY_MS } from '../../units.ts'
import { originOf } from '../address.ts'
import { type ErrorEnvelope, envelopeOf, NO_ENVELOPE, parsedEnvelope, statusOf } from './error-envelope.ts'
import type { Addressed, JudgedAnswer, Kind, Outgoing } from './kind.ts'

/** A backend that asks for an hour is asked again after a minute, because a refused try costs less than a wrong wait. */
const LONGEST_COOLDOWN_MS = 60_000
/** Limits are renewed each month: an account that names a later time would be out for ever by one wrong answer. */
const LONGEST_UNPAID_MS = 31 * DAY_MS
const DEFAULT_COOLDOWN_MS = 10_000

/** How Claude begins a 400 that is about the account and not about the request. */
const UNPAID_OPENINGS = [
  'You have reached your specified API usage limits',
  'You have reached your specified workspace API usage limits',
  'Your credit balance is too low',
  'This organization has been disabled',
]
/** Codes of a 400 that are about the account. */
const UNPAID_CODES = new Set([
  'organization_on_hold',
  'cmek_key_disabled',
  'cmek_key_network_blocked',
  'claude_code_key_creator_not_member',
])
/** Codes of a 429 that no waiting cures: enforced_spend_limit_reached, contract_…, insufficient_quota and the like. */
const UNPAID_RATE = /spend_limit|credit|contract|insufficient_quota/

/** Requests go as they are, below the backend's url. */
export const ANTHROPIC: Kind = {
  addressed,
  keyHeader: (key, { openAi }) => (openAi ? ['authorization', `Bearer ${key}`] : ['x-api-key', key]),
  verdictOf,
  check: { lists: true, request: addressed },
  lacks: new Set(),
}

function addressed({ url }: Backend, { method, path, headers, body }: Outgoing): Addressed {
  const { origin, base } = originOf(url)
  return { origin, method, path: base + path, headers, body }
}

/** What an answer means. Pure. */
export function verdictOf(answer: JudgedAnswer): Verdict {
  const { status } = answer
  if (status >= 200 && status < 300) return ofSuccess(answer)
  if (status >= 500 || status < 400) return failed(`answered ${status}`)
  return ofRefusal(answer, envelopeOf(answer.body))
}

function ofSuccess(answer: JudgedAnswer): Verdict {
  const { status, body } = answer
  const type = mediaTypeOf(answer.headers)
  if (!body && status === 200) return failed('answered with nothing')
  if (type === 'text/html') return failed('answered with a web page')
  if (type !== 'text/event-stream' || !body) return { kind: 'served' }
  if (opensOrdinarily(body)) return { kind: 'served' }
  const opening = openingError(body)
  if (opening) return ofStreamedError(answer, opening.envelope)
  if (body.length > OPENING_BYTES || openingEvent(body)) return { kind: 'served' }
  // Some relays send a whole answer under the type of a stream.
  if (opensAsError(body)) return ofStreamedError(answer, envelopeOf(body) ?? NO_ENVELOPE)
  return body[0] === OPEN_BRACE ? { kind: 'served' } : failed('streamed nothing')
}

/** The error that a stream opens with, with the status that its type stands for; undefined when it opens otherwise. */
export function openingError(
  body: Uint8Array,
): { status: number; envelope: ErrorEnvelope; json: string } | undefined {
  const opening = opensOrdinarily(body) ? undefined : openingEvent(body)
  if (!opening || !isError(opening)) return undefined
  const envelope = parsedEnvelope(opening.data) ?? NO_ENVELOPE
  return { status: statusOf(envelope), envelope, json: opening.data }
}

/** In bytes: enough for the first member of an error and the spaces before it. */
const ERROR_OPENING_BYTES = 48
const ERROR_OPENING = /^\s*\{\s*"(type"\s*:\s*"error"|error"\s*:\s*\{)/
const [QUOTE, T, E, OPEN_BRACE] = [0x22, 0x74, 0x65, 0x7b]

/** Whether a whole answer begins as an error, which some proxies send with status 200. No caller's words stand there. */
export function opensAsError(body: Uint8Array): boolean {
  // By its first letter, because nearly every answer begins with another member and text costs more than a look.
  const first = body[body.indexOf(QUOTE) + 1]
  if (first !== T && first !== E) return false
  return ERROR_OPENING.test(new TextDecoder().decode(body.subarray(0, ERROR_OPENING_BYTES)))
}

/** The status that an error should have been sent with. */
export function statusWithin(body: Uint8Array | undefined): number {
  const envelope = envelopeOf(body)
  return envelope ? statusOf(envelope) : 500
}

/** Whether the first bytes of a stream are enough to judge it: all of its first event, or all of its error's data. */
export function opensClearly(body: Uint8Array): boolean {
  if (opensOrdinarily(body)) return true
  const opening = openingEvent(body)
  if (!opening) return false
  return isError(opening) ? parsedEnvelope(opening.data) !== undefined : opening.whole
}

/** Also one without a name in OpenAI's envelope, which other gateways send. */
const isError = ({ event, data }: OpeningEvent) =>
  event === 'error' || (event === undefined && ERROR_OPENING.test(data))

/** Nearly every stream starts "event: message_", so nothing of it needs to be decoded. */
function opensOrdinarily(body: Uint8Array): boolean {
  return body[7] === 0x6d && body[14] === 0x5f && body[0] === 0x65 && body[6] === 0x20
}

/** What an `error` event means, judged like an answer with the status of its type. */
function ofStreamedError(answer: JudgedAnswer, envelope: ErrorEnvelope): Verdict {
  const status = statusOf(envelope)
  if (status >= 500) return failed(`streamed ${envelope.type}`)
  return ofRefusal({ ...answer, status, headers: [] }, envelope)
}

/** An error event later in a stream: only the upstream's own failures count, because the call was being served. */
export function verdictOfLateError(type: string): Verdict {
  const status = statusOf({ type })
  return status >= 500 ? failed(`streamed ${type}`) : { kind: 'served' }
}

function ofRefusal(answer: JudgedAnswer, envelope: ErrorEnvelope | undefined): Verdict {
  const { status } = answer
  const reason = `answered ${status}${envelope?.code ? ` (${envelope.code.slice(0, 64)})` : ''}`
  if (status === 429) return ofTooMany(answer, envelope, reason)
  if (!envelope) return { kind: 'foreign', reason }
  switch (status) {
    case 400:
      return isUnpaid(envelope) ? unpaid(reason, answer, envelope) : { kind: 'callers' }
    case 401:
      return { kind: 'account_refused', reason }
    case 402:
      return envelope.code.startsWith('linked_organization_')
        ? { kind: 'callers' }
        : unpaid(reason, answer, envelope)
    case 403:
      return /^(user_profile|sandbox)_/.test(envelope.code)
        ? { kind: 'callers' }
        : { kind: 'model_not_offered', reason }
    case 404:
      return namesModel(envelope) ? { kind: 'model_not_offered', reason } : { kind: 'callers' }
    default:
      return { kind: 'callers' }
  }
}

function ofTooMany(answer: JudgedAnswer, envelope: ErrorEnvelope | undefined, reason: string): Verdict {
  const { headers, now } = answer
  if (envelope && UNPAID_RATE.test(envelope.code)) return unpaid(reason, answer, envelope)
  const asked = waitOf(headerOf(headers, 'retry-after'), now)
  if (asked !== undefined) return { kind: 'pair_cooldown', reason, untilMs: now + asked }
  if (!envelope) return { kind: 'foreign', reason }
  const exhausted = headers.some(
    ([name, value]) => /^anthropic-ratelimit-.*-remaining$/.test(name) && value.trim() === '0',
  )
  const certain = exhausted || envelope.code === 'ramp_limit_exceeded'
  return { kind: 'pair_cooldown', reason, untilMs: certain ? now + DEFAULT_COOLDOWN_MS : undefined }
}

/** Claude's 404 for a model reads "model: NAME"; OpenAI's has a code. */
export function namesModel({ message, code }: ErrorEnvelope): boolean {
  return message.startsWith('model:') || code === 'model_not_found'
}

function isUnpaid({ message, code }: ErrorEnvelope): boolean {
  return UNPAID_CODES.has(code) || UNPAID_OPENINGS.some((opening) => message.startsWith(opening))
}

/**
 * Milliseconds of a retry-after in seconds or as an HTTP date, one minute at most; undefined when it says nothing usable.
 * See https://www.rfc-editor.org/rfc/rfc9110#section-10.2.3
 */
export function waitOf(retryAfter: string | undefined, now: number): number | undefined {
  const given = retryAfter?.trim() ?? ''
  const ms = /^\d+(\.\d+)?$/.test(given) ? Number(given) * 1000 : Date.parse(given) - now
  if (!Number.isFinite(ms) || ms <= 0) return undefined
  return Math.min(ms, LONGEST_COOLDOWN_MS)
}

function failed(reason: string): Verdict {
  return { kind: 'pair_failed', reason, fromNetwork: false }
}

/** `resetAt` comes from retry-after, or from Claude's sentence ("You will regain access on 2026-12-01 at 00:00 UTC."). */
function unpaid(reason: string, { headers, now }: JudgedAnswer, envelope: ErrorEnvelope): Verdict {
  const seconds = Number(headerOf(headers, 'retry-after'))
  const named = /\bon (\d{4}-\d{2}-\d{2})(?: at (\d{2}:\d{2}) UTC)?/.exec(envelope.message)
  const date = named ? Date.parse(`${named[1]}T${named[2] ?? '00:00'}:00Z`) : Number.NaN
  const resetAt = seconds > 0 ? now + seconds * 1000 : date
  const known = resetAt > now ? Math.min(resetAt, now + LONGEST_UNPAID_MS) : undefined
  return { kind: 'account_unpaid', reason, resetAt: known }
}

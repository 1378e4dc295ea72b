/**
 * When an account or a (backend, model) is taken out and let back in. Pure: stores only keep what this decides.
 *
 * Decision: failures are kept with the person whose call failed, because one person can make any call fail (a long
 * prompt, an odd field) and must not take a backend from everybody else. One person therefore never ejects alone, unless
 * nobody else called there in the last minute.
 */

import { MINUTE_MS } from '../units.ts'
import {
  CHECK_EVERY_MS,
  EVIDENCE_MS,
  type Health,
  type HealthState,
  inTime,
  NOBODY,
  standingOf,
  TRY_MS,
} from './health.ts'

export type HealthEvent = { at: number } & (
  | { kind: 'succeeded'; sentAt: number }
  /** A call that was tried while the account or pair was out got its first byte. */
  | { kind: 'opened' }
  /** `alone`: nobody else called there in the last minute. `trial`: it was the half-open call. */
  | { kind: 'failed'; person: number; alone: boolean; trial: boolean; reason: string }
  | { kind: 'cooldown'; until: number; reason: string }
  /** A refusal that may concern its caller only. */
  | { kind: 'doubted'; what: 'rate' | 'model'; person: number; reason: string }
  | { kind: 'not_offered'; reason: string }
  /** The account is ejected as a whole: two of its models are, or a check could not reach it. */
  | { kind: 'ejected'; reason: string }
  /** `person`: whose half-open call met it again. */
  | {
      kind: 'disabled'
      cause: 'refused' | 'unpaid'
      until?: number | undefined
      person: number
      reason: string
    }
  /** The half-open call is this person's. */
  | { kind: 'claimed'; person: number }
  /** Half-open at once, because an administrator's check passed. */
  | { kind: 'reset' }
  /** It has another address or credential now: what was known of it no longer holds. */
  | { kind: 'renewed' }
  /** A call of our own is about to ask; only one process may send it. */
  | { kind: 'checking'; what: 'account' | 'model' }
)

export interface HealthSettings {
  failureThreshold: number
  cooldownMs: number
}

const LONGEST_EJECTION_MS = 5 * MINUTE_MS
const UNAVAILABLE_MS = 5 * MINUTE_MS
const LONGEST_DISABLED_MS = 60 * MINUTE_MS
const FIRST_DISABLED_MS = { refused: MINUTE_MS, unpaid: 5 * MINUTE_MS }
/** A refusal that two people met within `withinMs` is not about one of them: the pair then cools down for `restMs`. */
const DOUBTS = {
  rate: { withinMs: 10_000, restMs: 10_000 },
  model: { withinMs: MINUTE_MS, restMs: 30_000 },
}

const CLEAN = {
  state: 'healthy',
  cause: '',
  reason: '',
  until: 0,
  failures: [],
  doubts: [],
  strikes: 0,
  lastTry: null,
  failedBy: NOBODY,
} satisfies Partial<Health>
const FRESH: Health = {
  ...CLEAN,
  since: 0,
  checkedAt: { account: 0, model: 0 },
  revision: 0,
}

/** The record after `event`, or undefined when the event changes nothing. */
export function nextHealth(
  seen: Health | undefined,
  event: HealthEvent,
  settings: HealthSettings,
): Health | undefined {
  const from = healed(inTime(seen ?? FRESH, event.at), event.at)
  const change = changeBy(from, event, settings)
  return change && { ...from, ...change, revision: from.revision + 1 }
}

function healed(health: Health, now: number): Health {
  const passed = health.state === 'cooling_down' || health.state === 'unavailable'
  return passed && health.until <= now
    ? { ...health, state: 'healthy', reason: '', since: health.until, until: 0 }
    : health
}

function changeBy(from: Health, event: HealthEvent, settings: HealthSettings): Partial<Health> | undefined {
  const { at } = event
  switch (event.kind) {
    case 'succeeded':
      return succeeded(from, event.sentAt, at)
    case 'opened':
      if (from.state === 'healthy') return undefined
      return { state: 'healthy', cause: '', reason: '', since: at, until: 0 }
    case 'failed':
      return failed(from, event, settings)
    case 'cooldown': {
      if (from.state === 'ejected' || from.state === 'disabled' || from.until >= event.until) return undefined
      return { state: 'cooling_down', since: at, until: event.until, reason: event.reason, doubts: [] }
    }
    case 'doubted':
      return doubted(from, event)
    case 'not_offered':
      if (from.state === 'disabled') return undefined
      return out(from, 'unavailable', { at, until: at + UNAVAILABLE_MS, reason: event.reason })
    case 'ejected': {
      if (from.state === 'disabled' || from.state === 'ejected') return undefined
      const until = at + ejectionMs(settings, from.strikes)
      return { ...out(from, 'ejected', { at, until, reason: event.reason }), cause: 'failures' }
    }
    case 'disabled':
      return disabled(from, event)
    case 'claimed':
      if (standingOf(from, at) !== 'due') return undefined
      return { lastTry: { person: event.person, endsAt: at + TRY_MS } }
    case 'reset':
      if (from.state === 'healthy') return undefined
      return { until: at, lastTry: null, strikes: 0 }
    case 'renewed':
      return isClean(from) ? undefined : { ...CLEAN, since: at }
    case 'checking': {
      const recently = at - from.checkedAt[event.what] < CHECK_EVERY_MS && at >= from.checkedAt[event.what]
      return recently ? undefined : { checkedAt: { ...from.checkedAt, [event.what]: at } }
    }
  }
}

function succeeded(from: Health, sentAt: number, at: number): Partial<Health> | undefined {
  const isOut = from.state === 'ejected' || from.state === 'disabled'
  // A call that was sent before it was taken out says nothing about it since.
  if (isOut && sentAt < from.since) return undefined
  if (isClean(from)) return undefined
  return { ...CLEAN, since: from.state === 'healthy' ? from.since : at }
}

function isClean({ state, failures, doubts, strikes }: Health): boolean {
  return state === 'healthy' && failures.length + doubts.length + strikes === 0
}

function failed(
  from: Health,
  event: Extract<HealthEvent, { kind: 'failed' }>,
  settings: HealthSettings,
): Partial<Health> | undefined {
  const { at, person, alone, reason } = event
  if (from.state === 'ejected' || from.state === 'disabled') {
    return event.trial ? struck(from, { at, person, reason }, settings) : undefined
  }
  if (from.state === 'unavailable') return undefined
  const cap = Math.max(1, settings.failureThreshold - 1)
  const recent = from.failures.filter((failure) => failure.at > at - EVIDENCE_MS)
  const counted = [...recent, { at, person }]
  const failures = person === NOBODY ? counted : withoutOldest(counted, person, cap)
  const needed =
    alone || person === NOBODY ? settings.failureThreshold : Math.max(2, settings.failureThreshold)
  const count = alone || person === NOBODY ? counted.length : failures.length
  if (count < needed) return { failures, ...(from.state === 'healthy' ? { reason } : {}) }
  const onePerson = person !== NOBODY && counted.every((failure) => failure.person === person)
  const until = at + ejectionMs(settings, from.strikes)
  return {
    ...out(from, 'ejected', { at, until, reason }),
    cause: onePerson ? 'one_person' : 'failures',
    failures,
  }
}

/** The half-open call failed. A second failure in a row of the same person lengthens no wait, because they may cause it. */
function struck(
  from: Health,
  { at, person, reason }: { at: number; person: number; reason: string },
  settings: HealthSettings,
): Partial<Health> | undefined {
  const lastTry = { person, endsAt: at }
  if (person !== NOBODY && from.failedBy === person) return { lastTry }
  const strikes = from.strikes + 1
  const waitMs =
    from.state === 'disabled' && from.cause !== ''
      ? disabledMs(from.cause, strikes)
      : ejectionMs(settings, strikes)
  return { strikes, until: at + waitMs, reason, failedBy: person, lastTry }
}

function doubted(
  from: Health,
  event: Extract<HealthEvent, { kind: 'doubted' }>,
): Partial<Health> | undefined {
  if (from.state !== 'healthy') return undefined
  const { at, person, what, reason } = event
  const { withinMs, restMs } = DOUBTS[what]
  const others = from.doubts.filter((doubt) => doubt.what !== what)
  const before = from.doubts.find((doubt) => doubt.what === what)
  if (before && before.person !== person && at - before.at <= withinMs) {
    return { state: 'cooling_down', since: at, until: at + restMs, reason, doubts: others }
  }
  return { doubts: [...others, { what, at, person }] }
}

function disabled(from: Health, event: Extract<HealthEvent, { kind: 'disabled' }>): Partial<Health> {
  const { at, cause, reason, person } = event
  if (from.state === 'disabled') {
    if (from.until > at) return { cause, reason }
    const again = from.failedBy === person && person !== NOBODY
    const strikes = again ? from.strikes : from.strikes + 1
    const until = Math.max(event.until ?? 0, at + disabledMs(cause, strikes))
    return { cause, reason, strikes, until, failedBy: person, lastTry: { person, endsAt: at } }
  }
  const until = Math.max(event.until ?? 0, at + disabledMs(cause, 0))
  return { ...out(from, 'disabled', { at, until, reason }), cause, strikes: 0 }
}

function out(
  from: Health,
  state: HealthState,
  { at, until, reason }: { at: number; until: number; reason: string },
): Partial<Health> {
  const since = from.state === state ? from.since : at
  return { state, since, until, reason, lastTry: null, doubts: [], failures: [], cause: '' }
}

function withoutOldest(failures: Health['failures'], person: number, most: number): Health['failures'] {
  const own = failures.filter((failure) => failure.person === person)
  if (own.length <= most) return failures
  const oldest = own[0]
  return failures.filter((failure) => failure !== oldest)
}

function ejectionMs({ cooldownMs }: HealthSettings, strikes: number): number {
  return Math.min(cooldownMs * 2 ** strikes, Math.max(LONGEST_EJECTION_MS, cooldownMs))
}

function disabledMs(cause: Health['cause'], strikes: number): number {
  const first = cause === 'unpaid' ? FIRST_DISABLED_MS.unpaid : FIRST_DISABLED_MS.refused
  return Math.min(first * 2 ** strikes, LONGEST_DISABLED_MS)
}

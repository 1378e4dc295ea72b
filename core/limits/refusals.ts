/** What a caller learns about their limits: a refusal when one is reached, headers while one is near. */
import { Refusal } from '../errors.ts'
import type { Admitted, Counter, Denied, HeaderPairs } from '../ports.ts'
import type { Settings } from '../settings.ts'

const WARN_SHARES = [0.95, 0.75] as const
/** A share of 1 would say that nothing passes any more. */
const MOST_SHOWN = 0.99
/** Shares are quotients: 0.29 times 100 is a little less than 29. */
const ROUNDING = 1e-9
const PREFIX = 'anthropic-ratelimit-unified'

const RATES = {
  requests_per_minute: ['requests per minute', 'Please slow down.'],
  tokens_per_minute: ['tokens per minute', 'Please slow down.'],
  concurrency: ['concurrent requests', 'Let one finish first.'],
} as const

/**
 * The refusal for a call that was not admitted: over quota 429 billing_error, too fast 429 rate_limit_error. `counters`: what
 * the call counts against.
 */
export function limitRefusal(
  settings: Settings,
  denied: Extract<Admitted, { ok: false }>,
  counters: readonly Counter[],
  now: number,
): Refusal {
  if (denied.limit === 'unavailable') {
    return new Refusal(
      'limits_unavailable',
      'Limits cannot be checked right now, so no call can be made. Try later.',
      { headers: [[`${PREFIX}-overage-disabled-reason`, 'fetch_error']] },
    )
  }
  const retryAfterMs = denied.resetAt - now
  const owner = ownerName(denied, counters)
  if (!('held' in denied)) {
    const [what, advice] = RATES[denied.limit]
    const message = `The limit of ${what} of ${owner} is reached. ${advice}`
    return new Refusal('rate_limited', message, { retryAfterMs })
  }
  const what = amountName(denied, owner)
  if (denied.held) {
    const message = `Calls under way may use up what is left of ${what}. Try again when one has ended.`
    return new Refusal('rate_limited', message, { retryAfterMs })
  }
  const asking = askingFor(denied, settings.publicUrl)
  const headers = spentHeaders(denied)
  if (denied.period === 'total') {
    return new Refusal('quota_exceeded', `${capital(what)} is used up. ${asking}`, { headers })
  }
  const renewed = timeIn(settings.limits.timeZone, denied.resetAt)
  const message = `${capital(what)} is used up; it is renewed on ${renewed}. ${asking}`
  return new Refusal('quota_exceeded', message, { retryAfterMs, headers })
}

function ownerName({ scope, id }: Denied, counters: readonly Counter[]): string {
  switch (scope) {
    case 'user':
      return 'your account'
    case 'key':
      return 'this API key'
    case 'organisation':
      return 'the whole organisation'
    case 'group': {
      const name = counters.find((counter) => counter.scope === scope && counter.id === id)?.name
      return name === undefined ? `group ${id}` : `the group ${name}`
    }
  }
}

function amountName({ scope, limit, period }: Extract<Denied, { held: boolean }>, owner: string): string {
  const kind = limit === 'quota' ? 'token quota' : 'budget'
  const what = period === 'total' ? kind : `${period} ${kind}`
  if (scope === 'user') return `your ${what}`
  if (scope === 'key') return `this API key's ${what}`
  return `the ${what} of ${owner}`
}

/** Only a person's own budget can be asked for on the dashboard. */
function askingFor({ scope, limit }: Denied, publicUrl: string): string {
  if (scope === 'user' && limit === 'budget' && publicUrl) return `Ask for more at ${publicUrl}/requests.`
  return 'Ask an administrator for more.'
}

/** The headers by which Claude Code shows how much of the period's allowance is spent (core/calls/PROTOCOL.md, Response headers). */
export function limitHeaders({ used }: Extract<Admitted, { ok: true }>): HeaderPairs {
  if (used === undefined) return []
  const { share } = used
  const surpassed = WARN_SHARES.find((warned) => share >= warned)
  const status = surpassed === undefined ? 'allowed' : 'allowed_warning'
  const shown = Math.min(MOST_SHOWN, Math.floor(share * 100 + ROUNDING) / 100)
  const headers: HeaderPairs = [
    [`${PREFIX}-status`, status],
    [`${PREFIX}-representative-claim`, 'overage'],
    [`${PREFIX}-overage-status`, status],
    [`${PREFIX}-overage-utilization`, String(shown)],
    ...resetHeaders(used),
  ]
  if (surpassed !== undefined) headers.push([`${PREFIX}-overage-surpassed-threshold`, String(surpassed)])
  return headers
}

/**
 * The headers by which Claude Code tells a spent allowance from an overload. With `representative-claim` or
 * `overage-status` beside them it would show a sentence of its own instead of ours.
 */
function spentHeaders(denied: Extract<Denied, { held: boolean }>): HeaderPairs {
  const { scope, period } = denied
  const headers: HeaderPairs = [
    [`${PREFIX}-status`, 'rejected'],
    [`${PREFIX}-overage-utilization`, '1'],
    [`${PREFIX}-overage-surpassed-threshold`, '1'],
    [`${PREFIX}-overage-disabled-reason`, 'org_spend_cap_reached'],
    ...resetHeaders(denied),
  ]
  if (period !== 'total') headers.push([`${PREFIX}-overage-period`, period])
  if (scope === 'group' || scope === 'organisation') headers.push([`${PREFIX}-overage-scope`, 'group_pool'])
  return headers
}

/** When the period ends, in Unix seconds. */
function resetHeaders({ period, resetAt }: { period: string; resetAt: number }): HeaderPairs {
  if (period === 'total') return []
  const seconds = String(Math.floor(resetAt / 1000))
  return [
    [`${PREFIX}-reset`, seconds],
    [`${PREFIX}-overage-reset`, seconds],
  ]
}

/** Date and time of day, with the zone. */
function timeIn(timeZone: string, ms: number): string {
  // Sweden writes dates as ISO 8601 does.
  const format = new Intl.DateTimeFormat('sv-SE', { timeZone, dateStyle: 'short', timeStyle: 'short' })
  return `${format.format(ms)} ${timeZone}`
}

function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1)
}

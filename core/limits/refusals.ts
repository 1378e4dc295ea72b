/** What a caller learns about their limits: a refusal when one is reached, headers while one is near. */
import { Refusal } from '../errors.ts'
import type { Admitted, HeaderPairs } from '../ports.ts'
import type { Settings } from '../settings.ts'

const WARN_SHARES = [0.95, 0.75] as const
/** A share of 1 would say that nothing passes any more, so one that is only rounded to it is not shown. */
const MOST_SHOWN = 0.99
const PREFIX = 'anthropic-ratelimit-unified'

/** The refusal for a call that was not admitted: over quota 429 billing_error, too fast 429 rate_limit_error. */
export function limitRefusal(
  settings: Settings,
  denied: Extract<Admitted, { ok: false }>,
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
  const bearer = denied.scope === 'user' ? 'your account' : 'this API key'
  const whose = denied.scope === 'user' ? 'your' : "this API key's"
  switch (denied.limit) {
    case 'requests_per_minute':
      return new Refusal(
        'rate_limited',
        `The limit of requests per minute of ${bearer} is reached. Please slow down.`,
        {
          retryAfterMs,
        },
      )
    case 'concurrency':
      return new Refusal(
        'rate_limited',
        `The limit of concurrent requests of ${bearer} is reached. Let one finish first.`,
        {
          retryAfterMs,
        },
      )
    case 'quota':
    case 'budget': {
      const kind = denied.limit === 'quota' ? 'token quota' : 'budget'
      const isEndless = settings.limits.period === 'total'
      const what = isEndless ? kind : `${settings.limits.period} ${kind}`
      if (denied.held) {
        const message = `Calls under way may use up what is left of ${whose} ${what}. Try again when one has ended.`
        return new Refusal('rate_limited', message, { retryAfterMs })
      }
      const contact = settings.publicUrl ? `See ${settings.publicUrl} or ask` : 'Ask'
      const asking = `${contact} an administrator for more.`
      const headers = spentHeaders(settings, denied.resetAt)
      if (isEndless) {
        return new Refusal('quota_exceeded', `${capital(whose)} ${what} is used up. ${asking}`, { headers })
      }
      const reset = `${new Date(denied.resetAt).toISOString().slice(0, 16).replace('T', ' ')} UTC`
      const message = `${capital(whose)} ${what} is used up; it is renewed on ${reset}. ${asking}`
      return new Refusal('quota_exceeded', message, { retryAfterMs, headers })
    }
  }
}

/** The headers by which Claude Code shows how much of the period's allowance is spent (core/calls/PROTOCOL.md, Response headers). */
export function limitHeaders(
  settings: Settings,
  { used, resetAt }: Extract<Admitted, { ok: true }>,
): HeaderPairs {
  if (used === undefined) return []
  const surpassed = WARN_SHARES.find((share) => used >= share)
  const status = surpassed === undefined ? 'allowed' : 'allowed_warning'
  const shown = Math.min(MOST_SHOWN, Math.round(used * 100) / 100)
  const headers: HeaderPairs = [
    [`${PREFIX}-status`, status],
    [`${PREFIX}-representative-claim`, 'overage'],
    [`${PREFIX}-overage-status`, status],
    [`${PREFIX}-overage-utilization`, String(shown)],
    ...resetHeaders(settings, resetAt),
  ]
  if (surpassed !== undefined) headers.push([`${PREFIX}-overage-surpassed-threshold`, String(surpassed)])
  return headers
}

/**
 * The headers by which Claude Code tells a spent allowance from an overload. With `representative-claim` or
 * `overage-status` beside them it would show a sentence of its own instead of ours.
 */
function spentHeaders(settings: Settings, resetAt: number): HeaderPairs {
  const { period } = settings.limits
  return [
    [`${PREFIX}-status`, 'rejected'],
    [`${PREFIX}-overage-utilization`, '1'],
    [`${PREFIX}-overage-surpassed-threshold`, '1'],
    [`${PREFIX}-overage-disabled-reason`, 'org_spend_cap_reached'],
    ...(period === 'total' ? [] : [[`${PREFIX}-overage-period`, period] satisfies [string, string]]),
    ...resetHeaders(settings, resetAt),
  ]
}

/** When the period ends, in Unix seconds. */
function resetHeaders({ limits }: Settings, resetAt: number): HeaderPairs {
  if (limits.period === 'total') return []
  const seconds = String(Math.floor(resetAt / 1000))
  return [
    [`${PREFIX}-reset`, seconds],
    [`${PREFIX}-overage-reset`, seconds],
  ]
}

function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1)
}

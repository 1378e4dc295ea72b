/** When a backend is taken out and let back in. Pure: health stores only keep what this decides. */

/**
 * healthy: gets calls. ejected: failed too often, comes back after a passed check (or as the last resort, on trial).
 * cooling_down: asked us to wait. disabled: refuses our credential or cannot pay; only a check brings it back.
 */
export type HealthState = 'healthy' | 'ejected' | 'cooling_down' | 'disabled'

export interface Health {
  state: HealthState
  /** Consecutive failures. */
  failures: number
  /** Wall time (ms) before which it gets neither calls nor checks; 0 when healthy. */
  until: number
  reason: string
  revision: number
}

export type Verdict =
  | { kind: 'ok' }
  | { kind: 'failed'; reason: string }
  /** The start-up check could not reach it. */
  | { kind: 'down'; reason: string }
  | { kind: 'parked'; reason: string; untilMs: number }
  /** Refuses our credential or cannot pay: out until a check passes, the first one `recheckMs` from now. */
  | { kind: 'barred'; reason: string; recheckMs: number }
  /** A check passed. */
  | { kind: 'passed' }

export interface BreakerPolicy {
  failureThreshold: number
  cooldownMs: number
}

/** How often a backend is checked again that refused our credential, or cannot pay. */
export const RECHECK_MS = 5 * 60_000
/** Until restart, reload or an administrator's check. */
export const FOR_GOOD = Number.POSITIVE_INFINITY
const NEVER = Number.MAX_SAFE_INTEGER
const FRESH: Health = { state: 'healthy', failures: 0, until: 0, reason: '', revision: 0 }

/** The record after `verdict`, or undefined when it changes nothing. */
export function nextHealth(
  seen: Health | undefined,
  verdict: Verdict,
  now: number,
  policy: BreakerPolicy,
): Health | undefined {
  const from = seen ?? FRESH
  const to = (change: Partial<Health>): Health => ({ ...from, ...change, revision: from.revision + 1 })
  const { cooldownMs, failureThreshold } = policy
  switch (verdict.kind) {
    case 'ok': {
      const recovered = from.state === 'ejected' && from.until <= now
      if (!recovered && (from.state !== 'healthy' || from.failures === 0)) return undefined
      return to({ state: 'healthy', failures: 0, until: 0, reason: '' })
    }
    case 'failed': {
      if (from.state === 'disabled' || from.state === 'cooling_down') return undefined
      const failures = from.failures + 1
      const { reason } = verdict
      if (failures < failureThreshold && from.state === 'healthy') return to({ failures, reason })
      // A call that was under way when it was ejected must not make the ejection longer.
      const until = from.state === 'ejected' && from.until > now ? from.until : now + cooldownMs
      return to({ state: 'ejected', failures, reason, until })
    }
    case 'down':
      if (from.state === 'disabled') return undefined
      return to({
        state: 'ejected',
        failures: Math.max(from.failures, failureThreshold),
        reason: verdict.reason,
        until: now + cooldownMs,
      })
    case 'parked':
      return to({ state: 'cooling_down', until: verdict.untilMs, reason: verdict.reason })
    case 'barred': {
      const until = Math.min(now + verdict.recheckMs, NEVER)
      // A call that was under way when it was barred must not bring the check nearer.
      const later = from.state === 'disabled' ? Math.max(from.until, until) : until
      return to({ state: 'disabled', until: later, reason: verdict.reason })
    }
    case 'passed':
      if (from.state === 'healthy') return undefined
      // After an ejection the next real call still decides: one more failure ejects at once.
      return to({
        state: 'healthy',
        failures: from.state === 'ejected' ? failureThreshold - 1 : 0,
        until: 0,
        reason: '',
      })
  }
}

/** Whether calls may go there now. */
export function isUsable(health: Health | undefined, now: number): boolean {
  if (!health || health.state === 'healthy') return true
  return health.state === 'cooling_down' && health.until <= now
}

/** Whether it is out, but its time is over, so that a check or a trial may decide. */
export function isDue(health: Health | undefined, now: number): boolean {
  return (health?.state === 'ejected' || health?.state === 'disabled') && health.until <= now
}

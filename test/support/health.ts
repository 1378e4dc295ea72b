/** Records of health in every state, and what becomes of them. */
import { type Health, NOBODY } from '../../core/backends/health.ts'
import { type HealthEvent, nextHealth } from '../../core/backends/health-change.ts'
import { ANN } from './backends.ts'

export const SETTINGS = { failureThreshold: 5, cooldownMs: 30_000 }
export const NOW = Date.UTC(2026, 10, 25)
export const FRESH: Health = {
  state: 'healthy',
  cause: '',
  reason: '',
  since: 0,
  until: 0,
  failures: [],
  doubts: [],
  strikes: 0,
  lastTry: null,
  failedBy: NOBODY,
  checkedAt: { account: 0, model: 0 },
  revision: 0,
}
export const next = (seen: Health | undefined, event: HealthEvent, settings = SETTINGS) =>
  nextHealth(seen, event, settings)
export const failed = (given: Partial<Extract<HealthEvent, { kind: 'failed' }>> = {}) =>
  ({ kind: 'failed', at: NOW, person: ANN, alone: false, trial: false, reason: 'x', ...given }) as const
export const TROUBLED = {
  failures: [{ at: NOW - 1, person: ANN }],
  doubts: [{ what: 'rate', at: NOW - 1, person: ANN }],
} as const
export const record = (given: Partial<Health>): Health => ({ ...FRESH, revision: 3, ...given })
const OUT = { until: NOW + 1_000, reason: 'r', since: NOW - 9_000 }
export const EJECTED = record({ ...OUT, state: 'ejected', cause: 'failures' })
export const DISABLED = record({ ...OUT, state: 'disabled', cause: 'refused' })
export const UNAVAILABLE = record({ ...OUT, state: 'unavailable' })
export const COOLING = record({ ...OUT, state: 'cooling_down' })

/** Records of calls for tests: complete, with only what matters given. */
import type { Admission, CallRecord, Counter, Limits } from '../../core/ports.ts'

export function callRecord(given: Partial<CallRecord> = {}): CallRecord {
  return {
    id: `req_${crypto.randomUUID()}`,
    userId: 1,
    keyId: 1,
    requestedModel: 'claude-opus-5-5',
    model: 'claude-opus-5-5',
    backend: 'a',
    inputTokens: 10,
    outputTokens: 20,
    cacheReadTokens: 3,
    cacheWrite5mTokens: 2,
    cacheWrite1hTokens: 1,
    costMicros: 500,
    statusCode: 200,
    outcome: 'ok',
    estimated: false,
    unpriced: false,
    stream: true,
    attempts: 1,
    latencyMs: 100,
    ttftMs: 10,
    extra: null,
    createdAt: Date.UTC(2026, 10, 23, 12, 30),
    promptLosses: [],
    ...given,
  }
}

export const NO_LIMITS: Limits = {
  quotaTokens: 0,
  budgetMicros: 0,
  requestsPerMinute: 0,
  concurrentRequests: 0,
}

interface GivenAdmission extends Partial<Pick<Admission, 'worst' | 'usual'>> {
  user?: Limits
  key?: Limits
  /** What the call holds, however little is left. */
  tokens?: number
  costMicros?: number
  record?: Partial<CallRecord>
}

export function admission(given: GivenAdmission = {}): Admission {
  const { record, tokens = 36, costMicros = 500, user = NO_LIMITS, key = NO_LIMITS, ...rest } = given
  const begun = callRecord({ outcome: 'interrupted', estimated: true, ...record })
  const worst = { tokens, costMicros }
  const counters: Counter[] = [
    { scope: 'user', id: begun.userId, limits: user },
    { scope: 'key', id: begun.keyId, limits: key },
  ]
  return { begun, counters, worst, usual: worst, ...rest }
}

/** Records of calls for tests: complete, with only what matters given. */
import { createPeriods } from '../../core/limits/period.ts'
import type { Admission, CallRecord, Counter, Ledger, Limits } from '../../core/ports.ts'
import { NOT_BOOKED } from '../../core/record.ts'

const CREATED_AT = Date.UTC(2026, 10, 23, 12, 30)

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
    createdAt: CREATED_AT,
    promptLosses: [],
    ...NOT_BOOKED,
    periodStarts: [...createPeriods('UTC').startsAt(given.createdAt ?? CREATED_AT)],
    ...given,
  }
}

export const NO_LIMITS: Limits = {
  amounts: [],
  requestsPerMinute: 0,
  tokensPerMinute: 0,
  concurrentRequests: 0,
}

/** Limits with what is given; `quotaTokens` and `budgetMicros` are those of a month. */
export interface GivenLimits extends Partial<Limits> {
  quotaTokens?: number
  budgetMicros?: number
}

export function limitsOf({ quotaTokens, budgetMicros, amounts = [], ...rates }: GivenLimits): Limits {
  const monthly = { period: 'monthly', tokens: quotaTokens, micros: budgetMicros } as const
  const isGiven = quotaTokens !== undefined || budgetMicros !== undefined
  return { ...NO_LIMITS, ...rates, amounts: isGiven ? [monthly, ...amounts] : amounts }
}

interface GivenAdmission extends Partial<Pick<Admission, 'worst' | 'usual'>> {
  user?: GivenLimits
  key?: GivenLimits
  /** The booked group, then its parents, each with its pool; default: unassigned, without one. */
  groups?: readonly [first: [id: number, pool: GivenLimits], ...parents: [id: number, pool: GivenLimits][]]
  organisation?: GivenLimits
  /** What the call holds, however little is left. */
  tokens?: number
  costMicros?: number
  record?: Partial<CallRecord>
  timeZone?: string
}

export function admission(given: GivenAdmission = {}): Admission {
  const { record, tokens = 36, costMicros = 500, user = {}, key = {}, organisation = {}, ...rest } = given
  const { groups = [[0, {}]], timeZone = 'UTC', ...estimates } = rest
  const periods = createPeriods(timeZone)
  const createdAt = record?.createdAt ?? CREATED_AT
  const [[booked], ...parents] = groups
  const begun = callRecord({
    outcome: 'interrupted',
    estimated: true,
    periodStarts: periods.startsAt(createdAt),
    billingGroupIds: [booked, ...parents.map(([id]) => id)],
    ...record,
  })
  const worst = { tokens, costMicros }
  const counters: Counter[] = [
    { scope: 'user', id: begun.userId, limits: limitsOf(user) },
    { scope: 'key', id: begun.keyId, limits: limitsOf(key) },
    ...groups.map(([id, pool]): Counter => ({ scope: 'group', id, limits: limitsOf(pool) })),
    { scope: 'organisation', id: 0, limits: limitsOf(organisation) },
  ]
  return { begun, periodEnds: periods.endsAt(createdAt), counters, worst, usual: worst, ...estimates }
}

/** How long a refused call is told to wait, ms. By the machine's clock, which may be set back while a test runs. */
export function waitOf(answer: Awaited<ReturnType<Ledger['reserve']>>): number {
  return answer.ok || answer.limit === 'unavailable' ? Number.NaN : answer.resetAt - Date.now()
}

/** A machine's clock is not set back by more than this, ms. */
export const SET_BACK_MS = 1_000

/** Routes for one request and for one session: one's own, and everybody's for those who may read the log. */
import * as z from 'zod'
import { attemptsIn } from '../core/calls/story.ts'
import { Refusal } from '../core/errors.ts'
import { limitsOfPerson, type UsedCap } from '../core/limits/caps.ts'
import { poolsOf } from '../core/limits/pools.ts'
import type { LogRow } from '../core/reports/log-rows.ts'
import { findRequest, findSession, MOST_CALLS } from '../core/reports/request-story.ts'
import { usdOf } from '../core/units.ts'
import { period } from './limits.ts'
import { report } from './route.ts'
import { SESSION, sessionId } from './usage-search.ts'
import { Log, logView, type UsageTier } from './usage-views.ts'

const BASE = { session: '/api/usage', billing: '/admin/api/usage' } as const
const WHOSE = { session: "the caller's", billing: "anybody's" }

const CacheMiss = z
  .strictObject({
    reason: z.string().meta({ description: 'As the upstream names it.' }),
    tokens: z.int().meta({ description: 'About how many would have been read from the cache.' }),
  })
  .nullable()
  .meta({ description: 'null where the answer told of no miss.' })
const RequestDetail = z
  .strictObject({
    log: Log,
    requested_model: z.string(),
    error: z.string().meta({
      description:
        'A code of errors, or upstream_error; empty if it did not fail, or before releases that keep it.',
    }),
    upstream_request_id: z.string(),
    attempts: z
      .array(
        z.strictObject({
          backend: z.string(),
          began_ms: z.int().meta({ description: 'After the request arrived.' }),
          took_ms: z
            .int()
            .meta({ description: 'To the beginning of its answer, or to its end without one.' }),
          answer: z
            .union([z.int(), z.string()])
            .meta({ description: 'An HTTP status, or what came instead.' }),
        }),
      )
      .meta({ description: 'Empty if the first backend answered; log says when.' }),
    cache_miss: CacheMiss,
    session: z
      .string()
      .nullable()
      .meta({ description: 'The id of its session; null if the client named none.' }),
    previous: z.string().nullable().meta({ description: 'The request before it in its session.' }),
    next: z.string().nullable(),
    caps_now: z
      .array(z.strictObject({ period, amount_usd: z.number(), used_usd: z.number() }))
      .meta({ description: "The person's limits and use as they are now, not as they were then." }),
    pools_now: z
      .array(
        z.strictObject({
          group_name: z.string().nullable(),
          period,
          amount_usd: z.number(),
          used_usd: z.number(),
        }),
      )
      .meta({
        description:
          'The same of the limits that are shared, by the groups that it is booked to and by the company (group_name is null). Empty for who may see their own requests only.',
      }),
  })
  .meta({ id: 'RequestDetail' })
export type RequestDetail = z.infer<typeof RequestDetail>

const SessionDetail = z
  .strictObject({
    session: z.string(),
    requests: z.int(),
    failed: z.int(),
    cost_usd: z.number(),
    saved_usd: z.number(),
    input_tokens: z.int(),
    output_tokens: z.int(),
    cache_read_tokens: z.int(),
    cache_write_tokens: z.int(),
    cache_misses: z.int(),
    calls: z
      .array(z.strictObject({ log: Log, cache_miss: CacheMiss }))
      .meta({ description: `Oldest first; of more than ${MOST_CALLS} the newest.` }),
  })
  .meta({ id: 'SessionDetail' })
export type SessionDetail = z.infer<typeof SessionDetail>

export const usageRequests = (['session', 'billing'] as const).flatMap((tier) => [
  requestOf(tier),
  sessionOf(tier),
])

function requestOf(tier: UsageTier) {
  return report({
    path: `${BASE[tier]}/requests/:request_id`,
    tier,
    summary: `One of ${WHOSE[tier]} requests: its attempts, price, cache and neighbours in its session.`,
    reply: RequestDetail,
    errors: [404],
    async handle({ deps, caller, params }) {
      const own = tier === 'session' ? caller.user.id : undefined
      const found = await findRequest(deps.db, params.request_id, own)
      if (!found) throw new Refusal('not_found', 'There is no such request.')
      const now = deps.clock.now()
      const [{ caps }, pools] = await Promise.all([
        limitsOfPerson(deps, found.row.userId, now),
        tier === 'billing' ? poolsOf(deps, bookedTo(found.row), now) : [],
      ])
      return {
        ...requestView(found.row),
        previous: found.previous,
        next: found.next,
        caps_now: capsView(caps),
        pools_now: pools.map(({ group, period, micros, usedMicros }) => ({
          group_name: group?.name ?? null,
          period,
          amount_usd: usdOf(micros),
          used_usd: usdOf(usedMicros),
        })),
      }
    },
  })
}

function sessionOf(tier: UsageTier) {
  return report({
    path: `${BASE[tier]}/sessions/:id`,
    tier,
    summary: `One of ${WHOSE[tier]} sessions: its calls in order, their sums, and caches that were missed.`,
    reply: SessionDetail,
    errors: [404],
    async handle({ deps, caller, params }) {
      const [, userId = '0', session = ''] = SESSION.exec(params.id) ?? []
      const isAllowed = tier === 'billing' || Number(userId) === caller.user.id
      const found = isAllowed ? await findSession(deps.db, { userId: Number(userId), session }) : undefined
      if (!found) throw new Refusal('not_found', 'There is no such session.')
      const { calls, sums } = found
      return {
        session: params.id,
        requests: sums.requests,
        failed: sums.failed,
        cost_usd: usdOf(sums.costMicros),
        saved_usd: usdOf(sums.savedMicros),
        input_tokens: sums.inputTokens,
        output_tokens: sums.outputTokens,
        cache_read_tokens: sums.cacheReadTokens,
        cache_write_tokens: sums.cacheWriteTokens,
        cache_misses: sums.cacheMisses,
        calls: calls.map((row) => ({ log: logView(row), cache_miss: missView(row) })),
      }
    },
  })
}

function requestView(row: LogRow) {
  return {
    log: logView(row),
    requested_model: row.requestedModel,
    error: row.error,
    upstream_request_id: row.upstreamId,
    attempts: attemptsIn(row.story).map(({ backend, beganMs, tookMs, answer }) => ({
      backend,
      answer,
      began_ms: beganMs,
      took_ms: tookMs,
    })),
    cache_miss: missView(row),
    session: sessionId(row),
  }
}

function missView({ cacheMiss, cacheMissTokens }: LogRow) {
  return cacheMiss === '' ? null : { reason: cacheMiss, tokens: cacheMissTokens }
}

/** The group, then its parents. */
function bookedTo({ billingGroupId, billingParents }: LogRow): number[] {
  return [billingGroupId, ...billingParents.split(',').filter(Boolean).map(Number)]
}

function capsView(caps: readonly UsedCap[]) {
  return caps.flatMap(({ period, micros, usedMicros }) =>
    micros === null ? [] : [{ period, amount_usd: usdOf(micros), used_usd: usdOf(usedMicros) }],
  )
}

/** Routes for the queue of everything that waits for a decision: read by a page, decided many at a time. */
import * as z from 'zod'
import { decideMany, type Outcome, reopenMany } from '../core/requests/decide-many.ts'
import { listQueue, type QueueItem } from '../core/requests/queue.ts'
import { timeText, usdOf } from '../core/units.ts'
import { idInQuery, optionalProse, page, pageSize, searchText, timestamp } from './fields.ts'
import { period } from './limits.ts'
import { report, route } from './route.ts'

const MOST_AT_ONCE = 200

const kind = z.enum(['application', 'request'])
const QueueItemView = z
  .strictObject({
    kind: kind.meta({ description: 'An application for a model, or a request for a higher limit.' }),
    id: z.int().meta({ description: 'Among those of its kind.' }),
    user_id: z.int(),
    itcode: z.string(),
    model: z.string().nullable().meta({ description: 'Of an application.' }),
    period: period.meta({
      description: 'Of a request the one that it is for, of an application that of limits.period.',
    }),
    amount_usd: z.number().nullable().meta({ description: 'Of a request: what is asked for.' }),
    reason: z.string(),
    status: z.enum(['pending', 'approved', 'rejected', 'withdrawn']),
    used_usd: z.number().meta({ description: 'By the person, so far in the period.' }),
    limit_usd: z.number().nullable().meta({ description: 'Of the person in the period; null is unlimited.' }),
    reviewer_id: z.int().nullable(),
    reviewer_itcode: z.string().nullable(),
    review_note: z.string().nullable(),
    grant_id: z.int().nullable().meta({ description: 'The grant it led to, while that is not revoked.' }),
    granted_usd: z.number().nullable(),
    granted_until: timestamp.nullable(),
    created_at: timestamp,
    updated_at: timestamp,
  })
  .meta({ id: 'QueueItem' })
export type QueueItemView = z.infer<typeof QueueItemView>

const items = z
  .array(z.strictObject({ kind, id: z.int().min(1) }))
  .min(1)
  .max(MOST_AT_ONCE)
const Outcomes = z.strictObject({
  outcomes: z.array(
    z.strictObject({
      kind,
      id: z.int(),
      error: z
        .strictObject({ code: z.string(), message: z.string() })
        .nullable()
        .meta({ description: 'Why this one was not done; null = it was.' }),
    }),
  ),
})
export type OutcomeView = z.infer<typeof Outcomes>['outcomes'][number]

export const queue = [
  report({
    path: '/admin/api/queue',
    tier: 'auditor',
    summary:
      'Everything that waits for a decision, oldest first, or what was decided or all of it, newest first.',
    query: z.strictObject({
      status: z.enum(['pending', 'decided', 'all']).default('pending'),
      user_id: idInQuery.optional(),
      q: searchText.optional().meta({ description: 'Text in account or model.' }),
      page,
      page_size: pageSize,
    }),
    reply: z.strictObject({
      items: z.array(QueueItemView),
      total: z.int(),
      page: z.int(),
      page_size: z.int(),
    }),
    async handle({ deps, query }) {
      const { page, page_size, status, user_id: userId, q } = query
      const found = await listQueue(deps, { status, userId, q }, { page, pageSize: page_size })
      return { items: found.items.map(itemView), total: found.total, page, page_size }
    },
  }),
  route({
    method: 'POST',
    path: '/api/queue/decisions',
    tier: 'session',
    summary: 'Decides many, each by itself: limits are raised to what was asked for.',
    body: z.strictObject({
      status: z.enum(['approved', 'rejected']),
      note: optionalProse(2000).nullish(),
      items,
    }),
    reply: Outcomes,
    async handle({ deps, caller, body, actor }) {
      const decision = { reviewerId: caller.user.id, status: body.status, note: body.note || null }
      const outcomes = await decideMany({ ...deps, actor }, body.items, decision)
      await deps.keyCache.changed()
      return { outcomes: outcomes.map(outcomeView) }
    },
  }),
  route({
    method: 'POST',
    path: '/api/queue/reopen',
    tier: 'session',
    summary: "Takes the caller's decisions of the last minute back. A limit that was raised is what it was.",
    body: z.strictObject({ items }),
    reply: Outcomes,
    async handle({ deps, caller, body, actor }) {
      const outcomes = await reopenMany({ ...deps, actor }, body.items, caller.user.id)
      await deps.keyCache.changed()
      return { outcomes: outcomes.map(outcomeView) }
    },
  }),
]

function outcomeView({ kind, id, refusal }: Outcome): OutcomeView {
  return { kind, id, error: refusal ? { code: refusal.code, message: refusal.message } : null }
}

function itemView(item: QueueItem): QueueItemView {
  const { kind, id, itcode, model, period, reason, status } = item
  const usd = (micros: number | null) => (micros === null ? null : usdOf(micros))
  return {
    kind,
    id,
    user_id: item.userId,
    itcode,
    model,
    period,
    reason,
    status,
    amount_usd: usd(item.amountMicros),
    used_usd: usdOf(item.usedMicros),
    limit_usd: usd(item.limitMicros),
    reviewer_id: item.reviewerId,
    reviewer_itcode: item.reviewerItcode,
    review_note: item.reviewNote,
    grant_id: item.grantId,
    granted_usd: usd(item.grantedMicros),
    granted_until: item.grantedUntil === null ? null : timeText(item.grantedUntil),
    created_at: timeText(item.createdAt),
    updated_at: timeText(item.updatedAt),
  }
}

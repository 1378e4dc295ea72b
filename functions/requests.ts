/** Routes for requests for a higher limit, and the queue of what waits for a decision. */
import * as z from 'zod'
import type { Actor } from '../core/audit/record.ts'
import type { Deps } from '../core/deps.ts'
import { review } from '../core/requests/decide.ts'
import {
  askForIncrease,
  decideIncrease,
  type IncreaseRequest,
  listIncreases,
  withdrawIncrease,
} from '../core/requests/increases.ts'
import { listApplications } from '../core/requests/list.ts'
import { timeText, usdOf } from '../core/units.ts'
import { ApplicationAnswer, ApplicationView, applicationView, Review } from './approvals.ts'
import { amount, idOf, moment, optionalProse, prose, timestamp } from './fields.ts'
import { period } from './limits.ts'
import { report, route } from './route.ts'

const status = z.enum(['pending', 'approved', 'rejected', 'withdrawn'])
const RequestView = z
  .strictObject({
    id: z.int(),
    user_id: z.int(),
    itcode: z.string(),
    period,
    amount_usd: z.number(),
    reason: z.string(),
    status,
    reviewer_id: z.int().nullable(),
    review_note: z.string().nullable(),
    granted_usd: z.number().nullable(),
    granted_until: timestamp.nullable().meta({ description: 'null until it is approved, or for good.' }),
    created_at: timestamp,
    updated_at: timestamp,
  })
  .meta({ id: 'IncreaseRequest' })
export type RequestView = z.infer<typeof RequestView>

const RequestAnswer = z.strictObject({ request: RequestView })
const RequestList = z.strictObject({ requests: z.array(RequestView) })
const ByStatus = z.strictObject({ status: status.optional() })
const Decision = z.strictObject({
  status: z.enum(['approved', 'rejected']),
  amount_usd: amount.optional().meta({ description: 'Left out: what was asked for.' }),
  until: moment.nullish().meta({ description: 'null or left out: for good.' }),
  note: optionalProse(2000).nullish(),
})

export const requests = [
  route({
    method: 'POST',
    path: '/api/requests',
    tier: 'session',
    summary: 'Asks for a higher spend limit of a period.',
    errors: [409],
    body: z.strictObject({ period, amount_usd: amount, reason: prose(2000) }),
    reply: RequestAnswer,
    status: 201,
    async handle({ deps, caller, body, actor }) {
      const { period, amount_usd: amountMicros, reason } = body
      const wanted = { userId: caller.user.id, period, amountMicros, reason }
      return { request: requestView(await askForIncrease({ ...deps, actor }, wanted)) }
    },
  }),
  report({
    path: '/api/requests',
    tier: 'session',
    summary: "The caller's requests, pending ones first.",
    query: ByStatus,
    reply: RequestList,
    async handle({ deps, caller, query }) {
      const found = await listIncreases(deps.db, { userId: caller.user.id, status: query.status })
      return { requests: found.map(requestView) }
    },
  }),
  route({
    method: 'DELETE',
    path: '/api/requests/:id',
    tier: 'session',
    summary: 'Takes a pending request back.',
    errors: [409],
    reply: RequestAnswer,
    async handle({ deps, caller, params, actor }) {
      const withdrawn = await withdrawIncrease({ ...deps, actor }, caller.user.id, idOf(params.id))
      return { request: requestView(withdrawn) }
    },
  }),
  report({
    path: '/admin/api/requests',
    tier: 'auditor',
    summary: "Everybody's requests, pending ones first.",
    query: ByStatus,
    reply: RequestList,
    async handle({ deps, query }) {
      const found = await listIncreases(deps.db, { status: query.status })
      return { requests: found.map(requestView) }
    },
  }),
  report({
    path: '/api/queue',
    tier: 'session',
    summary:
      'Pending applications and requests that the caller may decide, as an administrator or as a lead.',
    reply: z.strictObject({ applications: z.array(ApplicationView), requests: z.array(RequestView) }),
    async handle({ deps, caller }) {
      const filter = { status: 'pending', decidedBy: caller.user.id } as const
      const [applications, requests] = await Promise.all([
        listApplications(deps.db, filter),
        listIncreases(deps.db, filter),
      ])
      return { applications: applications.map(applicationView), requests: requests.map(requestView) }
    },
  }),
  route({
    method: 'PUT',
    path: '/api/queue/applications/:id',
    tier: 'session',
    summary: 'Decides an application of somebody else. Approving grants the model from the next request on.',
    errors: [409],
    body: Review,
    reply: ApplicationAnswer,
    async handle({ deps, caller, params, body, actor }) {
      const decision = { reviewerId: caller.user.id, status: body.status, note: body.note || null }
      const reviewed = await review({ ...deps, actor }, idOf(params.id), decision)
      await deps.keyCache.changed()
      return { application: applicationView(reviewed) }
    },
  }),
  route({
    method: 'PUT',
    path: '/api/queue/requests/:id',
    tier: 'session',
    summary: 'Decides a request of somebody else. Approved, it is their own limit from the next call on.',
    errors: [409],
    body: Decision,
    reply: RequestAnswer,
    handle: ({ deps, caller, params, body, actor }) => decided(deps, actor, caller.user.id, params.id, body),
  }),
]

async function decided(
  deps: Deps,
  actor: Actor,
  reviewerId: number,
  idText: string,
  { status, amount_usd: amountMicros, until, note }: z.output<typeof Decision>,
) {
  const decision = { reviewerId, status, note: note || null, amountMicros, until: until ?? undefined }
  const request = await decideIncrease({ ...deps, actor }, idOf(idText), decision)
  await deps.keyCache.changed()
  return { request: requestView(request) }
}

function requestView(request: IncreaseRequest): RequestView {
  const { id, userId, itcode, period, reason, status, reviewerId, reviewNote } = request
  const { amountMicros, grantedMicros, grantedUntil } = request
  return {
    id,
    user_id: userId,
    itcode,
    period,
    reason,
    status,
    amount_usd: usdOf(amountMicros),
    reviewer_id: reviewerId,
    review_note: reviewNote,
    granted_usd: grantedMicros === null ? null : usdOf(grantedMicros),
    granted_until: grantedUntil === null ? null : timeText(grantedUntil),
    created_at: timeText(request.createdAt),
    updated_at: timeText(request.updatedAt),
  }
}

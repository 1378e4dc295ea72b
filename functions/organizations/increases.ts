/** What people ask for: a higher limit of their own. */
import * as z from 'zod'
import type { Actor as AuditActor } from '../../core/audit/record.ts'
import type { Deps } from '../../core/deps.ts'
import { nothingHere, Refusal } from '../../core/errors.ts'
import { effectiveLimits } from '../../core/limits/effective.ts'
import { increasePage, type PagedIncrease } from '../../core/limits/pages.ts'
import { decideIncrease, type IncreaseDecision } from '../../core/requests/increases.ts'
import { timeText } from '../../core/units.ts'
import { timestamp } from '../fields.ts'
import { type ReportDeps, report, route } from '../route.ts'
import { PERIODS, SummaryView, summariesOf, users } from './effective.ts'
import {
  Actor,
  ADMIN,
  actorOf,
  apiPeriod,
  byPage,
  cents,
  centsText,
  cursorOf,
  idIn,
  pageList,
  pageListOf,
  programActor,
} from './fields.ts'
import { LimitView, limitOf, limitView } from './limits.ts'

const IncreaseView = z
  .strictObject({
    id: z.string(),
    type: z.literal('spend_limit_increase_request'),
    actor: Actor,
    status: z.enum(['pending', 'approved', 'denied']),
    period: apiPeriod,
    requested_amount: z.string(),
    reason: z.string(),
    created_at: timestamp,
    resolved_at: timestamp.nullable(),
    resolved_by: Actor.nullable(),
    spend_summary: SummaryView.nullable().meta({ description: 'While it is pending.' }),
  })
  .meta({ id: 'SpendLimitIncreaseRequest' })
const INCREASES = '/v1/organizations/spend_limit_increase_requests'
export const increases = [
  report({
    path: INCREASES,
    ...ADMIN,
    summary: 'Requests for a higher limit, the newest first.',
    query: z.strictObject({
      ...byPage,
      status: z
        .array(z.enum(['pending', 'approved', 'denied']))
        .max(3)
        .optional(),
      actor_ids: users,
    }),
    repeats: ['status', 'actor_ids'],
    reply: pageList(IncreaseView),
    async handle({ deps, query }) {
      const statuses = query.status?.map((status) => (status === 'denied' ? 'rejected' : status))
      const page = await increasePage(deps.db, { statuses, userIds: query.actor_ids }, cursorOf(query))
      const { next_page } = pageListOf(
        page,
        () => null,
        ({ request }) => request.id,
      )
      return { data: await increaseViews(deps, page.rows), next_page }
    },
  }),
  route({
    method: 'GET',
    path: `${INCREASES}/:id`,
    ...ADMIN,
    summary: 'One request for a higher limit.',
    reply: IncreaseView,
    handle: ({ deps, params }) => increaseOf(deps, params.id),
  }),
  route({
    method: 'POST',
    path: `${INCREASES}/:id/approve`,
    ...ADMIN,
    summary: "Approves a request: the amount becomes the person's own limit, from the next call on.",
    body: z.strictObject({
      amount: cents,
      period: apiPeriod.nullish(),
      suppress_notification: z.boolean().optional(),
    }),
    reply: IncreaseView.extend({ spend_limit: LimitView.nullable() }),
    async handle({ deps, params, body, actor }) {
      const { user, request } = await rowOf(deps, params.id)
      const period = body.period ?? request.period
      const { reviewerId, note } = BY_PROGRAM
      await decided(deps, actor, request.id, {
        reviewerId,
        note,
        status: 'approved',
        amountMicros: body.amount,
        period,
      })
      const limit = await limitOf(deps.db, { userId: user.id, period })
      return { ...(await increaseOf(deps, params.id)), spend_limit: limitView(limit) }
    },
  }),
  route({
    method: 'POST',
    path: `${INCREASES}/:id/deny`,
    ...ADMIN,
    summary: 'Denies a request. One that is denied stays so.',
    body: z.strictObject({ suppress_notification: z.boolean().optional() }),
    reply: IncreaseView,
    async handle({ deps, params, actor }) {
      const { request } = await rowOf(deps, params.id)
      if (request.status !== 'rejected')
        await decided(deps, actor, request.id, { ...BY_PROGRAM, status: 'rejected' })
      return increaseOf(deps, params.id)
    },
  }),
]

/** The audit names the admin key. */
const BY_PROGRAM = { reviewerId: null, note: null }

async function decided(deps: Deps, actor: AuditActor, id: number, decision: IncreaseDecision) {
  try {
    await decideIncrease({ ...deps, actor }, id, decision)
  } catch (thrown) {
    if (!(thrown instanceof Refusal && thrown.code === 'conflict')) throw thrown
    throw new Refusal('invalid_input', thrown.message)
  }
  await deps.keyCache.changed()
}

async function rowOf({ db }: Pick<Deps, 'db'>, idText: string): Promise<PagedIncrease> {
  const { rows } = await increasePage(db, { id: idIn('slir', idText) })
  const [row] = rows
  if (!row) throw nothingHere()
  return row
}

async function increaseOf(deps: ReportDeps, idText: string) {
  const [view] = await increaseViews(deps, [await rowOf(deps, idText)])
  if (!view) throw nothingHere()
  return view
}

async function increaseViews(deps: ReportDeps, rows: readonly PagedIncrease[]) {
  const { settings } = deps
  const userIds = rows.filter(({ request }) => request.status === 'pending').map(({ user }) => user.id)
  const cursor = { limit: Math.max(1, userIds.length), bySpend: false }
  const { people } = await effectiveLimits(deps, { userIds, periods: PERIODS }, cursor, deps.clock.now())
  const summaries = new Map(people.map((one) => [one.user.id, summariesOf(one, settings)]))
  return rows.map(({ request, user, reviewer, adminKeyId }): z.infer<typeof IncreaseView> => {
    const { id, status, period, amountMicros, reason, createdAt, updatedAt } = request
    const isPending = status === 'pending'
    const byProgram = adminKeyId === null ? null : programActor(adminKeyId)
    return {
      id: `slir_${id}`,
      type: 'spend_limit_increase_request',
      actor: actorOf(user, settings),
      reason,
      status: status === 'pending' || status === 'approved' ? status : 'denied',
      period: apiPeriod.parse(period),
      requested_amount: centsText(amountMicros),
      created_at: timeText(createdAt),
      resolved_at: isPending ? null : timeText(updatedAt),
      resolved_by: reviewer ? actorOf(reviewer, settings) : byProgram,
      spend_summary:
        (isPending && summaries.get(user.id)?.find((summary) => summary.period === period)) || null,
    }
  })
}

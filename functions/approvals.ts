/** Routes for applications for models that need approval. */
import * as z from 'zod'
import { apply, withdraw } from '../core/requests/ask.ts'
import { review, revokeGrant } from '../core/requests/decide.ts'
import { type Application, listApplications } from '../core/requests/list.ts'
import { timeText } from '../core/units.ts'
import { idOf, modelName, optionalProse, prose, timestamp } from './fields.ts'
import { report, route } from './route.ts'

const Status = z.enum(['pending', 'approved', 'rejected', 'withdrawn'])
export const ApplicationView = z
  .strictObject({
    id: z.int(),
    user_id: z.int(),
    itcode: z.string(),
    model: z.string(),
    reason: z.string(),
    status: Status,
    reviewer_id: z.int().nullable(),
    review_note: z.string().nullable(),
    grant_id: z.int().nullable().meta({ description: 'The grant it led to, while that is not revoked.' }),
    created_at: timestamp,
    updated_at: timestamp,
  })
  .meta({ id: 'Application' })
export type ApplicationView = z.infer<typeof ApplicationView>

export const ApplicationAnswer = z.strictObject({ application: ApplicationView })
const ApplicationList = z.strictObject({ applications: z.array(ApplicationView) })
export const Review = z.strictObject({
  status: z.enum(['approved', 'rejected']),
  note: optionalProse(2000).nullish(),
})
const ByStatus = z.strictObject({ status: Status.optional() })

export const approvals = [
  route({
    method: 'POST',
    path: '/api/applications',
    tier: 'session',
    summary: 'Asks for a model that needs approval.',
    errors: [409],
    body: z.strictObject({ model: modelName, reason: prose(2000) }),
    reply: ApplicationAnswer,
    status: 201,
    async handle({ deps, caller, body, actor }) {
      const made = await apply({ ...deps, actor }, { ...body, userId: caller.user.id })
      return { application: applicationView(made) }
    },
  }),
  report({
    path: '/api/applications',
    tier: 'session',
    summary: "The caller's applications, pending ones first.",
    query: ByStatus,
    reply: ApplicationList,
    async handle({ deps, caller, query }) {
      const found = await listApplications(deps.db, { userId: caller.user.id, status: query.status })
      return { applications: found.map(applicationView) }
    },
  }),
  route({
    method: 'DELETE',
    path: '/api/applications/:id',
    tier: 'session',
    summary: 'Takes a pending application back.',
    errors: [409],
    reply: ApplicationAnswer,
    async handle({ deps, caller, params, actor }) {
      return {
        application: applicationView(await withdraw({ ...deps, actor }, caller.user.id, idOf(params.id))),
      }
    },
  }),
  report({
    path: '/admin/api/applications',
    tier: 'auditor',
    summary: "Everybody's applications, pending ones first.",
    query: ByStatus,
    reply: ApplicationList,
    async handle({ deps, query }) {
      const found = await listApplications(deps.db, { status: query.status })
      return { applications: found.map(applicationView) }
    },
  }),
  route({
    method: 'PUT',
    path: '/admin/api/applications/:id/review',
    tier: 'admin',
    summary: 'Approves or rejects an application. Approving grants the model from the next request on.',
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
    method: 'DELETE',
    path: '/admin/api/grants/:id',
    tier: 'admin',
    summary: 'Takes a granted model away, from the next request on.',
    reply: z.strictObject({ message: z.string() }),
    async handle({ deps, params, actor }) {
      await revokeGrant({ ...deps, actor }, idOf(params.id))
      await deps.keyCache.changed()
      return { message: 'revoked' }
    },
  }),
]

export function applicationView(application: Application): ApplicationView {
  return {
    id: application.id,
    user_id: application.userId,
    itcode: application.itcode,
    model: application.model,
    reason: application.reason,
    status: application.status,
    reviewer_id: application.reviewerId,
    review_note: application.reviewNote,
    grant_id: application.grantId,
    created_at: timeText(application.createdAt),
    updated_at: timeText(application.updatedAt),
  }
}

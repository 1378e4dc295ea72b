/** Routes for views of a page that people gave a name. */
import * as z from 'zod'
import type { SignedIn } from '../core/auth/sessions.ts'
import { VIEW_PAGES } from '../core/db/saved-views.ts'
import { nothingHere } from '../core/errors.ts'
import { changeView, createView, MOST_VIEWS, removeView, viewsOf } from '../core/users/saved-views.ts'
import { idOf, line, optionalLine } from './fields.ts'
import { ROLES, route } from './route.ts'

type ViewPage = (typeof VIEW_PAGES)[number]
/** Who reads each page. */
const TIERS = {
  '/explore': 'session',
  '/usage': 'session',
  '/admin/explore': 'billing',
  '/admin/usage': 'billing',
} as const satisfies Record<ViewPage, keyof typeof ROLES>

const page = z.enum(VIEW_PAGES).meta({ description: 'The page that it is a view of.' })
const shape = {
  name: line(100),
  query: optionalLine(2_000).meta({
    description: "The query of the page's address, without a question mark.",
  }),
  shared: z.boolean().meta({ description: 'Whether others who may read the page find it, too.' }),
}
const ViewView = z
  .strictObject({ id: z.int(), page, name: z.string(), query: z.string(), shared: z.boolean() })
  .meta({ id: 'SavedView' })
const SharedView = z
  .strictObject({
    id: z.int(),
    name: z.string(),
    query: z.string(),
    shared_by: z.string().meta({ description: 'The account name of whose it is.' }),
  })
  .meta({ id: 'SharedView' })
export const ViewsView = z.strictObject({ views: z.array(ViewView), shared: z.array(SharedView) })
export const ViewAnswer = z.strictObject({ view: ViewView })

export const savedViews = [
  route({
    method: 'GET',
    path: '/api/views',
    tier: 'session',
    summary: "The caller's saved views of a page, and up to 100 that others share with all who may read it.",
    query: z.strictObject({ page }),
    reply: ViewsView,
    errors: [404],
    async handle({ deps, caller, query }) {
      const { own, others } = await viewsOf(deps.db, caller.user.id, readable(caller, query.page))
      return { views: own, shared: others.map(({ sharedBy, ...view }) => ({ ...view, shared_by: sharedBy })) }
    },
  }),
  route({
    method: 'POST',
    path: '/api/views',
    tier: 'session',
    summary: `Saves a view of a page. A person may have ${MOST_VIEWS}.`,
    errors: [404, 409],
    body: z.strictObject({ page, ...shape, shared: shape.shared.default(false) }),
    reply: ViewAnswer,
    status: 201,
    async handle({ deps, caller, body }) {
      return { view: await createView(deps, caller.user.id, { ...body, page: readable(caller, body.page) }) }
    },
  }),
  route({
    method: 'PUT',
    path: '/api/views/:id',
    tier: 'session',
    summary: "Changes one of the caller's saved views.",
    body: z.strictObject(shape).partial(),
    reply: ViewAnswer,
    async handle({ deps, caller, params, body }) {
      return { view: await changeView(deps, caller.user.id, idOf(params.id), body) }
    },
  }),
  route({
    method: 'DELETE',
    path: '/api/views/:id',
    tier: 'session',
    summary: "Removes one of the caller's saved views.",
    reply: z.strictObject({ message: z.string() }),
    async handle({ deps, caller, params }) {
      await removeView(deps.db, caller.user.id, idOf(params.id))
      return { message: 'deleted' }
    },
  }),
]

/** Throws a Refusal not_found for a page that the caller may not read. */
function readable({ user }: SignedIn, asked: ViewPage): ViewPage {
  const roles: readonly string[] = ROLES[TIERS[asked]]
  if (!roles.includes(user.role)) throw nothingHere()
  return asked
}

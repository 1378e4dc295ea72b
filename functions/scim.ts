/** SCIM 2.0, by which a company's directory keeps people and groups here: RFC 7643 and RFC 7644. */
import * as z from 'zod'
import type { Actor } from '../core/audit/record.ts'
import type { Deps } from '../core/deps.ts'
import { parseFilter } from '../core/scim/filter.ts'
import {
  createScimGroup,
  deleteScimGroup,
  patchScimGroup,
  replaceScimGroup,
  scimGroup,
} from '../core/scim/groups.ts'
import { keptUser, listKept } from '../core/scim/kept.ts'
import { listScimGroups } from '../core/scim/list-groups.ts'
import { answers } from '../core/scim/projection.ts'
import { createKept, deleteKept, patchKept, replaceKept } from '../core/scim/users.ts'
import { idOf } from './fields.ts'
import { type Route, report, route } from './route.ts'
import { listOf, MOST_RESULTS } from './scim-discovery.ts'
import { created, groupAnswer, Listed, Resource, shownGroup, shownUser } from './scim-views.ts'

const USUAL_RESULTS = 100
/** A group of some ten thousand members. */
const LARGEST_GROUP = 1_048_576

const whole = z
  .string()
  .regex(/^-?\d{1,9}$/, 'a whole number is expected')
  .transform(Number)
const projection = {
  attributes: z.string().max(2_000).optional(),
  excludedAttributes: z.string().max(2_000).optional(),
}
const Page = z.object({
  ...projection,
  filter: z.string().optional(),
  startIndex: whole.default(1),
  count: whole.default(USUAL_RESULTS),
})
const One = z.object(projection)

/** Names in any case, so that core reads them. */
const Body = z.record(z.string(), z.unknown()).meta({ id: 'ScimBody' })
const Patch = z
  .looseObject({
    Operations: z
      .array(
        z.looseObject({
          op: z.string(),
          path: z.string().max(2_000).optional(),
          value: z.unknown().optional(),
        }),
      )
      .min(1),
  })
  .meta({ id: 'ScimPatch' })

const common = { tier: 'admin-key', scope: 'scim', dialect: 'scim' } as const
const changing = { ...common, bodyType: 'application/scim+json', errors: [400, 409] } as const

export const scim: Route[] = [
  report({
    ...common,
    path: '/scim/v2/Users',
    summary: 'People whom the directory keeps here, by their ids.',
    query: Page,
    errors: [400],
    reply: Listed,
    async handle({ deps, query }) {
      const { start, count } = pageOf(query)
      const filter = query.filter === undefined ? undefined : parseFilter(query.filter)
      const { total, found } = await listKept(deps.db, filter, { start, count })
      return listOf(
        found.map((one) => shownUser(deps, one, query)),
        total,
        start,
      )
    },
  }),
  report({
    ...common,
    path: '/scim/v2/Users/:id',
    summary: 'One person.',
    query: One,
    reply: Resource,
    handle: async ({ deps, params, query }) =>
      shownUser(deps, await keptUser(deps.db, idOf(params.id)), query),
  }),
  route({
    ...changing,
    method: 'POST',
    path: '/scim/v2/Users',
    summary: 'Makes an account, or joins the one of this name or address if it has no rights over others.',
    query: One,
    body: Body,
    reply: Resource,
    status: 201,
    async handle({ deps, body, query, actor, id }) {
      return created(shownUser(deps, await createKept(partsOf(deps, actor), body), query), id)
    },
  }),
  route({
    ...changing,
    method: 'PUT',
    path: '/scim/v2/Users/:id',
    summary: 'Replaces what is known of a person. `active: false` pauses their keys and ends their sessions.',
    query: One,
    body: Body,
    reply: Resource,
    async handle({ deps, params, body, query, actor }) {
      const kept = await replaceKept(partsOf(deps, actor), idOf(params.id), body)
      await deps.keyCache.changed()
      return shownUser(deps, kept, query)
    },
  }),
  route({
    ...changing,
    method: 'PATCH',
    path: '/scim/v2/Users/:id',
    summary: 'Changes a person.',
    query: One,
    body: Patch,
    reply: Resource,
    async handle({ deps, params, body, query, actor }) {
      const kept = await patchKept(partsOf(deps, actor), idOf(params.id), body.Operations)
      await deps.keyCache.changed()
      return shownUser(deps, kept, query)
    },
  }),
  route({
    ...common,
    method: 'DELETE',
    path: '/scim/v2/Users/:id',
    summary: 'Deletes a person: sessions, keys and memberships end for good.',
    errors: [409],
    status: 204,
    async handle({ deps, params, actor }) {
      await deleteKept(partsOf(deps, actor), idOf(params.id))
      await deps.keyCache.changed()
      return {}
    },
  }),
  report({
    ...common,
    path: '/scim/v2/Groups',
    summary: 'Groups that the directory pushed, by their ids.',
    query: Page,
    errors: [400],
    reply: Listed,
    async handle({ deps, query }) {
      const { start, count } = pageOf(query)
      const filter = query.filter === undefined ? undefined : parseFilter(query.filter)
      const wanted = { start, count, members: answers(query, 'members') }
      const { total, found } = await listScimGroups(deps.db, filter, wanted)
      return listOf(
        found.map((one) => shownGroup(deps, one, query)),
        total,
        start,
      )
    },
  }),
  report({
    ...common,
    path: '/scim/v2/Groups/:id',
    summary: 'One group with its members.',
    query: One,
    reply: Resource,
    handle: async ({ deps, params, query }) =>
      groupAnswer(deps, await scimGroup(deps.db, idOf(params.id)), query),
  }),
  route({
    ...changing,
    method: 'POST',
    path: '/scim/v2/Groups',
    summary: 'Makes a group. Calls are booked to it once an administrator says so.',
    query: One,
    body: Body,
    bodyBytes: LARGEST_GROUP,
    reply: Resource,
    status: 201,
    async handle({ deps, body, query, actor, id }) {
      const group = await createScimGroup(partsOf(deps, actor), body)
      await deps.keyCache.changed()
      return created(await groupAnswer(deps, group, query), id)
    },
  }),
  route({
    ...changing,
    method: 'PUT',
    path: '/scim/v2/Groups/:id',
    summary: 'Replaces the name and all members of a group.',
    query: One,
    body: Body,
    bodyBytes: LARGEST_GROUP,
    reply: Resource,
    async handle({ deps, params, body, query, actor }) {
      const group = await replaceScimGroup(partsOf(deps, actor), idOf(params.id), body)
      await deps.keyCache.changed()
      return groupAnswer(deps, group, query)
    },
  }),
  route({
    ...changing,
    method: 'PATCH',
    path: '/scim/v2/Groups/:id',
    summary: 'Changes the name or members of a group.',
    body: Patch,
    bodyBytes: LARGEST_GROUP,
    status: 204,
    async handle({ deps, params, body, actor }) {
      await patchScimGroup(partsOf(deps, actor), idOf(params.id), body.Operations)
      await deps.keyCache.changed()
      return {}
    },
  }),
  route({
    ...common,
    method: 'DELETE',
    path: '/scim/v2/Groups/:id',
    summary: 'Deletes a group with its limits. Its usage keeps its name.',
    errors: [409],
    status: 204,
    async handle({ deps, params, actor }) {
      await deleteScimGroup(partsOf(deps, actor), idOf(params.id))
      await deps.keyCache.changed()
      return {}
    },
  }),
]

function partsOf({ db, clock, settings }: Deps, actor: Actor) {
  return { db, clock, actor, settings, auth: settings.auth }
}

/** Out of range numbers mean the next that is in it: https://www.rfc-editor.org/rfc/rfc7644#section-3.4.2.4 */
function pageOf({ startIndex, count }: z.output<typeof Page>) {
  return { start: Math.max(1, startIndex), count: Math.min(MOST_RESULTS, Math.max(0, count)) }
}

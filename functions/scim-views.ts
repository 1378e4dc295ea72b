/** How people and groups of a directory are answered. */
import * as z from 'zod'
import type { Deps } from '../core/deps.ts'
import type { Document } from '../core/scim/document.ts'
import { type KeptUser, metaOf, resourceOf, timesOf } from '../core/scim/kept.ts'
import { described, type KeptGroup } from '../core/scim/list-groups.ts'
import { GROUP_SCHEMA, USER_SCHEMA } from '../core/scim/names.ts'
import { answers, type Projection, projected } from '../core/scim/projection.ts'

export const Resource = z
  .looseObject({ schemas: z.array(z.string()), id: z.string().optional() })
  .meta({ id: 'ScimResource' })
export const Listed = z
  .strictObject({
    schemas: z.array(z.string()),
    totalResults: z.int(),
    startIndex: z.int(),
    itemsPerPage: z.int(),
    Resources: z.array(Resource),
  })
  .meta({ id: 'ScimList' })
type View = z.output<typeof Resource> & { meta?: { location: string } }

export function shownUser(deps: Pick<Deps, 'settings'>, kept: KeptUser, query: Projection): View {
  const about = { kind: 'User', schema: USER_SCHEMA, id: kept.user.id, ...timesOf(kept) } as const
  return shown(deps, about, resourceOf(kept), query)
}

export async function groupAnswer(
  deps: Pick<Deps, 'settings' | 'db'>,
  group: KeptGroup['group'],
  query: Projection,
) {
  const [one] = await described(deps.db, [group], answers(query, 'members'))
  return shownGroup(deps, { group, resource: one?.resource ?? {} }, query)
}

export function shownGroup(
  deps: Pick<Deps, 'settings'>,
  { group, resource }: KeptGroup,
  query: Projection,
): View {
  const { id, createdAt, updatedAt } = group
  const about = { kind: 'Group', schema: GROUP_SCHEMA, id, createdAt, updatedAt } as const
  return shown(deps, about, resource, query)
}

function shown(
  { settings }: Pick<Deps, 'settings'>,
  about: { kind: 'User' | 'Group'; schema: string; id: number; createdAt: number; updatedAt: number },
  resource: Document,
  query: Projection,
): View {
  const { kind, schema, id } = about
  const extensions = Object.keys(resource).filter((name) => name.startsWith('urn:'))
  const meta = { ...metaOf(kind, about), location: `${settings.publicUrl}/scim/v2/${kind}s/${id}` }
  const all = { schemas: [schema, ...extensions], id: String(id), ...resource, meta }
  return Resource.parse(projected(all, query))
}

/** With the address of what was made: https://www.rfc-editor.org/rfc/rfc7644#section-3.3 */
export function created(resource: View, requestId: string): Response {
  const headers = new Headers({
    'request-id': requestId,
    'cache-control': 'no-store',
    'content-type': 'application/scim+json',
  })
  if (resource.meta) headers.set('location', resource.meta.location)
  return Response.json(resource, { status: 201, headers })
}

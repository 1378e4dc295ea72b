/** Billing groups as workspaces, where cost tools look names up. */
import * as z from 'zod'
import { nothingHere } from '../../core/errors.ts'
import type { Group } from '../../core/organisation/groups.ts'
import { groupPage } from '../../core/organisation/pages.ts'
import { timeText } from '../../core/units.ts'
import { timestamp } from '../fields.ts'
import { route } from '../route.ts'
import { byId, cursorOf, idIn, idList, idListOf, USAGE } from './fields.ts'

const WorkspaceView = z
  .strictObject({
    id: z.string(),
    type: z.literal('workspace'),
    name: z.string(),
    created_at: timestamp,
    archived_at: timestamp.nullable(),
    display_color: z.string(),
    compartment_id: z.null(),
    data_residency: z.null(),
    external_key_id: z.null(),
    tags: z.strictObject({}),
    user_profile_id: z.null(),
  })
  .meta({ id: 'Workspace' })

const WORKSPACES = '/v1/organizations/workspaces'

export const workspaces = [
  route({
    method: 'GET',
    path: WORKSPACES,
    ...USAGE,
    summary: 'Billing groups, which calls are booked to. What belongs to none is in no workspace.',
    query: z.strictObject({
      ...byId('wrkspc'),
      include_archived: z.enum(['true', 'false']).default('false'),
    }),
    reply: idList(WorkspaceView),
    async handle({ deps: { db }, query }) {
      const asked = { bills: true, deleted: query.include_archived === 'true' } as const
      const page = await groupPage(db, asked, cursorOf(query))
      return idListOf(page.rows.map(workspaceView), page)
    },
  }),
  route({
    method: 'GET',
    path: `${WORKSPACES}/:id`,
    ...USAGE,
    summary: 'One billing group, also a deleted one.',
    reply: WorkspaceView,
    async handle({ deps: { db }, params }) {
      const id = idIn('wrkspc', params.id)
      const { rows } = await groupPage(db, { bills: true, deleted: true }, { limit: 1, after: id - 1 })
      const [group] = rows
      if (group?.id !== id) throw nothingHere()
      return workspaceView(group)
    },
  }),
]

function workspaceView({ id, name, createdAt, deletedAt }: Group): z.infer<typeof WorkspaceView> {
  return {
    id: `wrkspc_${id}`,
    type: 'workspace',
    name,
    created_at: timeText(createdAt),
    archived_at: deletedAt === null ? null : timeText(deletedAt),
    display_color: '#6C5BB9',
    compartment_id: null,
    data_residency: null,
    external_key_id: null,
    tags: {},
    user_profile_id: null,
  }
}

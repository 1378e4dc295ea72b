/** Groups and their members. */
import * as z from 'zod'
import type { Deps } from '../../core/deps.ts'
import { nothingHere } from '../../core/errors.ts'
import { createGroup, deleteGroup, type Group, groupOf, updateGroup } from '../../core/organisation/groups.ts'
import { assertKeptHere, removeMember, setMember } from '../../core/organisation/members.ts'
import { groupPage, memberPage, type PagedMember } from '../../core/organisation/pages.ts'
import type { Settings } from '../../core/settings.ts'
import { timeText } from '../../core/units.ts'
import { mailTo } from '../../core/users/address.ts'
import { line, timestamp } from '../fields.ts'
import { report, route } from '../route.ts'
import { ADMIN, byPage, cursorOf, deleted, idIn, pageList, pageListOf, tagged } from './fields.ts'

const GroupView = z
  .strictObject({
    id: z.string(),
    type: z.literal('rbac_group'),
    name: z.string(),
    role_ids: z.array(z.string()),
    source_type: z.enum(['direct', 'scim']).meta({ description: 'scim: a directory keeps its members.' }),
    created_at: timestamp,
    updated_at: timestamp,
  })
  .meta({ id: 'RbacGroup' })
const MemberView = z
  .strictObject({
    type: z.literal('rbac_group_member'),
    rbac_group_id: z.string(),
    user_id: z.string(),
    email: z.string(),
    created_at: timestamp,
  })
  .meta({ id: 'RbacGroupMember' })
const GROUPS = '/v1/organizations/rbac_groups'
const name = line(100)

const rbacGroups = [
  route({
    method: 'GET',
    path: GROUPS,
    ...ADMIN,
    summary: 'Groups.',
    query: z.strictObject(byPage),
    reply: pageList(GroupView),
    async handle({ deps: { db }, query }) {
      return pageListOf(await groupPage(db, {}, cursorOf(query)), groupView, ({ id }) => id)
    },
  }),
  route({
    method: 'POST',
    path: GROUPS,
    ...ADMIN,
    summary: 'Makes a group.',
    errors: [409],
    body: z.strictObject({ name }),
    reply: GroupView,
    handle: async ({ deps, body, actor }) => groupView(await createGroup({ ...deps, actor }, body)),
  }),
  route({
    method: 'GET',
    path: `${GROUPS}/:id`,
    ...ADMIN,
    summary: 'One group.',
    reply: GroupView,
    handle: async ({ deps: { db }, params }) => groupView(await groupOf(db, groupId(params.id))),
  }),
  route({
    method: 'POST',
    path: `${GROUPS}/:id`,
    ...ADMIN,
    summary: 'Renames a group.',
    errors: [409],
    body: z.strictObject({ name: name.nullish() }),
    reply: GroupView,
    async handle({ deps, params, body, actor }) {
      const group = await groupOf(deps.db, groupId(params.id))
      assertKeptHere(group)
      const named = body.name ?? group.name
      if (named === group.name) return groupView(group)
      const changed = await updateGroup({ ...deps, actor }, group.id, { name: named })
      await deps.keyCache.changed()
      return groupView(changed)
    },
  }),
  route({
    method: 'DELETE',
    path: `${GROUPS}/:id`,
    ...ADMIN,
    summary: 'Deletes a group with its limits. Its usage keeps its name.',
    errors: [409],
    reply: deleted('rbac_group_deleted'),
    async handle({ deps, params, actor }) {
      const group = await groupOf(deps.db, groupId(params.id))
      assertKeptHere(group)
      await deleteGroup({ ...deps, actor }, group.id)
      await deps.keyCache.changed()
      return { id: params.id, type: 'rbac_group_deleted' }
    },
  }),
]

const members = [
  report({
    path: `${GROUPS}/:id/members`,
    ...ADMIN,
    summary: 'Who is in a group.',
    query: z.strictObject(byPage),
    reply: pageList(MemberView),
    async handle({ deps: { db, settings }, params, query }) {
      const { id } = await groupOf(db, groupId(params.id))
      const page = await memberPage(db, id, cursorOf(query))
      return pageListOf(page, memberView(id, settings), ({ user }) => user.id)
    },
  }),
  route({
    method: 'POST',
    path: `${GROUPS}/:id/members`,
    ...ADMIN,
    summary: 'Adds a person to a group. Who is in it stays what they are.',
    errors: [409],
    body: z.strictObject({ user_id: tagged('user') }),
    reply: MemberView,
    async handle({ deps, params, body, actor }) {
      const id = groupId(params.id)
      const known = await memberOf(deps, id, body.user_id)
      if (!known) {
        await setMember({ ...deps, actor }, id, body.user_id, undefined)
        await deps.keyCache.changed()
      }
      const member = known ?? (await memberOf(deps, id, body.user_id))
      if (!member) throw nothingHere()
      return memberView(id, deps.settings)(member)
    },
  }),
  route({
    method: 'DELETE',
    path: `${GROUPS}/:id/members/:user_id`,
    ...ADMIN,
    summary: 'Takes a person out of a group.',
    errors: [409],
    reply: z.strictObject({
      type: z.literal('rbac_group_member_deleted'),
      rbac_group_id: z.string(),
      user_id: z.string(),
    }),
    async handle({ deps, params, actor }) {
      await removeMember({ ...deps, actor }, groupId(params.id), idIn('user', params.user_id))
      await deps.keyCache.changed()
      return { type: 'rbac_group_member_deleted', rbac_group_id: params.id, user_id: params.user_id }
    },
  }),
]

export const groups = [...rbacGroups, ...members]

const groupId = (text: string) => idIn('rbac_group', text)

async function memberOf({ db }: Pick<Deps, 'db'>, id: number, userId: number) {
  return (await memberPage(db, id, { limit: 1 }, userId)).rows[0]
}

function groupView({ id, name, source, createdAt, updatedAt }: Group): z.infer<typeof GroupView> {
  return {
    id: `rbac_group_${id}`,
    type: 'rbac_group',
    name,
    role_ids: [],
    source_type: source === 'direct' ? 'direct' : 'scim',
    created_at: timeText(createdAt),
    updated_at: timeText(updatedAt),
  }
}

const memberView =
  (id: number, settings: Pick<Settings, 'auth'>) =>
  ({ user, createdAt }: PagedMember): z.infer<typeof MemberView> => ({
    type: 'rbac_group_member',
    rbac_group_id: `rbac_group_${id}`,
    user_id: `user_${user.id}`,
    email: mailTo(user, settings.auth),
    created_at: timeText(createdAt),
  })

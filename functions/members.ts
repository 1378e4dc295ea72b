/** Routes for the members of groups: administrators change them, leads see and perhaps add them, everybody sees their own groups. */
import * as z from 'zod'
import type { Deps } from '../core/deps.ts'
import { nothingHere } from '../core/errors.ts'
import {
  addAsLead,
  groupsLedBy,
  groupsOf,
  listMembers,
  type Member,
  removeMember,
  setMember,
} from '../core/organisation/members.ts'
import { timeText } from '../core/units.ts'
import { findUser } from '../core/users/manage.ts'
import { idOf, line, timestamp } from './fields.ts'
import { report, route } from './route.ts'

export const MemberView = z
  .strictObject({
    user_id: z.int(),
    itcode: z.string(),
    name: z.string(),
    role: z.enum(['member', 'lead']),
    created_at: timestamp,
  })
  .meta({ id: 'GroupMember' })

const Members = z.strictObject({ members: z.array(MemberView) })
const OwnGroup = z
  .strictObject({ id: z.int(), name: z.string(), bills: z.boolean(), role: z.enum(['member', 'lead']) })
  .meta({ id: 'OwnGroup' })

export const members = [
  route({
    method: 'PUT',
    path: '/admin/api/groups/:id/members/:user_id',
    tier: 'admin',
    summary: 'Makes a person a member or lead of a group.',
    errors: [409],
    body: z.strictObject({ role: z.enum(['member', 'lead']).default('member') }),
    reply: Members,
    async handle({ deps, params, body, actor }) {
      await setMember({ ...deps, actor }, groupId(params.id), idOf(params.user_id), body.role)
      await deps.keyCache.refresh()
      return membersOf(deps, groupId(params.id))
    },
  }),
  route({
    method: 'DELETE',
    path: '/admin/api/groups/:id/members/:user_id',
    tier: 'admin',
    summary: 'Takes a person out of a group.',
    errors: [409],
    reply: Members,
    async handle({ deps, params, actor }) {
      await removeMember({ ...deps, actor }, groupId(params.id), idOf(params.user_id))
      await deps.keyCache.refresh()
      return membersOf(deps, groupId(params.id))
    },
  }),
  report({
    path: '/api/groups',
    tier: 'session',
    summary: 'The groups that the caller is in.',
    reply: z.strictObject({ groups: z.array(OwnGroup) }),
    async handle({ deps, caller }) {
      const mine = await groupsOf(deps.db, caller.user.id)
      return { groups: mine.map(({ group: { id, name, bills }, role }) => ({ id, name, bills, role })) }
    },
  }),
  route({
    method: 'GET',
    path: '/api/groups/:id/members',
    tier: 'session',
    summary: 'The members of a group that the caller leads.',
    reply: Members,
    async handle({ deps, caller, params }) {
      const id = idOf(params.id)
      if (!(await groupsLedBy(deps.db, caller.user.id)).includes(id)) throw nothingHere()
      return membersOf(deps, id)
    },
  }),
  route({
    method: 'POST',
    path: '/api/groups/:id/members',
    tier: 'session',
    summary: 'Adds a person to a group that the caller leads, where an administrator lets leads do that.',
    errors: [409],
    body: z.strictObject({ itcode: line(254) }),
    reply: Members,
    async handle({ deps, caller, params, body, actor }) {
      const id = idOf(params.id)
      if (!(await groupsLedBy(deps.db, caller.user.id)).includes(id)) throw nothingHere()
      const person = await findUser(deps.db, body.itcode)
      if (!person) throw nothingHere()
      await addAsLead({ ...deps, actor }, caller.user.id, id, person.id)
      await deps.keyCache.refresh()
      return membersOf(deps, id)
    },
  }),
]

/** The id in a path; that of the built-in group is 0. */
export function groupId(text: string): number {
  return text === '0' ? 0 : idOf(text)
}

export async function membersOf({ db }: Pick<Deps, 'db'>, id: number) {
  return { members: (await listMembers(db, id)).map(memberView) }
}

function memberView({ userId, itcode, name, role, createdAt }: Member): z.infer<typeof MemberView> {
  return { user_id: userId, itcode, name, role, created_at: timeText(createdAt) }
}

/** Routes for the members of groups: administrators change them, leads see and perhaps add them, everybody sees their own groups. */
import * as z from 'zod'
import type { Deps } from '../core/deps.ts'
import { nothingHere } from '../core/errors.ts'
import { poolsOf, type UsedPool } from '../core/limits/pools.ts'
import {
  addAsLead,
  groupsLedBy,
  groupsOf,
  listMembers,
  type Member,
  removeMember,
  setMember,
} from '../core/organisation/members.ts'
import { timeText, usdOf } from '../core/units.ts'
import { findUser } from '../core/users/manage.ts'
import { idOf, line, timestamp } from './fields.ts'
import { period } from './limits.ts'
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
  .strictObject({
    id: z.int(),
    name: z.string(),
    bills: z.boolean(),
    role: z.enum(['member', 'lead']),
    leads_add: z.boolean().meta({ description: 'Whether its leads may add members.' }),
    pools: z
      .array(
        z.strictObject({
          period,
          amount_usd: z.number(),
          used_usd: z.number(),
          resets_at: timestamp.nullable(),
        }),
      )
      .meta({
        description: 'What its calls may cost together, and cost so far. Empty for who does not lead it.',
      }),
  })
  .meta({ id: 'OwnGroup' })
export type OwnGroupView = z.infer<typeof OwnGroup>

export const members = [
  route({
    method: 'PUT',
    path: '/admin/api/groups/:id/members/:user_id',
    tier: 'admin',
    summary: 'Makes a person a member or lead of a group. Without a role, who is in it stays what they are.',
    errors: [409],
    body: z.strictObject({ role: z.enum(['member', 'lead']).optional() }),
    reply: Members,
    async handle({ deps, params, body, actor }) {
      await setMember({ ...deps, actor }, groupId(params.id), idOf(params.user_id), body.role)
      await deps.keyCache.changed()
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
      await deps.keyCache.changed()
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
      const led = mine.flatMap(({ group, role }) => (role === 'lead' ? [group.id] : []))
      const pools = led.length === 0 ? [] : await poolsOf(deps, led, deps.clock.now())
      return {
        groups: mine.map(({ group: { id, name, bills, leadsAdd }, role }) => ({
          id,
          name,
          bills,
          role,
          leads_add: leadsAdd,
          pools: pools.filter(({ group }) => group?.id === id).map(poolView),
        })),
      }
    },
  }),
  report({
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
      await deps.keyCache.changed()
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

function poolView({ period, micros, usedMicros, resetsAt }: UsedPool) {
  return {
    period,
    amount_usd: usdOf(micros),
    used_usd: usdOf(usedMicros),
    resets_at: period === 'total' ? null : timeText(resetsAt),
  }
}

function memberView({ userId, itcode, name, role, createdAt }: Member): z.infer<typeof MemberView> {
  return { user_id: userId, itcode, name, role, created_at: timeText(createdAt) }
}

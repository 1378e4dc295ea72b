/** Invitations of one person by their address, which need no link. */
import * as z from 'zod'
import type { Deps } from '../../core/deps.ts'
import { invalidField, nothingHere, Refusal } from '../../core/errors.ts'
import { groupOf } from '../../core/organisation/groups.ts'
import {
  createInvitations,
  invitationOfAddress,
  revokeInvitation,
  statusOf,
} from '../../core/organisation/invitations.ts'
import { invitationPage, type PagedInvitation } from '../../core/organisation/pages.ts'
import { DAY_MS, timeText } from '../../core/units.ts'
import { addressOf, isFreeAddress } from '../../core/users/address.ts'
import { line, timestamp } from '../fields.ts'
import { route } from '../route.ts'
import { ADMIN, byId, cursorOf, deleted, idIn, idList, idListOf, tagged } from './fields.ts'
import { askedRoles, grantedRole, rolesIn, roleView, shownRole } from './users.ts'

/** As long as Anthropic's. */
const LIFE_MS = 21 * DAY_MS

const InviteView = z
  .strictObject({
    id: z.string(),
    type: z.literal('invite'),
    email: z.string(),
    role: roleView,
    status: z.enum(['pending', 'accepted', 'expired', 'deleted']),
    invited_at: timestamp,
    expires_at: timestamp,
    accepted_at: timestamp.nullable(),
    rbac_group_ids: z.array(z.string()),
  })
  .meta({ id: 'Invite' })
const GroupIds = z.array(z.int())
const STATUSES = ['pending', 'accepted', 'expired'] as const

const INVITES = '/v1/organizations/invites'

export const invites = [
  route({
    method: 'GET',
    path: INVITES,
    ...ADMIN,
    summary: 'Invitations of one person each.',
    query: z.strictObject({
      ...byId('invite'),
      email: line(254).optional(),
      roles: askedRoles,
      statuses: z
        .array(z.enum(STATUSES))
        .max(3)
        .default([...STATUSES]),
    }),
    repeats: ['roles', 'statuses'],
    reply: idList(InviteView),
    async handle({ deps, query }) {
      const { email, roles, statuses } = query
      const now = deps.clock.now()
      const filter = { email: email?.toLowerCase(), roles: rolesIn(roles), statuses }
      const page = await invitationPage(deps.db, filter, now, cursorOf(query))
      return idListOf(
        page.rows.map((row) => viewOf(row, now)),
        page,
      )
    },
  }),
  route({
    method: 'POST',
    path: INVITES,
    ...ADMIN,
    summary: 'Invites a person. They sign in with a code that is mailed to their address.',
    body: z.strictObject({
      email: line(254),
      role: grantedRole,
      rbac_group_ids: z.array(tagged('rbac_group')).max(50).default([]),
    }),
    reply: InviteView,
    async handle({ deps, body, actor }) {
      const email = addressOf(body.email)
      await assertNew(deps, email)
      await assertGroups(deps, body.rbac_group_ids)
      const [made] = await createInvitations({ ...deps, actor }, [
        {
          email,
          name: null,
          role: body.role,
          groupIds: body.rbac_group_ids,
          limit: null,
          mostUses: 1,
          expiresAt: deps.clock.now() + LIFE_MS,
        },
      ])
      return viewOf(await inviteOf(deps, `invite_${made?.invitation.id}`), deps.clock.now())
    },
  }),
  route({
    method: 'GET',
    path: `${INVITES}/:id`,
    ...ADMIN,
    summary: 'One invitation.',
    reply: InviteView,
    handle: async ({ deps, params }) => viewOf(await inviteOf(deps, params.id), deps.clock.now()),
  }),
  route({
    method: 'DELETE',
    path: `${INVITES}/:id`,
    ...ADMIN,
    summary: 'Takes an invitation back that was not accepted.',
    reply: deleted('invite_deleted'),
    async handle({ deps, params, actor }) {
      await revokeInvitation({ ...deps, actor }, (await inviteOf(deps, params.id)).invitation.id)
      return { id: params.id, type: 'invite_deleted' }
    },
  }),
]

async function assertNew(deps: Deps, email: string) {
  if (!(await isFreeAddress({ db: deps.db, auth: deps.settings.auth }, email))) {
    throw new Refusal('invalid_input', `There is a user ${email} already.`, { errorCode: 'already_member' })
  }
  const open = await invitationOfAddress(deps, email)
  if (open) {
    const said = `${email} is invited already, by invite_${open.id}.`
    throw new Refusal('invalid_input', said, { errorCode: 'invite_already_exists' })
  }
}

async function assertGroups({ db }: Deps, ids: readonly number[]) {
  for (const id of ids) {
    const group = await groupOf(db, id).catch(() => undefined)
    if (group?.source !== 'direct') {
      throw invalidField('rbac_group_ids', 'ids of groups whose members are kept here are expected')
    }
  }
}

async function inviteOf({ db, clock }: Deps, idText: string): Promise<PagedInvitation> {
  const { rows } = await invitationPage(db, { id: idIn('invite', idText) }, clock.now())
  const [row] = rows
  if (!row) throw nothingHere()
  return row
}

function viewOf({ invitation, acceptedAt }: PagedInvitation, now: number): z.infer<typeof InviteView> {
  const status = statusOf(invitation, now)
  const groupIds = GroupIds.parse(JSON.parse(invitation.groupIds))
  return {
    id: `invite_${invitation.id}`,
    type: 'invite',
    email: invitation.email ?? '',
    role: shownRole(invitation.role),
    status: status === 'revoked' ? 'deleted' : status,
    invited_at: timeText(invitation.createdAt),
    expires_at: timeText(invitation.expiresAt),
    accepted_at: acceptedAt === null ? null : timeText(acceptedAt),
    rbac_group_ids: groupIds.map((id) => `rbac_group_${id}`),
  }
}

/** Routes for invitations: an administrator makes them, and whoever has a link sees for whom it is. */
import * as z from 'zod'
import type { Deps } from '../core/deps.ts'
import { invalidField, Refusal } from '../core/errors.ts'
import { groupIdsOf, peopleIn, withoutAccount } from '../core/organisation/invitation-list.ts'
import {
  createInvitations,
  INVITATION_STATUSES,
  type Invitation,
  invitationOfLink,
  listInvitations,
  type NewInvitation,
  revokeInvitation,
  statusOf,
} from '../core/organisation/invitations.ts'
import { problem } from '../core/problems.ts'
import { DAY_MS, timeText, usdOf } from '../core/units.ts'
import { addressOf } from '../core/users/address.ts'
import { amount, idOf, line, moment, page, pageSize, timestamp } from './fields.ts'
import { period } from './limits.ts'
import { report, route } from './route.ts'

const LIFE_MS = 14 * DAY_MS
const LIST_CHARACTERS = 200_000
const LIST_BYTES = 1_048_576

const status = z.enum(INVITATION_STATUSES)
const role = z.enum(['user', 'admin', 'billing', 'auditor'])
const shape = {
  id: z.int(),
  email: z.string().nullable(),
  name: z.string().nullable(),
  role,
  group_ids: z.array(z.int()),
  limit_usd: z.number().nullable(),
  limit_period: period.nullable(),
  most_uses: z.int(),
  uses: z.int(),
  status,
  created_by: z.int().nullable(),
  created_at: timestamp,
  expires_at: timestamp,
}
const InvitationView = z.strictObject(shape).meta({ id: 'Invitation' })
export type InvitationView = z.infer<typeof InvitationView>
const MadeInvitation = z
  .strictObject({
    ...shape,
    secret: z.string(),
    link: z.string().nullable().meta({ description: 'null where server.public_url is not set.' }),
  })
  .meta({ id: 'MadeInvitation' })
const GroupIds = z.array(z.int())

const Wanted = z.strictObject({
  email: line(254).nullish().meta({ description: 'Only this address may use it, and needs no link.' }),
  name: line(100).nullish(),
  role: role.default('user'),
  group_ids: z.array(z.int().min(1)).max(50).default([]),
  limit_usd: amount.nullish(),
  limit_period: period.default('monthly'),
  most_uses: z.int().min(1).max(10_000).default(1),
  expires_at: moment.optional().meta({ description: 'Left out: in 14 days.' }),
  // What is in it is checked line by line, so that a refusal names the line.
  list: z.string().max(LIST_CHARACTERS).optional().meta({
    description:
      'Lines of `address, name, group | group`; each makes an invitation. In place of email and name.',
  }),
})
type Wanted = z.output<typeof Wanted>

export const invitations = [
  report({
    path: '/admin/api/invitations',
    tier: 'auditor',
    summary: 'Invitations, newest first.',
    query: z.strictObject({ status: status.optional(), page, page_size: pageSize }),
    reply: z.strictObject({
      invitations: z.array(InvitationView),
      total: z.int(),
      page: z.int(),
      page_size: z.int(),
    }),
    async handle({ deps, query: { page, page_size, status } }) {
      const found = await listInvitations(deps, { page, pageSize: page_size, status })
      const now = deps.clock.now()
      const views = found.invitations.map((one) => viewOf(one, now))
      return { invitations: views, total: found.total, page, page_size }
    },
  }),
  route({
    method: 'POST',
    path: '/admin/api/invitations',
    tier: 'admin',
    summary:
      'Invites one person, many from a list, or whoever has the link. Links are in this answer and nowhere else.',
    body: Wanted,
    bodyBytes: LIST_BYTES,
    reply: z.strictObject({
      invitations: z.array(MadeInvitation),
      skipped: z.array(z.string()).meta({ description: 'Addresses that have an account.' }),
    }),
    status: 201,
    async handle({ deps, body, actor }) {
      const { wanted, skipped } = await wantedOf(deps, body)
      const made = await createInvitations({ ...deps, actor }, wanted)
      const now = deps.clock.now()
      return {
        invitations: made.map(({ invitation, secret }) => ({
          ...viewOf(invitation, now),
          secret,
          link: linkOf(deps, secret),
        })),
        skipped,
      }
    },
  }),
  route({
    method: 'DELETE',
    path: '/admin/api/invitations/:id',
    tier: 'admin',
    summary: 'Takes an invitation back.',
    reply: z.strictObject({ message: z.string() }),
    async handle({ deps, params, actor }) {
      await revokeInvitation({ ...deps, actor }, idOf(params.id))
      return { message: 'revoked' }
    },
  }),
  route({
    method: 'POST',
    path: '/api/auth/invitation',
    tier: 'public',
    summary: 'For whom the link of an invitation is.',
    errors: [403],
    body: z.strictObject({ invitation: line(64) }),
    reply: z.strictObject({
      email: z.string().nullable(),
      organisation: z.string(),
      expires_at: timestamp,
    }),
    async handle({ deps, body }) {
      const found = await invitationOfLink(deps, body.invitation)
      if (!found) {
        throw new Refusal('invalid_invite_code', 'This invitation is used up, too old or was taken back.')
      }
      const { email, expiresAt } = found
      return { email, organisation: deps.settings.organisationName, expires_at: timeText(expiresAt) }
    },
  }),
]

/** Throws a Refusal invalid_input. */
async function wantedOf(
  { db, clock, settings: { auth } }: Pick<Deps, 'db' | 'clock' | 'settings'>,
  body: Wanted,
): Promise<{ wanted: NewInvitation[]; skipped: string[] }> {
  const now = clock.now()
  const { role, group_ids: groupIds, limit_usd: micros, limit_period: period, list } = body
  const { most_uses: mostUses, expires_at: expiresAt = now + LIFE_MS } = body
  if (expiresAt <= now) throw invalidField('expires_at', problem('future'))
  const limit = micros === null || micros === undefined ? null : { micros, period }
  const rights = { role, groupIds, limit, mostUses, expiresAt }
  if (list === undefined) {
    const email = body.email ? addressOf(body.email) : null
    return { wanted: [{ ...rights, email, name: body.name ?? null }], skipped: [] }
  }
  if (body.email || body.name || mostUses > 1) {
    throw invalidField('list', 'it stands in place of email, name and most_uses')
  }
  const people = peopleIn(list, auth)
  const ids = await groupIdsOf(db, people)
  const invited = await withoutAccount({ db, auth }, people)
  const wanted = invited.map(({ email, name, groups }) => {
    const own = groups.map((group) => ids.get(group) ?? 0)
    return { ...rights, email, name, groupIds: [...new Set([...groupIds, ...own])] }
  })
  const skipped = people.filter((one) => !invited.includes(one)).map(({ email }) => email)
  return { wanted, skipped }
}

/** The secret stands behind `#`, so that no server or proxy on the way logs it. */
function linkOf({ settings }: Pick<Deps, 'settings'>, secret: string): string | null {
  return settings.publicUrl === '' ? null : `${settings.publicUrl}/login#invitation=${secret}`
}

function viewOf(invitation: Invitation, now: number) {
  const { id, email, name, role, groupIds, limitMicros, limitPeriod, mostUses, uses } = invitation
  return {
    id,
    email,
    name,
    role,
    group_ids: GroupIds.parse(JSON.parse(groupIds)),
    limit_usd: limitMicros === null ? null : usdOf(limitMicros),
    limit_period: limitPeriod,
    most_uses: mostUses,
    uses,
    status: statusOf(invitation, now),
    created_by: invitation.createdBy,
    created_at: timeText(invitation.createdAt),
    expires_at: timeText(invitation.expiresAt),
  }
}

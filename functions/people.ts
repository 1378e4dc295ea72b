/** Routes with which administrators look at one person: how they sign in, their groups, and what they may spend. */
import * as z from 'zod'
import { endSessionOf, lastSignIn, openSessionsOf } from '../core/auth/open-sessions.ts'
import { logOutEverywhere } from '../core/auth/sessions.ts'
import { nothingHere } from '../core/errors.ts'
import { isKeptByScim } from '../core/identity/apply.ts'
import { limitsOfPerson } from '../core/limits/caps.ts'
import { listGroups } from '../core/organisation/groups.ts'
import { groupsOf } from '../core/organisation/members.ts'
import type { Db } from '../core/ports.ts'
import { timeText } from '../core/units.ts'
import { userOf } from '../core/users/manage.ts'
import { idOf, timestamp } from './fields.ts'
import { CapView, capView } from './limits.ts'
import { report, route } from './route.ts'

const Named = z.strictObject({ id: z.int(), name: z.string() })
const SessionView = z
  .strictObject({
    id: z.string().meta({ description: 'It names the session and opens nothing.' }),
    created_at: timestamp,
    last_seen_at: timestamp,
    expires_at: timestamp,
    ip: z.string().nullable(),
    user_agent: z.string().nullable(),
  })
  .meta({ id: 'Session' })
export type SessionView = z.infer<typeof SessionView>
const SignInsView = z.strictObject({
  last_at: timestamp.nullable().meta({ description: 'Of the last sign-in that the audit has.' }),
  paused_since: timestamp
    .nullable()
    .meta({ description: 'Since when their keys wait for them to sign in again.' }),
  kept_by_directory: z.boolean().meta({ description: 'Whether SCIM makes, changes and ends the account.' }),
  sessions: z.array(SessionView).meta({ description: 'Of the dashboard, the one used last first.' }),
})
export type SignInsView = z.infer<typeof SignInsView>
const PersonCap = CapView.extend({
  group: Named.nullable().meta({ description: 'Of the source `group`: which one.' }),
}).meta({ id: 'PersonCap' })
const PersonLimits = z.strictObject({
  caps: z.array(PersonCap),
  billing_group: Named.meta({ description: 'What their calls are booked to; 0 is no group.' }),
})
export type PersonLimits = z.infer<typeof PersonLimits>
const PersonGroup = Named.extend({
  source: z.enum(['direct', 'oidc', 'ldap', 'scim']),
  bills: z.boolean(),
  role: z.enum(['member', 'lead']),
}).meta({ id: 'PersonGroup' })
export type PersonGroup = z.infer<typeof PersonGroup>
const Message = z.strictObject({ message: z.string() })

export const people = [
  report({
    path: '/admin/api/users/:id/sign-ins',
    tier: 'auditor',
    summary: 'How a person signs in: when they did last, and their sessions.',
    reply: SignInsView,
    async handle({ deps, params }) {
      const { db, clock, settings } = deps
      const user = await userOf(db, idOf(params.id))
      const [last, isKept, sessions] = await Promise.all([
        lastSignIn(db, user.id),
        isKeptByScim(db, user.id),
        openSessionsOf({ db, clock, auth: settings.auth }, user.id),
      ])
      return {
        last_at: last === null ? null : timeText(last),
        paused_since: user.pausedAt === null ? null : timeText(user.pausedAt),
        kept_by_directory: isKept,
        sessions: sessions.map(({ id, createdAt, lastSeenAt, expiresAt, ip, userAgent }) => ({
          id,
          ip,
          user_agent: userAgent,
          created_at: timeText(createdAt),
          last_seen_at: timeText(lastSeenAt),
          expires_at: timeText(expiresAt),
        })),
      }
    },
  }),
  report({
    path: '/admin/api/users/:id/limits',
    tier: 'auditor',
    summary: 'What a person may spend in each period, whose limit that is, and what they have spent.',
    reply: PersonLimits,
    async handle({ deps, params }) {
      const user = await userOf(deps.db, idOf(params.id))
      const [{ caps, billingGroupId }, nameOf] = await Promise.all([
        limitsOfPerson(deps, user.id, deps.clock.now()),
        groupNames(deps.db),
      ])
      return {
        caps: caps.map((cap) => ({
          ...capView(cap),
          group: cap.groupId === undefined ? null : nameOf(cap.groupId),
        })),
        billing_group: nameOf(billingGroupId),
      }
    },
  }),
  report({
    path: '/admin/api/users/:id/groups',
    tier: 'auditor',
    summary: 'The groups that a person is in.',
    reply: z.strictObject({ groups: z.array(PersonGroup) }),
    async handle({ deps, params }) {
      const user = await userOf(deps.db, idOf(params.id))
      const theirs = await groupsOf(deps.db, user.id)
      return {
        groups: theirs.map(({ group: { id, name, source, bills }, role }) => {
          return { id, name, source, bills, role }
        }),
      }
    },
  }),
  route({
    method: 'DELETE',
    path: '/admin/api/users/:id/sessions',
    tier: 'admin',
    summary: 'Signs a person out everywhere: ends their sessions and devices. Keys go on.',
    reply: Message,
    async handle({ deps, params, actor }) {
      const user = await userOf(deps.db, idOf(params.id))
      await logOutEverywhere({ ...deps, actor }, user.id)
      await deps.keyCache.changed()
      return { message: 'signed out everywhere' }
    },
  }),
  route({
    method: 'DELETE',
    path: '/admin/api/users/:id/sessions/:session',
    tier: 'admin',
    summary: 'Ends one session of a person.',
    reply: Message,
    async handle({ deps, params, actor }) {
      if (!(await endSessionOf({ ...deps, actor }, idOf(params.id), params.session))) throw nothingHere()
      return { message: 'ended' }
    },
  }),
]

async function groupNames(db: Db) {
  const names = new Map((await listGroups(db)).map(({ id, name }) => [id, name]))
  return (id: number) => ({ id, name: names.get(id) ?? '' })
}

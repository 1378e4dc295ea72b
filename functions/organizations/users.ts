/** The people of the organisation. */
import * as z from 'zod'
import { bareName, mailAddress, type User } from '../../core/auth/account.ts'
import type { Deps } from '../../core/deps.ts'
import { nothingHere, Refusal } from '../../core/errors.ts'
import { userPage } from '../../core/organisation/pages.ts'
import type { Settings } from '../../core/settings.ts'
import { timeText } from '../../core/units.ts'
import { mailTo } from '../../core/users/address.ts'
import { isLastAdmin } from '../../core/users/last-admin.ts'
import { updateUser } from '../../core/users/manage.ts'
import { deleteUser } from '../../core/users/remove.ts'
import { line, timestamp } from '../fields.ts'
import { report, route } from '../route.ts'
import { ADMIN, byId, cursorOf, deleted, idIn, idList, idListOf, USAGE } from './fields.ts'

/** What Anthropic calls roles of less than a user's rights is a user here. */
const AS_USER = ['user', 'developer', 'claude_code_user'] as const
/** Nobody becomes an administrator by this API. */
export const grantedRole = z
  .enum([...AS_USER, 'billing'])
  .transform((role) => (role === 'billing' ? role : 'user'))
export const askedRoles = z
  .array(z.enum([...AS_USER, 'billing', 'admin']))
  .max(20)
  .optional()
export const roleView = z.enum(['user', 'billing', 'admin'])

const UserView = z
  .strictObject({
    id: z.string(),
    type: z.literal('user'),
    email: z.string(),
    name: z.string(),
    role: roleView,
    gateway_role: z.enum(['user', 'admin', 'billing', 'auditor']),
    added_at: timestamp,
  })
  .meta({ id: 'OrganizationUser' })

export const users = [
  report({
    path: '/v1/organizations/users',
    ...USAGE,
    summary: 'The people of the organisation.',
    query: z.strictObject({ ...byId('user'), email: line(254).optional(), roles: askedRoles }),
    repeats: ['roles'],
    reply: idList(UserView),
    async handle({ deps: { db, settings }, query }) {
      const names = query.email === undefined ? undefined : namesOf(query.email, settings)
      const page = await userPage(db, { names, roles: rolesIn(query.roles) }, cursorOf(query))
      return idListOf(
        page.rows.map((user) => viewOf(user, settings)),
        page,
      )
    },
  }),
  route({
    method: 'GET',
    path: '/v1/organizations/users/:id',
    ...USAGE,
    summary: 'One person.',
    reply: UserView,
    handle: async ({ deps, params }) => viewOf(await personOf(deps, params.id), deps.settings),
  }),
  route({
    method: 'POST',
    path: '/v1/organizations/users/:id',
    ...ADMIN,
    summary: 'Gives a person another role. Administrators are made and unmade on the dashboard only.',
    body: z.strictObject({ role: grantedRole }),
    reply: UserView,
    async handle({ deps, params, body, actor }) {
      const user = await personOf(deps, params.id)
      if (user.role === 'admin') {
        throw new Refusal('invalid_input', 'Only an administrator can change the role of another one.')
      }
      if (shownRole(user.role) === body.role) return viewOf(user, deps.settings)
      const changed = await updateUser({ ...deps, actor }, user.id, { role: body.role })
      await deps.keyCache.changed()
      return viewOf(changed, deps.settings)
    },
  }),
  route({
    method: 'DELETE',
    path: '/v1/organizations/users/:id',
    ...ADMIN,
    summary:
      'Removes a person: their keys and sessions end. Administrators are removed on the dashboard only.',
    errors: [400],
    reply: deleted('user_deleted'),
    async handle({ deps, params, actor }) {
      const { id, role } = await personOf(deps, params.id)
      // Whoever came by a program's key could otherwise take away those who can revoke it.
      if (role === 'admin' && !(await isLastAdmin(deps.db, id))) {
        throw new Refusal('invalid_input', 'Only an administrator can remove another one.')
      }
      try {
        await deleteUser({ ...deps, actor }, id)
      } catch (thrown) {
        if (!(thrown instanceof Refusal && thrown.code === 'conflict')) throw thrown
        throw new Refusal('invalid_input', thrown.message, { errorCode: 'cannot_remove_last_member' })
      }
      await deps.keyCache.changed()
      return { id: `user_${id}`, type: 'user_deleted' }
    },
  }),
]

async function personOf({ db }: Pick<Deps, 'db'>, idText: string): Promise<User> {
  const id = idIn('user', idText)
  const { rows } = await userPage(db, {}, { limit: 1, after: id - 1 })
  const [user] = rows
  if (user?.id !== id) throw nothingHere()
  return user
}

/** The account names and addresses that an address may stand for. */
function namesOf(email: string, { auth }: Pick<Settings, 'auth'>): string[] {
  const name = email.toLowerCase()
  return [...new Set([name, bareName(name, auth), mailAddress(name, auth)])]
}

export function shownRole(role: User['role']): z.infer<typeof roleView> {
  return role === 'auditor' ? 'user' : role
}

export function rolesIn(asked: z.output<typeof askedRoles>): User['role'][] | undefined {
  return asked?.flatMap((role) =>
    role === 'admin' || role === 'billing' ? [role] : ['user' as const, 'auditor' as const],
  )
}

function viewOf(user: User, settings: Pick<Settings, 'auth'>): z.infer<typeof UserView> {
  return {
    id: `user_${user.id}`,
    type: 'user',
    email: mailTo(user, settings.auth),
    name: user.name,
    role: shownRole(user.role),
    gateway_role: user.role,
    added_at: timeText(user.createdAt),
  }
}

/** Anthropic's Admin API, for programs with an admin key: https://platform.claude.com/docs/en/api/admin-api */
import * as z from 'zod'
import { databaseId } from '../../core/db/identity.ts'
import { route } from '../route.ts'
import { claudeCode } from './claude-code.ts'
import { costs } from './costs.ts'
import { effective } from './effective.ts'
import { USAGE } from './fields.ts'
import { groups } from './groups.ts'
import { increases } from './increases.ts'
import { invites } from './invites.ts'
import { keys } from './keys.ts'
import { limits } from './limits.ts'
import { rateLimits } from './rate-limits.ts'
import { usage } from './usage.ts'
import { users } from './users.ts'
import { workspaces } from './workspaces.ts'

const me = route({
  method: 'GET',
  path: '/v1/organizations/me',
  ...USAGE,
  summary: 'The organisation that this gateway serves.',
  reply: z.strictObject({ id: z.string(), type: z.literal('organization'), name: z.string() }),
  handle: async ({ deps: { db, settings } }) => ({
    id: `org_${await databaseId(db)}`,
    type: 'organization' as const,
    name: settings.organisationName,
  }),
})

export const organizations = [
  me,
  ...users,
  ...invites,
  ...groups,
  ...workspaces,
  ...keys,
  ...effective,
  ...limits,
  ...increases,
  rateLimits,
  ...usage,
  ...costs,
  claudeCode,
]

/** The functions, each a deployable unit with its routes: the one table of all routes. */
import { adminKeys } from './admin-keys.ts'
import { approvals } from './approvals.ts'
import { audit } from './audit.ts'
import { auth } from './auth.ts'
import { backends } from './backends.ts'
import { batches } from './batches.ts'
import { claudeCode } from './claude-code.ts'
import { connect } from './connect.ts'
import { devices } from './devices.ts'
import { files } from './files.ts'
import { groups } from './groups.ts'
import { health } from './health.ts'
import { invitations } from './invitations.ts'
import { keyRotation } from './key-rotation.ts'
import { keys } from './keys.ts'
import { leaving } from './leaving.ts'
import { limits } from './limits.ts'
import { live } from './live.ts'
import { members } from './members.ts'
import { metrics } from './metrics.ts'
import { models } from './models.ts'
import { noticeAddress } from './notice-address.ts'
import { notices } from './notices.ts'
import { organizations } from './organizations/index.ts'
import { people } from './people.ts'
import { policies } from './policies.ts'
import { proxy } from './proxy.ts'
import { queue } from './queue.ts'
import { reconciliations } from './reconciliation.ts'
import { reports } from './report-routes.ts'
import { requests } from './requests.ts'
import type { Route } from './route.ts'
import { savedViews } from './saved-views.ts'
import { scim } from './scim.ts'
import { scimDiscovery } from './scim-discovery.ts'
import { scimJoining } from './scim-joining.ts'
import { serviceAccounts } from './service-accounts.ts'
import { skills } from './skills.ts'
import { sso } from './sso.ts'
import { statements } from './statements.ts'
import { telemetry } from './telemetry.ts'
import { usage } from './usage.ts'
import { users } from './users.ts'

export const functions = {
  proxy: [...proxy, ...batches, ...files, ...skills],
  auth: [...auth, ...sso],
  keys: [...keys, ...keyRotation],
  usage: [...usage, ...reports, ...statements, ...reconciliations, ...savedViews],
  approvals: [...models, ...approvals],
  groups: [...groups, ...members, ...serviceAccounts],
  limits,
  requests: [...requests, ...queue],
  admin: [
    ...users,
    ...people,
    ...leaving,
    ...scimJoining,
    ...invitations,
    ...adminKeys,
    ...backends,
    ...audit,
    ...live,
  ],
  notices: [...notices, ...noticeAddress],
  'claude-code': [...claudeCode, ...connect, ...devices, ...policies, ...telemetry],
  organizations,
  scim: [...scim, ...scimDiscovery],
  health,
  metrics,
} satisfies Record<string, Route[]>
export type FunctionName = keyof typeof functions
export const ALL_FUNCTIONS = Object.keys(functions) as FunctionName[] // holds because `functions` is a constant

/** Parses GATEWAY_FUNCTIONS: names separated by commas, all if empty. Throws an Error for an unknown name. */
export function functionsFrom(text: string | undefined): readonly FunctionName[] {
  const names = (text ?? '').split(',').map((name) => name.trim())
  const unknown = names.filter((name) => name !== '' && !Object.hasOwn(functions, name))
  if (unknown.length > 0) throw new Error(`GATEWAY_FUNCTIONS: there is no ${unknown.join(', ')}`)
  const chosen = ALL_FUNCTIONS.filter((name) => names.includes(name))
  return chosen.length > 0 ? chosen : ALL_FUNCTIONS
}

/** Runs a report in the thread that has them (`Reports` in core/ports.ts). */
import type { ReportInput } from '../core/reports/reports.ts'
import { approvals } from './approvals.ts'
import { audit } from './audit.ts'
import { devices } from './devices.ts'
import { groups } from './groups.ts'
import { invitations } from './invitations.ts'
import { keys } from './keys.ts'
import { leaving } from './leaving.ts'
import { limits } from './limits.ts'
import { members } from './members.ts'
import { models } from './models.ts'
import { organizations } from './organizations/index.ts'
import { people } from './people.ts'
import { policies } from './policies.ts'
import { queue } from './queue.ts'
import { reconciliations } from './reconciliation.ts'
import { reports } from './report-routes.ts'
import { requests } from './requests.ts'
import { toResponse } from './respond.ts'
import type { ReportDeps, Route } from './route.ts'
import { scim } from './scim.ts'
import { serviceAccounts } from './service-accounts.ts'
import { statements } from './statements.ts'
import { usage } from './usage.ts'
import { users } from './users.ts'

const REPORTS = new Map<string, Route>(
  [
    usage,
    reports,
    statements,
    reconciliations,
    audit,
    users,
    people,
    leaving,
    keys,
    models,
    approvals,
    groups,
    members,
    serviceAccounts,
    limits,
    requests,
    queue,
    invitations,
    organizations,
    devices,
    policies,
    scim,
  ]
    .flat()
    .filter(({ report }) => report)
    .map((route) => [route.path, route]),
)

/** Throws a Refusal, or what the handler throws. */
export async function runReport(deps: ReportDeps, path: string, call: ReportInput): Promise<Response> {
  const route = REPORTS.get(path)
  if (!route) throw new Error(`There is no report at ${path}.`)
  // The cast holds because `call` is of this very route (functions/run.ts).
  return toResponse(route, await route.handle({ ...call, deps, over() {} } as never), call.id)
}

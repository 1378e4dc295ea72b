/** What a program does with the organisation resources of Anthropic's SDK, pointed at the gateway. */
import Anthropic from '@anthropic-ai/sdk'

const { BASE_URL, API_KEY, VERSION, USER, ADMIN, KEY, ASKED, REFUSED } = process.env
const defaultHeaders = VERSION ? { 'anthropic-version': VERSION } : {}
const client = new Anthropic({ baseURL: BASE_URL, apiKey: API_KEY, maxRetries: 0, defaultHeaders })
const { organization } = client
const all = async (list) => {
  const items = []
  for await (const item of list) items.push(item)
  return items
}
const failure = async (call) => {
  try {
    await call
    return null
  } catch (thrown) {
    return { kind: thrown.constructor.name, status: thrown.status, code: thrown.errorCode }
  }
}

const me = await organization.retrieve()
const groups = []
for (const name of ['A', 'B', 'C']) groups.push(await organization.rbacGroups.create({ name }))
const group = groups[0].id
const renamed = await organization.rbacGroups.update(group, { name: 'Web' })
await organization.rbacGroups.members.add(group, { user_id: USER })
const members = await all(organization.rbacGroups.members.list(group, { limit: 1 }))
const invited = { email: 'new@corp.example', role: 'developer', rbac_group_ids: [group] }
const invite = await organization.invites.create(invited)
const twice = await failure(organization.invites.create(invited))
const member = await failure(organization.invites.create({ ...invited, email: 'ann@corp.example' }))
const invites = await all(organization.invites.list({ statuses: ['pending', 'accepted'] }))
const noInvite = await organization.invites.delete(invite.id)
const workspaces = await all(organization.workspaces.list({ limit: 2 }))
const key = await organization.apiKeys.retrieve(KEY)
const off = await organization.apiKeys.update(KEY, { status: 'inactive' })
const keys = await all(organization.apiKeys.list({ status: 'inactive', limit: 1 }))
const rates = await all(organization.rateLimits.list())
const { spendLimits } = client.beta.organization
const limit = await spendLimits.set({ scope: { type: 'user', user_id: USER }, amount: '50000' })
const limits = await all(spendLimits.list({ scope_type: ['user', 'organization'] }))
const effective = await all(
  organization.spendLimits.effective.list({ user_ids: [USER], period: ['monthly'] }),
)
const approved = await organization.spendLimits.increaseRequests.approve(ASKED, { amount: '70000' })
const denied = await organization.spendLimits.increaseRequests.deny(REFUSED, {})
const requests = await all(organization.spendLimits.increaseRequests.list({ status: ['denied'], limit: 1 }))
const noLimit = await spendLimits.delete(limit.id)
const users = await all(organization.users.list({ limit: 1 }))
const admins = await all(organization.users.list({ roles: ['admin'] }))
const billing = await organization.users.update(USER, { role: 'billing' })
const lastAdmin = await failure(organization.users.remove(ADMIN))
const removed = await organization.users.remove(USER)
const noUser = await failure(organization.users.retrieve(USER))
const noMember = await failure(organization.rbacGroups.members.remove(USER, { rbac_group_id: group }))
const unserved = await failure(organization.serviceAccounts.list())
const deleted = await organization.rbacGroups.delete(group)

console.log(
  JSON.stringify({
    me: me.type,
    renamed: renamed.name,
    groups: (await all(organization.rbacGroups.list({ limit: 1 }))).map(({ name }) => name),
    members: members.map(({ user_id, email }) => [user_id, email]),
    invite: [invite.status, invite.role, invite.rbac_group_ids.length],
    invites: invites.length,
    workspaces: workspaces.map(({ name }) => name),
    key: { principal: key.principal, scope: key.scope ?? null, workspace_id: key.workspace_id ?? null },
    off: off.status,
    keys: keys.length,
    rates: rates.map(({ group, group_type }) => group?.type ?? group_type),
    limit: [limit.amount, limit.period],
    limits: limits.map(({ scope }) => scope.type),
    effective: effective.map(({ amount, source, period_to_date_spend }) => [
      amount,
      source.type,
      period_to_date_spend,
    ]),
    approved: [approved.status, approved.spend_limit.amount, approved.resolved_by.type],
    denied: denied.status,
    requests: requests.length,
    users: users.map(({ email }) => email),
    admins: admins.map(({ email }) => email),
    billing: billing.role,
    types: [noInvite.type, noLimit.type, removed.type, deleted.type],
    failures: { twice, member, lastAdmin, noUser, noMember, unserved },
  }),
)

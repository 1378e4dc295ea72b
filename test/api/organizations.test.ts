/** Anthropic's Admin API: people, groups and keys by an admin key. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { COMMAND_LINE } from '../../core/audit/record.ts'
import { groups as groupTable } from '../../core/db/schema.ts'
import { createKey } from '../../core/keys/manage.ts'
import { createGroup } from '../../core/organisation/groups.ts'
import { setMember } from '../../core/organisation/members.ts'
import { createUser } from '../../core/users/manage.ts'
import { type App, startApp } from '../support/app.ts'
import { NEW_VERSION, type Program, program } from '../support/program.ts'
import { MINIMAL } from '../unit/config/settings.ts'

let app: App
let client: Program
beforeEach(async () => {
  app = await startApp({ auth: { ...MINIMAL.auth, email_domain: 'corp.example' } })
  client = await program(app)
})
afterEach(() => app.close())

const parts = () => ({ ...app.deps, actor: COMMAND_LINE })
const person = (itcode: string, role: 'user' | 'admin' | 'auditor' | 'billing' = 'user') =>
  createUser(parts(), { itcode, role, quotaTokens: 0 })
const ids = (items: readonly { id: string }[]) => items.map(({ id }) => id)
/** What is audited from here on. */
const audited = async (run: () => Promise<unknown>) => {
  const before = (await app.audit()).length
  await run()
  return (await app.audit()).slice(before).map(({ action, target, adminKeyId, actorId }) => {
    expect([actorId, adminKeyId]).toEqual([null, client.keyId])
    return `${action} ${target}`
  })
}

describe('errors', () => {
  test.each([
    ['GET', '/nothing', 404, 'not_found_error', 'not_found'],
    ['POST', '/workspaces/wrkspc_1/members', 404, 'not_found_error', 'not_found'],
    ['GET', '/users/7', 404, 'not_found_error', 'not_found'],
    ['GET', '/users/user_99', 404, 'not_found_error', 'not_found'],
    ['GET', '/users?email=', 400, 'invalid_request_error', 'invalid_input'],
    ['GET', '/users?limit=0', 400, 'invalid_request_error', 'invalid_input'],
    ['GET', '/users?after_id=1', 400, 'invalid_request_error', 'invalid_input'],
    ['GET', '/users?after_id=user_1&before_id=user_2', 400, 'invalid_request_error', 'invalid_input'],
    ['GET', '/rbac_groups?page=2', 400, 'invalid_request_error', 'invalid_input'],
    ['PUT', '/users', 405, 'invalid_request_error', 'method_not_allowed'],
  ])('%s %s is told in Anthropic’s envelope: %i', async (method, path, status, type, code) => {
    const answer = await app.request(`/v1/organizations${path}`, {
      method,
      headers: { 'x-api-key': (await secretOf()) ?? '' },
    })
    expect(answer.status).toBe(status)
    expect(answer.body).toEqual({
      type: 'error',
      error: { type, message: expect.any(String), details: { error_code: code } },
      request_id: answer.headers.get('request-id'),
    })
  })

  test.each([
    'users?after_id=',
    'api_keys?status=&workspace_id=&created_by_user_id=',
    'rbac_groups?page=',
    'spend_limits?scope_type=',
    'spend_limits/effective?period=&user_ids=&page=',
    'rate_limits?model=&group_type=',
    'spend_limit_increase_requests?status=&actor_ids=',
  ])('%s asks for all, because SDKs send null so', async (path) => {
    const all = await client.get(`/${path.replace(/\?.*/, '')}`)
    expect(await client.get(`/${path}`)).toMatchObject({ status: 200, body: all.body })
  })

  const secretOf = async () => {
    const admin = await app.signIn('admin', 'admin')
    const made = await admin.post('/admin/api/admin-keys', { name: 'x', scopes: ['write'] })
    return made.body.secret
  }

  test('a key without the scope is refused with 403, one that is unknown with 401', async () => {
    const reader = await program(app, ['read'])
    expect(await reader.post('/rbac_groups', { name: 'x' })).toMatchObject({
      status: 403,
      body: { error: { type: 'permission_error', details: { error_code: 'scope_missing' } } },
    })
    const usage = await program(app, ['usage'])
    expect((await usage.get('/rbac_groups')).status).toBe(403)
    for (const path of ['/me', '/users', '/api_keys', '/workspaces']) {
      expect([path, (await usage.get(path)).status]).toEqual([path, 200])
    }
    const stranger = await app.request('/v1/organizations/me', { headers: { authorization: 'Bearer sk-no' } })
    expect(stranger).toMatchObject({ status: 401, body: { error: { type: 'authentication_error' } } })
  })
})

describe('people', () => {
  test('are shown with their role as Anthropic has it and as it is here', async () => {
    await person('ann@other.example', 'auditor')
    await person('ben', 'admin')
    expect(await client.all('/users')).toMatchObject([
      { type: 'user', email: 'ann@other.example', role: 'user', gateway_role: 'auditor' },
      { email: 'ben@corp.example', name: 'ben', role: 'admin', added_at: expect.any(String) },
    ])
    expect(await client.all('/users?roles[]=admin&roles[]=billing')).toMatchObject([{ name: 'ben' }])
    expect(await client.all('/users?roles=user&roles=admin')).toHaveLength(2)
    expect(await client.all('/users?email=BEN%40corp.example')).toMatchObject([{ name: 'ben' }])
    expect(await client.all('/users?email=nobody@corp.example')).toEqual([])
  })

  test('are listed page by page in both directions, whoever comes in between', async () => {
    const all = []
    for (let at = 0; at < 7; at++) all.push(`user_${(await person(`p${at}`)).id}`)
    const first = (await client.get('/users?limit=3')).body
    expect(ids(first.data)).toEqual(all.slice(0, 3))
    expect(first).toMatchObject({ first_id: all[0], last_id: all[2], has_more: true })
    all.push(`user_${(await person('late')).id}`)
    expect(ids(await client.all('/users?limit=2'))).toEqual(all)
    const back = (await client.get(`/users?limit=2&before_id=${all[3]}`)).body
    expect(ids(back.data)).toEqual(all.slice(1, 3))
    expect(back.has_more).toBe(true)
    expect((await client.get(`/users?limit=2&before_id=${all[2]}`)).body.has_more).toBe(false)
  })

  test('get another role, but nobody becomes an administrator and none is unmade', async () => {
    const ann = `/users/user_${(await person('ann')).id}`
    const boss = `/users/user_${(await person('boss', 'admin')).id}`
    const auditor = `/users/user_${(await person('aud', 'auditor')).id}`
    expect((await client.post(ann, { role: 'billing' })).body).toMatchObject({ role: 'billing' })
    expect(await audited(() => client.post(ann, { role: 'billing' }))).toEqual([])
    expect((await client.post(ann, { role: 'developer' })).body).toMatchObject({ role: 'user' })
    expect((await client.post(ann, { role: 'admin' })).status).toBe(400)
    expect((await client.post(boss, { role: 'user' })).status).toBe(400)
    expect((await client.get(boss)).body.role).toBe('admin')
    // Whoever sends back what was read changes nothing.
    expect((await client.post(auditor, { role: 'user' })).body.gateway_role).toBe('auditor')
  })

  test('are removed, but no administrator is, nor the last one', async () => {
    const ann = await person('ann')
    const boss = await person('boss', 'admin')
    const removed = await client.delete(`/users/user_${ann.id}`)
    expect(removed.body).toEqual({ id: `user_${ann.id}`, type: 'user_deleted' })
    expect((await client.delete(`/users/user_${ann.id}`)).status).toBe(404)
    expect(await client.all('/users')).toMatchObject([{ name: 'boss' }])
    expect(await client.delete(`/users/user_${boss.id}`)).toMatchObject({
      status: 400,
      body: { error: { details: { error_code: 'cannot_remove_last_member' } } },
    })
    const second = await person('second', 'admin')
    for (const { id } of [boss, second]) {
      expect(await audited(async () => void (await client.delete(`/users/user_${id}`)))).toEqual([])
      expect((await client.get(`/users/user_${id}`)).body.role).toBe('admin')
    }
  })
})

describe('invitations', () => {
  const invite = (email: string, more: object = {}) =>
    client.post('/invites', { email, role: 'user', ...more })

  test('make an account with role and groups when the person signs in', async () => {
    const { id } = (await client.post('/rbac_groups', { name: 'Web' })).body
    const made = (await invite('Ann@corp.example', { role: 'billing', rbac_group_ids: [id, id] })).body
    expect(made).toMatchObject({
      type: 'invite',
      email: 'ann@corp.example',
      role: 'billing',
      status: 'pending',
      accepted_at: null,
      rbac_group_ids: [id],
    })
    const used = app.browser()
    await used.post('/api/auth/send-code', { itcode: 'ann@corp.example' })
    await app.settled()
    const signedIn = await used.post('/api/auth/login', { itcode: 'ann@corp.example', code: app.code() })
    expect(signedIn.status).toBe(200)
    expect((await client.get(`/invites/${made.id}`)).body).toMatchObject({
      status: 'accepted',
      accepted_at: new Date(app.clock.now()).toISOString(),
    })
    expect(await client.all('/users')).toMatchObject([{ email: 'ann@corp.example', role: 'billing' }])
    expect(await client.all(`/rbac_groups/${id}/members`)).toHaveLength(1)
    expect(await invite('ann@corp.example')).toMatchObject({
      status: 400,
      body: { error: { details: { error_code: 'already_member' } } },
    })
  })

  test('are made once for an address, taken back, and listed by status', async () => {
    const ann = (await invite('ann@other.example')).body.id
    const again = await audited(() => invite('ann@other.example'))
    expect(again).toEqual([])
    expect((await invite('ANN@other.example')).body.error.details).toEqual({
      error_code: 'invite_already_exists',
    })
    const ben = (await invite('ben@other.example')).body.id
    expect((await client.delete(`/invites/${ben}`)).body).toEqual({ id: ben, type: 'invite_deleted' })
    expect((await client.delete(`/invites/${ben}`)).status).toBe(404)
    expect((await client.get(`/invites/${ben}`)).body.status).toBe('deleted')
    expect(ids(await client.all('/invites'))).toEqual([ann])
    expect(await client.all('/invites?statuses[]=accepted&statuses[]=expired')).toEqual([])
    app.clock.advance(22 * 86_400_000)
    expect(ids(await client.all('/invites?statuses[]=accepted&statuses[]=expired'))).toEqual([ann])
    expect(ids(await client.all('/invites?email=ANN%40other.example&roles=user'))).toEqual([ann])
  })

  test.each([
    ['to be an administrator', { role: 'admin' }],
    ['into a group that is not there', { rbac_group_ids: ['rbac_group_99'] }],
    ['without an address', { email: 'ann' }],
  ])('are refused with 400 %s', async (_, more) => {
    expect((await invite('ann@other.example', more)).status).toBe(400)
  })
})

describe('groups', () => {
  test('are made, renamed and deleted, and the same again changes nothing', async () => {
    const made = await client.post('/rbac_groups', { name: 'Web' })
    expect(made.body).toMatchObject({ type: 'rbac_group', name: 'Web', role_ids: [], source_type: 'direct' })
    const path = `/rbac_groups/${made.body.id}`
    const number = made.body.id.replace('rbac_group_', '')
    expect(await audited(() => client.post(path, { name: 'Shop' }))).toEqual([`group.update group:${number}`])
    expect(await audited(() => client.post(path, { name: 'Shop' }))).toEqual([])
    expect(await audited(() => client.post('/rbac_groups', { name: 'Shop' }))).toEqual([])
    expect((await client.post('/rbac_groups', { name: 'Shop' })).status).toBe(409)
    expect((await client.get(path)).body.name).toBe('Shop')
    expect((await client.get(`/workspaces/wrkspc_${number}`)).body).toMatchObject({
      type: 'workspace',
      name: 'Shop',
      archived_at: null,
    })
    expect((await client.delete(path)).body).toEqual({ id: made.body.id, type: 'rbac_group_deleted' })
    expect((await client.get(path)).status).toBe(404)
    expect(await client.all('/workspaces')).toEqual([])
    // The name of what was booked there is still to be looked up.
    expect((await client.get(`/workspaces/wrkspc_${number}`)).body.archived_at).not.toBeNull()
    expect(await client.all('/workspaces?include_archived=true')).toHaveLength(1)
  })

  test('are listed page by page, without the built-in one', async () => {
    const made = []
    for (const name of ['c', 'b', 'a']) made.push((await client.post('/rbac_groups', { name })).body.id)
    expect(ids(await client.all('/rbac_groups?limit=1'))).toEqual(made)
    expect((await client.get('/rbac_groups')).body.next_page).toBeNull()
    expect((await client.get('/rbac_groups/rbac_group_0')).status).toBe(404)
  })

  test('have members, who are added and removed once', async () => {
    const { id } = (await client.post('/rbac_groups', { name: 'Web' })).body
    const people = [await person('zoe'), await person('ann'), await person('ben')]
    const add = (at: number) =>
      client.post(`/rbac_groups/${id}/members`, { user_id: `user_${people[at]?.id}` })
    expect((await add(0)).body).toMatchObject({
      type: 'rbac_group_member',
      rbac_group_id: id,
      email: 'zoe@corp.example',
    })
    await add(1)
    await add(2)
    expect(await audited(() => add(1))).toEqual([])
    expect((await add(1)).status).toBe(200)
    const listed = await client.all(`/rbac_groups/${id}/members?limit=2`)
    expect(listed.map(({ email }) => email.split('@')[0])).toEqual(['zoe', 'ann', 'ben'])
    const ann = `/rbac_groups/${id}/members/user_${people[1]?.id}`
    expect((await client.delete(ann)).body.type).toBe('rbac_group_member_deleted')
    expect((await client.delete(ann)).status).toBe(404)
  })

  test('that a directory keeps cannot be changed', async () => {
    const group = await createGroup(parts(), { name: 'Kept' })
    await app.db.update(groupTable).set({ source: 'oidc' })
    const ann = await person('ann')
    const path = `/rbac_groups/rbac_group_${group.id}`
    expect((await client.get(path)).body.source_type).toBe('scim')
    expect((await client.post(path, { name: 'x' })).status).toBe(409)
    expect((await client.delete(path)).status).toBe(409)
    expect((await client.post(`${path}/members`, { user_id: `user_${ann.id}` })).status).toBe(409)
  })
})

describe('keys', () => {
  const made = async (itcode = 'ann') => {
    const user = await person(itcode)
    const { key } = await createKey(parts(), { userId: user.id, name: 'laptop', expiresAt: null })
    return { user, key, path: `/api_keys/apikey_${key.id}` }
  }

  test('carry workspace and principal as each version has them', async () => {
    const { user, key, path } = await made()
    const team = await createGroup(parts(), { name: 'Web' })
    const old = (await client.get(path)).body
    expect(old).toEqual({
      id: `apikey_${key.id}`,
      type: 'api_key',
      name: 'laptop',
      status: 'active',
      expires_at: null,
      partial_key_hint: `${key.prefix}...${key.last4}`,
      created_at: expect.any(String),
      created_by: { id: `user_${user.id}`, type: 'user' },
      principal: { id: `user_${user.id}`, type: 'user' },
      workspace_id: null,
    })
    expect((await client.get(path, NEW_VERSION)).body.scope).toEqual({ type: 'organization' })
    await setMember(parts(), team.id, user.id, 'member')
    expect((await client.get(path)).body.workspace_id).toBe(`wrkspc_${team.id}`)
    const now = (await client.get(path, NEW_VERSION)).body
    expect(now.scope).toEqual({ type: 'workspace', workspace_id: `wrkspc_${team.id}` })
    expect(now.principal).toEqual({ type: 'user_actor', user_id: `user_${user.id}` })
    expect(now).not.toHaveProperty('workspace_id')
    expect(await client.all(`/api_keys?workspace_id=wrkspc_${team.id}`)).toHaveLength(1)
    expect(await client.all('/api_keys?workspace_id=wrkspc_99')).toEqual([])
    const list = (await client.get('/api_keys', NEW_VERSION)).body.data
    expect(list).toEqual([now])
  })

  test('are switched off and on, renamed and ended, and the same again changes nothing', async () => {
    const { user, path } = await made()
    await made('ben')
    const states = []
    for (const status of ['inactive', 'active', 'archived']) {
      states.push((await client.post(path, { status, name: 'x' })).body)
      expect(await audited(() => client.post(path, { status, name: 'x' }))).toEqual([])
    }
    expect(states).toMatchObject([
      { status: 'inactive', name: 'x' },
      { status: 'active' },
      { status: 'archived' },
    ])
    expect((await client.post(path, { status: 'active' })).status).toBe(400)
    expect(await client.all('/api_keys?status=archived')).toHaveLength(1)
    expect(await client.all('/api_keys?status=active')).toHaveLength(1)
    expect(await client.all(`/api_keys?created_by_user_id=user_${user.id}`)).toHaveLength(1)
    expect(await client.all('/api_keys?limit=1')).toHaveLength(2)
  })

  test('of a service account name it', async () => {
    const robot = await createUser(parts(), {
      itcode: 'robot',
      role: 'user',
      kind: 'service',
      quotaTokens: 0,
    })
    const keeper = await person('boss', 'admin')
    const wanted = { userId: robot.id, keeperId: keeper.id, name: 'ci', expiresAt: app.clock.now() + 5 }
    const { key } = await createKey(parts(), wanted)
    const path = `/api_keys/apikey_${key.id}`
    expect((await client.get(path, NEW_VERSION)).body.principal).toEqual({
      type: 'service_account_actor',
      service_account_id: `svac_${robot.id}`,
    })
    app.clock.advance(10)
    expect((await client.get(path)).body).toMatchObject({
      status: 'expired',
      created_by: { type: 'service_account' },
    })
    expect(await client.all('/users')).toMatchObject([{ name: 'boss' }])
  })
})

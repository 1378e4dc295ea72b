/** Anthropic's Admin API: spend limits, what holds for each person, what they ask for, and rates. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { COMMAND_LINE } from '../../core/audit/record.ts'
import { limitSpent } from '../../core/db/schema.ts'
import { createGroup } from '../../core/organisation/groups.ts'
import { setMember } from '../../core/organisation/members.ts'
import { askForIncrease } from '../../core/requests/increases.ts'
import { createUser } from '../../core/users/manage.ts'
import { type App, startApp } from '../support/app.ts'
import { NEW_VERSION, type Program, program } from '../support/program.ts'

let app: App
let client: Program
beforeEach(async () => {
  app = await startApp({ limits: { requests_per_minute: 60 } })
  client = await program(app)
})
afterEach(() => app.close())

const parts = () => ({ ...app.deps, actor: COMMAND_LINE })
const person = (itcode: string, kind: 'person' | 'service' = 'person') =>
  createUser(parts(), { itcode, role: 'user', kind, quotaTokens: 0 })
const auditedBy = async (run: () => Promise<unknown>) => {
  const before = (await app.audit()).length
  await run()
  return (await app.audit()).slice(before).map(({ action, target }) => `${action} ${target}`)
}
const set = (scope: object, amount: string | null, period?: string) =>
  client.post('/spend_limits', { scope, amount, ...(period ? { period } : {}) })
const ORGANIZATION = { type: 'organization' }
/** Micro-dollars of this month. */
const spend = async (userId: number, micros: number) => {
  const { start } = app.deps.periods.spanOf('monthly', app.clock.now())
  await app.db
    .insert(limitSpent)
    .values({ owner: `user:${userId}`, period: 'monthly', start, micros, tokens: 0 })
}

describe('spend limits', () => {
  test('of every scope are set in whole cents, and the same again changes nothing', async () => {
    const ann = await person('ann')
    const team = await createGroup(parts(), { name: 'Web' })
    const scopes = [
      ORGANIZATION,
      { type: 'organization_pool' },
      { type: 'rbac_group', rbac_group_id: `rbac_group_${team.id}` },
      { type: 'workspace', workspace_id: `wrkspc_${team.id}` },
      { type: 'user', user_id: `user_${ann.id}` },
    ]
    const made = []
    for (const scope of scopes) made.push((await set(scope, '50000')).body)
    expect(made).toEqual(
      scopes.map((scope) => ({
        id: expect.stringMatching(/^spl_\d+$/),
        type: 'spend_limit',
        scope,
        amount: '50000',
        currency: 'USD',
        period: 'monthly',
        is_enabled: true,
        temporary_amount: null,
        temporary_until: null,
        created_at: expect.any(String),
        updated_at: expect.any(String),
      })),
    )
    app.clock.advance(5_000)
    expect(await auditedBy(() => set(scopes[4] ?? {}, '50000'))).toEqual([])
    expect((await set(scopes[4] ?? {}, '50000')).body).toEqual(made[4])
    expect(await auditedBy(() => set(scopes[4] ?? {}, '0'))).toEqual([
      `limit.set limit:user:${ann.id}:monthly`,
    ])
    expect((await set(scopes[4] ?? {}, null)).body).toMatchObject({ id: made[4].id, amount: null })
    expect(await client.all('/spend_limits?limit=2')).toHaveLength(5)
    expect(await client.all('/spend_limits?scope_type=user&scope_type[]=workspace')).toHaveLength(2)
    expect(await client.all(`/spend_limits?workspace_id=wrkspc_${team.id}`)).toEqual([made[3]])
    const back = (await client.get(`/spend_limits?limit=1&before_id=${made[2].id}`)).body
    expect([back.data[0].id, back.has_more]).toEqual([made[1].id, true])
  })

  test.each([
    ['fractions of a cent', { amount: '1.5' }],
    ['numbers', { amount: 100 }],
    ['another currency', { amount: '100', currency: 'EUR' }],
    ['the period total', { amount: '100', period: 'total' }],
    ['somebody unknown', { amount: '1', scope: { type: 'user', user_id: 'user_99' } }],
    ['a scope of Anthropic alone', { amount: '1', scope: { type: 'seat_tier', seat_tier: 'x' } }],
  ])('are refused with 400 for %s', async (_, body) => {
    expect((await client.post('/spend_limits', { scope: ORGANIZATION, ...body })).status).toBe(400)
  })

  test.each([
    [{ type: 'user', user_id: 'user_99' }, 'scope.user_id: nobody and nothing here has this id'],
    [
      { type: 'workspace', workspace_id: 'wrkspc_99' },
      'scope.workspace_id: nobody and nothing here has this id',
    ],
    [
      { type: 'team' },
      'scope.type: organization, organization_pool, rbac_group, workspace, user is expected',
    ],
    [undefined, 'scope: this is needed'],
  ])('of no scope that is there are refused by its name: %j', async (scope, message) => {
    const { status, body } = await client.post('/spend_limits', { scope, amount: '5' })
    expect([status, body.error.message]).toEqual([400, message])
  })

  test('are removed, and every change is told with who made it', async () => {
    const { id } = (await set(ORGANIZATION, '700', 'daily')).body
    expect((await client.get(`/spend_limits/${id}`)).body.period).toBe('daily')
    expect((await client.delete(`/spend_limits/${id}`)).body).toEqual({ id, type: 'spend_limit_deleted' })
    expect((await client.delete(`/spend_limits/${id}`)).status).toBe(404)
    expect(
      (await client.all('/spend_limits/audit?limit=1')).map(({ action, actor }) => [action, actor]),
    ).toEqual(['limit.delete', 'limit.set'].map((action) => [action, `admin-key:${client.keyId}`]))
  })
})

describe('effective limits', () => {
  test('say for each person and period what holds, whose it is and what was spent', async () => {
    const ann = await person('ann')
    const ben = await person('ben')
    const robot = await person('robot', 'service')
    const [wide, strict] = [
      await createGroup(parts(), { name: 'Wide' }),
      await createGroup(parts(), { name: 'Strict' }),
    ]
    for (const { id } of [wide, strict]) await setMember(parts(), id, ann.id, 'member')
    await set({ type: 'rbac_group', rbac_group_id: `rbac_group_${wide.id}` }, '900')
    const ofGroup = (await set({ type: 'rbac_group', rbac_group_id: `rbac_group_${strict.id}` }, '300')).body
    const ofAll = (await set(ORGANIZATION, '2000', 'weekly')).body
    const own = (await set({ type: 'user', user_id: `user_${ben.id}` }, null)).body
    await set({ type: 'user', user_id: `svac_${robot.id}` }, '40')
    await spend(ann.id, 1_234_567)
    const rows = await client.all('/spend_limits/effective')
    const told = rows.map(({ actor, source, period, amount, period_to_date_spend, spend_limit_id }) => [
      actor.user_id ?? actor.service_account_id,
      source.type,
      period,
      amount,
      period_to_date_spend,
      spend_limit_id,
    ])
    expect(told).toEqual([
      [`user_${ann.id}`, 'organization', 'weekly', '2000', '0', ofAll.id],
      // 123.4567 cents, to a thousandth.
      [`user_${ann.id}`, 'rbac_group', 'monthly', '300', '123.457', ofGroup.id],
      [`user_${ben.id}`, 'organization', 'weekly', '2000', '0', ofAll.id],
      [`user_${ben.id}`, 'user', 'monthly', null, '0', own.id],
      [`svac_${robot.id}`, 'user', 'monthly', '40', '0', expect.any(String)],
    ])
    expect(rows[0]).toMatchObject({
      actor: { type: 'user_actor', name: 'ann', email_address: 'ann', deleted: false },
      scope: { type: 'user', user_id: `user_${ann.id}` },
      groups: [
        { id: `rbac_group_${wide.id}`, name: 'Wide' },
        { id: `rbac_group_${strict.id}`, name: 'Strict' },
      ],
    })
    expect(rows[4].actor.type).toBe('service_account_actor')
    const some = await client.all(
      `/spend_limits/effective?user_ids[]=user_${ben.id}&user_ids[]=svac_${robot.id}&period[]=monthly`,
    )
    expect(some).toEqual(rows.slice(3))
    expect(await client.all('/spend_limits/effective?limit=1')).toEqual(rows)
    expect(await client.all('/spend_limits/effective?q=BEN')).toEqual(rows.slice(2, 4))
  })

  test('are sorted by what was spent, page by page', async () => {
    await set(ORGANIZATION, '5000')
    const spent = [3, 9, 0, 9, 5]
    const people: number[] = []
    for (const [at, micros] of spent.entries()) {
      people.push((await person(`p${at}`)).id)
      await spend(people[at] ?? 0, micros * 10_000)
    }
    for (const limit of [1, 2, 5]) {
      const rows = await client.all(`/spend_limits/effective?sort=spend_desc&limit=${limit}`)
      expect(rows.map(({ actor }) => people.indexOf(Number(actor.user_id.slice(5))))).toEqual([1, 3, 4, 0, 2])
    }
    expect((await client.get('/spend_limits/effective?sort=spend_desc&page=page_1')).status).toBe(400)
  })

  test('that only the configuration gives have no id', async () => {
    await app.close()
    app = await startApp({ limits: { default_budget_usd: 5, period: 'monthly' } })
    client = await program(app)
    await person('ann')
    expect(await client.all('/spend_limits/effective')).toMatchObject([
      { source: ORGANIZATION, amount: '500', spend_limit_id: null },
    ])
  })
})

describe('requests for a higher limit', () => {
  const asked = async (itcode: string, usd = 90) => {
    const { id } = await person(itcode)
    const wanted = { userId: id, period: 'monthly' as const, amountMicros: usd * 1e6, reason: 'work' }
    const request = await askForIncrease(parts(), wanted)
    return { userId: id, path: `/spend_limit_increase_requests/slir_${request.id}` }
  }
  beforeEach(() => set(ORGANIZATION, '1000'))

  test('are approved: the amount is the person’s own limit', async () => {
    const { userId, path } = await asked('ann')
    expect((await client.get(path)).body).toMatchObject({
      type: 'spend_limit_increase_request',
      status: 'pending',
      period: 'monthly',
      resolved_by: null,
      requested_amount: '9000',
      reason: 'work',
      spend_summary: { amount: '1000' },
      actor: { type: 'user_actor', user_id: `user_${userId}` },
    })
    const approved = (await client.post(`${path}/approve`, { amount: '7000' })).body
    expect(approved).toMatchObject({
      status: 'approved',
      spend_summary: null,
      resolved_by: { type: 'scoped_api_key_actor', scoped_api_key_id: `admin-key:${client.keyId}` },
      spend_limit: { scope: { type: 'user', user_id: `user_${userId}` }, amount: '7000', period: 'monthly' },
    })
    expect(await auditedBy(() => client.post(`${path}/approve`, { amount: '7000' }))).toEqual([])
    expect((await client.post(`${path}/deny`)).status).toBe(400)
    const weekly = await asked('ben')
    const other = await client.post(`${weekly.path}/approve`, { amount: '1', period: 'weekly' })
    expect(other.body.spend_limit).toMatchObject({ amount: '1', period: 'weekly' })
  })

  test('are denied once, and listed by status and person, the newest first', async () => {
    const [ann, ben, cleo] = [await asked('ann'), await asked('ben'), await asked('cleo')]
    expect((await client.post(`${ann.path}/deny`, { suppress_notification: true })).body.status).toBe(
      'denied',
    )
    expect(await auditedBy(() => client.post(`${ann.path}/deny`))).toEqual([])
    const listed = async (query: string) =>
      (await client.all(`/spend_limit_increase_requests?${query}`)).map(({ actor }) => actor.user_id)
    const [a, b, c] = [ann, ben, cleo].map(({ userId }) => `user_${userId}`)
    expect(await listed('limit=1')).toEqual([c, b, a])
    expect(await listed('status[]=pending')).toEqual([c, b])
    expect(await listed('status=denied&status=approved')).toEqual([a])
    expect(await listed(`actor_ids[]=${a}&actor_ids[]=${b}`)).toEqual([b, a])
    expect((await client.get('/spend_limit_increase_requests/slir_99')).status).toBe(404)
  })
})

describe('rates', () => {
  test('are told as each version has them', async () => {
    const old = (await client.get('/rate_limits')).body
    expect(old).toMatchObject({
      data: [
        {
          type: 'rate_limit',
          group_type: 'model_group',
          limits: [{ type: 'requests_per_minute', value: 60 }],
        },
      ],
      next_page: null,
    })
    const now = (await client.get('/rate_limits', NEW_VERSION)).body
    expect(now.data[0].group).toMatchObject({ type: 'model_group', display_name: 'All models' })
    expect(now.data[0]).not.toHaveProperty('group_type')
    expect((await client.get('/rate_limits?group_type=files')).body.data).toEqual([])
    expect((await client.get('/rate_limits?model=nothing')).status).toBe(404)
  })
})

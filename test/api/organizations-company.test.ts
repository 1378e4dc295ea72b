/** A program administers a gateway by plain HTTP: from empty to a company of three hundred, whose month it reads. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { type App, startApp } from '../support/app.ts'
import { type Program, program } from '../support/program.ts'
import { type FakeUpstream, messageJson, startUpstream } from '../support/upstream.ts'

const DEPARTMENTS = 12
const PEOPLE_EACH = 25
const ASK = { model: 'claude-opus-5-5', max_tokens: 10, messages: [{ role: 'user', content: 'hi' }] }
/** 249,900 input tokens at 4 and 20 output tokens at 20 micro-dollars: a call costs a dollar. */
const DOLLAR = { input_tokens: 249_900, output_tokens: 20 }

let upstream: FakeUpstream
let app: App
let client: Program
beforeEach(async () => {
  upstream = await startUpstream()
  upstream.answer({
    headers: { 'content-type': 'application/json' },
    chunks: [messageJson({ usage: DOLLAR })],
  })
  app = await startApp({
    backends: [{ name: 'a', url: upstream.url, api_key: 'k' }],
  })
  client = await program(app)
})
afterEach(async () => {
  await app.close()
  await upstream.stop()
})

const call = async (key: string) => {
  const body = JSON.stringify(ASK)
  const headers = { 'x-api-key': key, 'content-type': 'application/json' }
  return (await app.request('/v1/messages', { method: 'POST', headers, body })).status
}
const ok = async (answer: ReturnType<Program['post']>) => {
  const { status, body, text } = await answer
  expect([status, status === 200 ? '' : text]).toEqual([200, ''])
  return body
}

/** Somebody who was invited signs in, each from an address of their own, and makes a key. */
async function arrive(email: string, at: number): Promise<string> {
  const used = app.browser()
  const peer = `198.51.${Math.floor(at / 250)}.${at % 250}`
  await used.post('/api/auth/send-code', { itcode: email }, { peer })
  await app.settled()
  await used.post('/api/auth/login', { itcode: email, code: app.code() }, { peer })
  const made = await used.post('/api/keys', { name: 'laptop' })
  expect(made.status).toBe(201)
  return made.body.key.key
}

test('a company of three hundred is made, works, and is read', { timeout: 120_000 }, async () => {
  const groups: string[] = []
  for (let at = 0; at < DEPARTMENTS; at++) {
    const { id } = await ok(client.post('/rbac_groups', { name: `Department ${at}` }))
    groups.push(id)
    const scope = { type: 'workspace', workspace_id: id.replace('rbac_group', 'wrkspc') }
    await ok(client.post('/spend_limits', { scope, amount: '1000000' }))
  }
  await ok(client.post('/spend_limits', { scope: { type: 'organization' }, amount: '5000' }))
  const emails = Array.from({ length: DEPARTMENTS * PEOPLE_EACH }, (_, at) => `p${at}@corp.example`)
  for (const [at, email] of emails.entries()) {
    const rbac_group_ids = [groups[Math.floor(at / PEOPLE_EACH)]]
    await ok(client.post('/invites', { email, role: 'user', rbac_group_ids }))
  }
  const keys: string[] = []
  for (const [at, email] of emails.entries()) keys.push(await arrive(email, at))
  for (const key of keys) expect(await call(key)).toBe(200)
  await app.settled()

  expect(await client.all('/invites?statuses=accepted&limit=1000')).toHaveLength(emails.length)
  const people = await client.all('/users?limit=100')
  expect(people.map(({ email }) => email)).toEqual(emails)
  const ofFirst = await client.all(`/api_keys?workspace_id=${groups[0]?.replace('rbac_group', 'wrkspc')}`)
  expect(ofFirst).toHaveLength(PEOPLE_EACH)

  const month = new Date(app.clock.now()).toISOString().slice(0, 8)
  const span = `starting_at=${month}01T00:00:00Z&limit=31`
  const { data: days } = await ok(client.get(`/cost_report?${span}&group_by[]=workspace_id`))
  const costs = days.flatMap(({ results }: { results: { workspace_id: string; amount: string }[] }) =>
    results.map(({ workspace_id, amount }) => [workspace_id, amount]),
  )
  // Each of the twelve spent 25 dollars.
  expect(costs).toEqual(groups.map((id) => [id.replace('rbac_group', 'wrkspc'), '2500']))
  const { data: usage } = await ok(client.get(`/usage_report/messages?${span}&group_by[]=account_id`))
  const used = usage.flatMap(
    ({ results }: { results: { account_id: string; output_tokens: number }[] }) => results,
  )
  expect(used).toHaveLength(emails.length)
  expect(new Set(used.map(({ output_tokens }: { output_tokens: number }) => output_tokens))).toEqual(
    new Set([20]),
  )
  const limits = await client.all('/spend_limits/effective?limit=150')
  expect(new Set(limits.map((row) => `${row.period_to_date_spend} of ${row.amount}`))).toEqual(
    new Set(['100 of 5000']),
  )
  expect(limits).toHaveLength(emails.length)

  // One of them is stopped, one leaves.
  await ok(client.post('/spend_limits', { scope: { type: 'user', user_id: people[0].id }, amount: '0' }))
  await ok(client.delete(`/users/${people[1].id}`))
  expect(await Promise.all(keys.slice(0, 3).map(call))).toEqual([429, 401, 200])
  expect(await client.all('/users?limit=1000')).toHaveLength(emails.length - 1)
  // What they spent is still there.
  expect((await ok(client.get(`/cost_report?${span}`))).data.at(-1).results[0].amount).toBe('30100')
})

describe('a program that brings all to what a file says', () => {
  /** Makes what is missing, as Terraform does: it reads, and changes what differs. The second time nothing does. */
  const audited = async (run: () => Promise<unknown>) => {
    const before = (await app.audit()).length
    await run()
    return (await app.audit()).length - before
  }

  test('changes nothing the second time, in each of its steps', async () => {
    await app.signIn('boss', 'admin')
    await arrive('boss', 1)
    await ok(client.post('/invites', { email: 'ann@corp.example', role: 'user' }))
    await arrive('ann@corp.example', 2)
    const [boss, ann] = (await client.all('/users')).map(({ id }) => id)
    const [key] = (await client.all(`/api_keys?created_by_user_id=${ann}`)).map(({ id }) => id)
    const group = (await client.post('/rbac_groups', { name: 'Web' })).body.id
    const create = async () => {
      await client.post('/rbac_groups', { name: 'Web' })
      await client.post(`/rbac_groups/${group}/members`, { user_id: ann })
      await client.post('/invites', { email: 'new@corp.example', role: 'billing', rbac_group_ids: [group] })
      for (const scope of [{ type: 'organization' }, { type: 'user', user_id: ann }]) {
        for (const period of ['daily', 'monthly'])
          await client.post('/spend_limits', { scope, amount: '900', period })
      }
      await client.post('/spend_limits', {
        scope: { type: 'rbac_group', rbac_group_id: group },
        amount: null,
      })
    }
    const change = async () => {
      await client.post(`/users/${ann}`, { role: 'billing' })
      await client.post(`/users/${boss}`, { role: 'user' })
      await client.post(`/rbac_groups/${group}`, { name: 'Shop' })
      await client.post(`/api_keys/${key}`, { name: 'old laptop', status: 'inactive' })
      await client.post('/spend_limits', {
        scope: { type: 'user', user_id: ann },
        amount: '1200',
        period: 'daily',
      })
    }
    const remove = async () => {
      for (const { id } of await client.all('/spend_limits')) await client.delete(`/spend_limits/${id}`)
      for (const { id } of await client.all('/invites?statuses=pending'))
        await client.delete(`/invites/${id}`)
      await client.post(`/api_keys/${key}`, { status: 'archived' })
      await client.delete(`/rbac_groups/${group}/members/${ann}`)
      await client.delete(`/rbac_groups/${group}`)
      await client.delete(`/users/${ann}`)
    }
    const counts = []
    for (const step of [create, change, remove]) counts.push(await audited(step), await audited(step))
    // Of the first: a member, an invitation, five limits. Of the second: role, name of the group, name and status of the key, limit.
    expect(counts).toEqual([7, 0, 5, 0, 10, 0])
    expect(await client.all('/users')).toMatchObject([{ id: boss, role: 'admin' }])
  })
})

/** What Claude Code tells of itself, counted by person and day. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { claudeCodeDays, claudeCodePoints } from '../../core/db/schema.ts'
import { type App, startApp } from '../support/app.ts'
import type { Browser } from '../support/browser.ts'
import { jsonOf, protobufOf, type Told } from '../support/claude-code-metrics.ts'
import { type FakeUpstream, startUpstream } from '../support/upstream.ts'

const DAY = 86_400_000
const MODEL = 'claude-opus-5-5'
const EMPTY = { accepted: 0, rejected: 0 }

let upstream: FakeUpstream
let app: App
let boss: Browser & { id: number }
let program: string
beforeEach(async () => {
  upstream = await startUpstream()
  app = await startApp({ backends: [{ name: 'a', url: upstream.url, api_key: 'k-of-a' }] })
  boss = await app.signIn('boss@corp.test', 'admin')
  const key = await boss.post('/admin/api/admin-keys', { name: 'costs', scopes: ['usage'] })
  program = key.body.secret
})
afterEach(async () => {
  await app.close()
  await upstream.stop()
})

const keyOf = async (browser: Browser) => (await browser.post('/api/keys', { name: 'x' })).body.key.key
const tell = async (key: string, body: BodyInit, type = 'application/x-protobuf') => {
  const headers = { authorization: `Bearer ${key}`, 'content-type': type }
  const { status } = await app.request('/v1/metrics', { method: 'POST', headers, body })
  expect(status).toBe(200)
  await app.settled()
}
const told = (
  name: string,
  value: number,
  attributes: Told['attributes'] = {},
  more: Partial<Told> = {},
): Told => {
  const end = app.clock.now()
  return {
    name: `claude_code.${name}`,
    value,
    start: end - 60_000,
    end,
    ...more,
    attributes: { 'session.id': 's-1', 'user.email': 'boss@corp.test', ...attributes },
  }
}
const report = async () => {
  const day = new Date(app.clock.now()).toISOString().slice(0, 10)
  const path = `/v1/organizations/usage_report/claude_code?starting_at=${day}`
  return (await app.request(path, { headers: { 'x-api-key': program } })).body.data
}
const everything = (): Told[] => [
  told('session.count', 1),
  told('lines_of_code.count', 30, { type: 'added' }),
  told('lines_of_code.count', 12, { type: 'removed' }),
  told('commit.count', 2),
  told('pull_request.count', 1),
  told('code_edit_tool.decision', 4, { tool_name: 'Edit', decision: 'accept' }),
  told('code_edit_tool.decision', 1, { tool_name: 'Edit', decision: 'reject' }),
  told('code_edit_tool.decision', 2, { tool: 'Write', decision: 'accept' }),
  told('active_time.total', 61.5, { type: 'user' }),
  told('cost.usage', 0.1234567, { model: MODEL }),
  told('token.usage', 100, { type: 'input', model: MODEL }),
  told('token.usage', 20, { type: 'output', model: MODEL }),
  told('token.usage', 3000, { type: 'cacheRead', model: MODEL }),
  told('token.usage', 400, { type: 'cacheCreation', model: MODEL }),
]
const COUNTED = {
  core_metrics: {
    num_sessions: 1,
    lines_of_code: { added: 30, removed: 12 },
    commits_by_claude_code: 2,
    pull_requests_by_claude_code: 1,
  },
  tool_actions: {
    edit_tool: { accepted: 4, rejected: 1 },
    multi_edit_tool: EMPTY,
    notebook_edit_tool: EMPTY,
    write_tool: { accepted: 2, rejected: 0 },
  },
  model_breakdown: [
    {
      model: MODEL,
      tokens: { input: 100, output: 20, cache_read: 3000, cache_creation: 400 },
      estimated_cost: { amount: 12.3457, currency: 'USD' },
    },
  ],
}

describe('metrics of Claude Code', () => {
  test.each(['protobuf', 'json'])('in %s are counted for whose token it is, once', async (kind) => {
    const key = await keyOf(await app.signIn('ann@corp.test'))
    const body = kind === 'json' ? jsonOf(everything()) : await protobufOf(everything())
    const type = kind === 'json' ? 'application/json; charset=utf-8' : undefined
    await tell(key, body, type)
    await tell(key, body, type)
    const actor = { type: 'user_actor', email_address: 'ann@corp.test' }
    expect(await report()).toEqual([expect.objectContaining({ actor, ...COUNTED })])
    const days = await app.db.select().from(claudeCodeDays)
    expect(days.find((one) => one.kind === 'active_ms')?.amount).toBe(61_500)
  })

  test('of another minute, session, person or service account add up', async () => {
    const ann = await keyOf(await app.signIn('ann@corp.test'))
    const bob = await keyOf(await app.signIn('bob@corp.test'))
    const group = (await boss.post('/admin/api/groups', { name: 'team' })).body.group
    const account = { itcode: 'robot', kind: 'service', billing_group_id: group.id }
    const { user } = (await boss.post('/admin/api/users', account)).body
    const made = await boss.post(`/api/service-accounts/${user.id}/keys`, { name: 'of the robot' })
    const commit = (more: Partial<Told> = {}, session = 's-1') =>
      jsonOf([told('commit.count', 1, { 'session.id': session }, more)])
    const json = 'application/json'
    await tell(ann, commit(), json)
    await tell(ann, commit({ end: app.clock.now() + 1 }), json)
    await tell(ann, commit({}, 's-2'), json)
    await tell(bob, commit(), json)
    await tell(made.body.key.key, commit(), json)
    // biome-ignore lint/suspicious/noExplicitAny: what a test reads from an answer it also asserts
    const found = (await report()).map(({ actor, core_metrics }: any) => [
      actor.email_address ?? actor.api_key_name,
      core_metrics.commits_by_claude_code,
    ])
    expect(Object.fromEntries(found)).toEqual({ 'ann@corp.test': 3, 'bob@corp.test': 1, 'of the robot': 1 })
  })

  test('of a kind that is named like a part of the language are not counted, and hold up nobody', async () => {
    const mallory = await keyOf(await app.signIn('mallory@corp.test'))
    const ann = await keyOf(await app.signIn('ann@corp.test'))
    const names = ['constructor', 'toString', '__proto__']
    const made = names.flatMap((name) => [
      told('token.usage', 1, { type: name, model: MODEL }),
      told('lines_of_code.count', 1, { type: name }),
      told('code_edit_tool.decision', 1, { tool_name: 'Edit', decision: name }),
    ])
    await tell(mallory, jsonOf(made), 'application/json')
    await tell(ann, jsonOf([told('commit.count', 2)]), 'application/json')
    const days = await app.db.select().from(claudeCodeDays)
    expect(days.map(({ kind, amount }) => [kind, amount])).toEqual([['commits', 2]])
  })

  test('leave nothing of a prompt, a path or a command in the database', async () => {
    const key = await keyOf(await app.signIn('ann@corp.test'))
    const secrets = {
      prompt: 'SECRET-1',
      'tool.command': 'SECRET-2',
      cwd: '/home/SECRET-3',
      model: 'SECRET-4',
    }
    await tell(key, await protobufOf([told('cost.usage', 1, secrets), told('SECRET-5', 1)]))
    const kept = JSON.stringify([
      await app.db.select().from(claudeCodeDays),
      await app.db.select().from(claudeCodePoints),
    ])
    expect(kept).toContain('"label":"other"')
    expect(kept).not.toContain('SECRET')
    expect(kept).not.toContain('s-1')
  })

  test('that are no sums of what was added, or made up, count nothing', async () => {
    const key = await keyOf(await app.signIn('ann@corp.test'))
    await tell(
      key,
      await protobufOf([
        told('commit.count', 5, {}, { cumulative: true }),
        told('commit.count', 5, {}, { gauge: true }),
        told('commit.count', -5),
        told('pull_request.count', Number.NaN),
        told('lines_of_code.count', 1e300, { type: 'added' }),
        told('lines_of_code.count', 1, { type: 'invented' }),
        told('code_edit_tool.decision', 1, { tool_name: 'rm -rf', decision: 'accept' }),
      ]),
    )
    expect(await app.db.select().from(claudeCodeDays)).toEqual([])
  })

  test('of whose clock is far off count today, and those of yesterday yesterday', async () => {
    const key = await keyOf(await app.signIn('ann@corp.test'))
    const now = app.clock.now()
    const ends = [now - 400 * DAY, now + 400 * DAY, now - DAY + 1000]
    await tell(
      key,
      await protobufOf(ends.map((end) => told('commit.count', 1, {}, { start: end - 1000, end }))),
    )
    const days = (await app.db.select().from(claudeCodeDays)).map(({ day, amount }) => [day, amount])
    const today = Math.floor(now / DAY) * DAY
    expect(days.toSorted()).toEqual([
      [today - DAY, 1],
      [today, 2],
    ])
  })

  test.each([
    ['application/x-protobuf', new Uint8Array([0x0a, 0x05, 0x01])],
    ['application/x-protobuf', new Uint8Array(100).fill(0xff)],
    ['application/json', '{"resourceMetrics":[{"scopeMetrics":[{"metrics":[{"sum":3}]}]}]}'],
    ['application/json', 'no JSON'],
  ])('that cannot be read are answered all the same: %s %s', async (type, body) => {
    const key = await keyOf(await app.signIn('ann@corp.test'))
    await tell(key, body, type)
    expect(await app.db.select().from(claudeCodeDays)).toEqual([])
  })
})

describe('a session of Claude Code', () => {
  const call = (key: string, session: string) =>
    app.request('/v1/messages', {
      method: 'POST',
      headers: {
        'x-api-key': key,
        'content-type': 'application/json',
        'user-agent': 'claude-cli/2.1.332 (external, cli)',
        'x-claude-code-session-id': session,
      },
      body: JSON.stringify({ model: MODEL, max_tokens: 9, messages: [{ role: 'user', content: 'hi' }] }),
    })

  test('counts once, by its calls and its metrics, and what the log has of its models comes first', async () => {
    const key = await keyOf(await app.signIn('ann@corp.test'))
    for (const session of ['s-1', 's-1', 's-2']) expect((await call(key, session)).status).toBe(200)
    await app.rows()
    await tell(key, await protobufOf(everything()))
    const [found] = await report()
    expect(found.core_metrics.num_sessions).toBe(2)
    const [row] = await app.rows()
    expect(found.model_breakdown).toMatchObject([
      { model: MODEL, tokens: { output: 3 * (row?.outputTokens ?? 0) }, estimated_cost: { currency: 'USD' } },
    ])
    expect(found.model_breakdown[0].tokens.cache_read).not.toBe(3000)
  })
})

/** The command line administers an organisation without a server, and a server takes what it changes. */
import { execFile } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { sql } from 'drizzle-orm'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startGateway, type TestGateway } from '../support/gateway.ts'
import { temporaryFolder } from '../support/stores.ts'
import { type FakeUpstream, messageJson, startUpstream } from '../support/upstream.ts'

const run = promisify(execFile)
/** Each command is a process of its own. */
const SLOW_MS = 240_000
const ASK = { model: 'claude-opus-5-5', max_tokens: 10, messages: [{ role: 'user', content: 'hi' }] }
/** What one call costs: 249,900 input tokens at 4 and 20 output tokens at 20 micro-dollars. */
const DOLLAR_ANSWER = messageJson({ usage: { input_tokens: 249_900, output_tokens: 20 } })

describe('an organisation on the command line', () => {
  let upstream: FakeUpstream
  let gateway: TestGateway
  const folder = temporaryFolder()
  beforeAll(async () => {
    upstream = await startUpstream()
    gateway = await startGateway({
      backends: [{ name: 'a', url: upstream.url }],
      models: { rules: [{ match: 'claude-fable-*', access: 'approval' }] },
    })
    upstream.answer({ headers: { 'content-type': 'application/json' }, chunks: [DOLLAR_ANSWER] })
  })
  afterAll(async () => {
    await gateway.stop()
    await upstream.stop()
    folder.remove()
  })
  const cli = async (...args: string[]) => {
    const options = {
      env: { PATH: process.env.PATH, CONFIG_PATH: gateway.configPath },
      cwd: join(import.meta.dirname, '../..'),
    }
    try {
      const { stdout } = await run(process.execPath, ['adapters/cli/start.mjs', ...args], options)
      return stdout.trim()
    } catch (cause) {
      return `failed: ${(cause as { stderr: string }).stderr.trim()}` // what execFile rejects with
    }
  }
  const json = async (...args: string[]) => JSON.parse(await cli(...args, '--json'))
  const call = async (key: string, model = ASK.model) => {
    const answer = await gateway.send({ ...ASK, model }, { key })
    await answer.text()
    return answer.status
  }

  test(
    'groups, their members and pools are made, and limit calls of a running server',
    async () => {
      expect(await cli('group', 'create', 'Sales', '--priority', '5')).toMatch(
        /^Made group Sales \(id \d+\)\.$/,
      )
      expect(await cli('group', 'create', 'Sales')).toBe('failed: There is a group Sales already.')
      await cli('group', 'create', 'Shops', '--parent', 'Sales')
      for (const itcode of ['ann', 'ben']) await cli('user', 'create', itcode)
      expect(await cli('group', 'add', 'Shops', 'ann', 'ben')).toBe('ann, ben in Shops.')
      expect(await cli('group', 'add', 'Shops', 'ben', '--lead')).toBe('ben in Shops as lead.')
      await cli('group', 'add', 'Shops', 'ann', 'ben')
      expect(await json('group', 'members', 'Shops')).toEqual([
        { itcode: 'ben', name: 'ben', role: 'lead' },
        { itcode: 'ann', name: 'ann', role: 'member' },
      ])
      expect(await json('group', 'list')).toMatchObject([
        { name: 'unassigned' },
        { name: 'Sales', priority: 5, parent: null },
        { name: 'Shops', parent: 'Sales', members: 2, leads: 1 },
      ])
      expect(await json('limit', 'set', 'monthly', '2', '--pool', 'Sales')).toMatchObject({
        scope: 'group_pool',
        of: 'Sales',
        amount_usd: 2,
      })
      const { key } = await json('key', 'create', 'ann')
      await expect.poll(() => call(key), { timeout: 2_000 }).toBe(200)
      expect(await call(key)).toBe(200)
      expect(await call(key)).toBe(429)
      await cli('limit', 'set', 'monthly', 'unlimited', '--pool', 'Sales')
      await expect.poll(() => call(key), { timeout: 2_000 }).toBe(200)
      expect(await json('limit', 'list', '--pool', 'Sales')).toMatchObject([{ amount_usd: 'unlimited' }])
      expect(await cli('group', 'delete', 'Sales')).toMatch(/^failed: Other groups are below/)
      await cli('group', 'delete', 'Shops')
      expect(await cli('group', 'delete', 'Sales')).toBe('Deleted group Sales.')
    },
    SLOW_MS,
  )

  test(
    'what people ask for is decided',
    async () => {
      const { key } = await json('key', 'create', 'ben')
      const { id: userId } = (await json('user', 'list')).find(
        ({ itcode }: { itcode: string }) => itcode === 'ben',
      )
      await cli('limit', 'set', 'daily', '0', '--user', 'ben')
      await expect.poll(() => call(key), { timeout: 2_000 }).toBe(429)
      expect(await json('limit', 'show', 'ben')).toMatchObject([
        { period: 'daily', amount_usd: 0, spent_usd: expect.any(Number), source: 'user' },
      ])
      const at = Date.now()
      await gateway.db.run(sql`insert into increase_requests (user_id, period, amount_micros, reason, status, created_at,
      updated_at) values (${userId}, 'daily', 9000000, 'work', 'pending', ${at}, ${at})`)
      expect(await json('request', 'list')).toMatchObject([
        { id: 'limit-1', itcode: 'ben', asks: '$9 daily' },
      ])
      expect(await cli('request', 'approve', 'limit-1', '--amount', '500')).toBe(
        'The request limit-1 of ben is approved.',
      )
      await expect.poll(() => call(key), { timeout: 2_000 }).toBe(200)
      expect(await cli('request', 'approve', 'limit-1')).toBe('failed: This request is decided already.')
      expect(await cli('request', 'list')).toBe('Nobody waits for a decision.')
    },
    SLOW_MS,
  )

  test(
    'programs get admin keys, which end when they are revoked',
    async () => {
      expect(await cli('admin-keys', 'list')).toBe('There are no admin keys yet.')
      const { id, key, scopes } = await json('admin-keys', 'create', 'costs', '--scopes', 'usage,read')
      expect([key, scopes]).toEqual([expect.stringMatching(/^sk-admin-\w{40}$/), ['read', 'usage']])
      expect(await cli('admin-keys', 'create', 'costs')).toBe('failed: There is an admin key costs already.')
      expect(await cli('admin-keys', 'create', 'x', '--scopes', 'everything')).toMatch(/^failed: --scopes/)
      const asked = async () =>
        (await fetch(`${gateway.url}/v1/organizations/users`, { headers: { 'x-api-key': key } })).status
      expect(await asked()).toBe(200)
      expect(await json('admin-keys', 'list')).toMatchObject([
        { id, name: 'costs', key: `sk-admin-…${key.slice(-4)}`, scopes: ['read', 'usage'], expires: 'never' },
      ])
      expect(await cli('admin-keys', 'revoke', 'costs')).toBe(`Admin key costs (id ${id}) is revoked.`)
      expect(await asked()).toBe(401)
      expect(await cli('admin-keys', 'revoke', 'costs')).toBe('failed: There is no admin key costs.')
    },
    SLOW_MS,
  )

  test(
    'a file is applied after its difference was shown, and a second time changes nothing',
    async () => {
      const file = join(folder.path, 'organisation.yaml')
      writeFileSync(
        file,
        `groups:
  - name: Research
    members: [cleo]
    limits: { each: { weekly: 5 } }
people:
  - itcode: cleo
    role: billing
`,
      )
      expect(await cli('apply', file, '--dry-run')).toBe(
        `+ user cleo: role billing
+ group Research
+ group Research: cleo as member
+ group Research: weekly limit of each: $5`,
      )
      expect(await cli('apply', file)).toMatch(/run it again with --yes\.$/)
      expect(await cli('apply', file, '--yes')).toBe('Made 4 changes.')
      expect(await cli('apply', file, '--yes')).toBe('Nothing to change.')
      expect(await json('limit', 'show', 'cleo')).toMatchObject([
        { period: 'weekly', amount_usd: 5, source: 'group' },
      ])
      writeFileSync(file, 'groups:\n  - name: A\n    budget: 5\n')
      expect(await cli('apply', file)).toMatch(/^failed: .*groups\.0\.budget: this field is not known/)
      writeFileSync(file, 'groups: [')
      expect(await cli('apply', file)).toContain(file)
      const [{ action, actor }] = await json('audit', 'list', '--limit', '1')
      expect([action, actor]).toEqual(['limit.set', 'command line or gateway'])
    },
    SLOW_MS,
  )

  test(
    'reports tell what was used, and a month what it cost',
    async () => {
      const answer = await gateway.send(ASK)
      await answer.text()
      await gateway.rowOf(answer)
      const rows = await gateway.rows(1)
      const cost = rows.reduce((sum, { costMicros }) => sum + costMicros, 0) / 1e6
      const by = await json('report', '--by', 'model,client', '--bucket', 'month')
      expect(by.reduce((sum: number, row: { cost_usd: number }) => sum + row.cost_usd, 0)).toBeCloseTo(
        cost,
        6,
      )
      const month = new Date(rows[0]?.createdAt ?? 0).toISOString().slice(0, 7)
      const statements = await json('report', 'month', month)
      expect(
        statements.reduce((sum: number, row: { cost_usd: number }) => sum + row.cost_usd, 0),
      ).toBeCloseTo(cost, 6)
      expect(await cli('report', '--by', 'model', '--csv')).toMatch(/^model,requests,errors,/)
      expect(await cli('report', '--by', 'colour')).toMatch(/^failed: --by: one or two of user, /)
      expect(await cli('report', 'month', '2026-13')).toBe(
        'failed: MONTH: a month is expected, such as 2026-11.',
      )
      expect(await cli('report', '--user', 'nobody')).toMatch(/^failed: There is no user nobody/)
    },
    SLOW_MS,
  )
})

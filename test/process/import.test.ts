import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { createClient } from '@libsql/client'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { sha256 } from '../../adapters/drivers/sha256.ts'
import { parseTime } from '../../core/import/go-rows.ts'
import { startGateway, type TestGateway } from '../support/gateway.ts'
import { createInstallation } from '../support/installation.ts'
import { temporaryFolder } from '../support/stores.ts'
import { type FakeUpstream, startUpstream } from '../support/upstream.ts'

const KEY = `sk-${'a1B2'.repeat(8)}`
const OFF = `sk-${'c3D4'.repeat(8)}`
const OVER = `sk-${'e5F6'.repeat(8)}`
const ASK = { model: 'claude-opus-5-5', max_tokens: 10, messages: [{ role: 'user', content: 'hi' }] }

/** A database as the original gateway leaves it: times in all its spellings, and rows that cannot be taken over. */
async function oldDatabase(file: string): Promise<void> {
  const old = createClient({ url: `file:${file}` })
  await old.executeMultiple(`
    create table users (id integer primary key, itcode text unique, name text, role text, status text,
      quota_tokens integer, created_at datetime, updated_at datetime);
    create table api_keys (id integer primary key, user_id integer, key text, name text, status text,
      expires_at datetime, created_at datetime, updated_at datetime);
    create table usage_logs (id integer primary key, user_id integer, api_key_id integer, model text, backend text,
      input_tokens integer, output_tokens integer, total_tokens integer, cost_usd real, status_code integer,
      latency_ms integer, created_at datetime);
    create table daily_stats (id integer primary key, date text, user_id integer, model text, requests integer,
      input_tokens integer, output_tokens integer, total_tokens integer, cost_usd real);
    create table applications (id integer primary key, user_id integer, model text, reason text, status text,
      reviewer_id integer, review_note text, created_at datetime, updated_at datetime);
    insert into users values
      (7, 'Ann', 'Ann A.', 'user', 'active', 5000, '2026-02-22 10:11:12.123456789 +0800 CST m=+0.1', '2026-02-22 02:11:12'),
      (8, 'root', '', 'admin', 'disabled', 0, '2026-02-22T10:11:12Z', '2026-02-22 10:11:12+00:00'),
      (9, 'a b', 'no name', 'user', 'active', 0, '2026-02-22 10:11:12', '2026-02-22 10:11:12'),
      (10, 'odd', 'odd', 'emperor', 'active', 0, '2026-02-22 10:11:12', '2026-02-22 10:11:12');
    insert into api_keys values
      (70, 7, '${KEY}', 'laptop', 'active', null, '2026-02-22 10:11:12', '2026-02-22 10:11:12'),
      (71, 7, '${OFF}', 'old', 'disabled', '', '2026-02-22 10:11:12', '2026-02-22 10:11:12'),
      (72, 7, '${OVER}', 'over', 'active', '2026-03-01 00:00:00 +0000 UTC', '2026-02-22 10:11:12', '2026-02-22 10:11:12'),
      (73, 99, 'sk-nobody-has-this-one-any-more-12', 'x', 'active', null, '2026-02-22 10:11:12', '2026-02-22 10:11:12');
    insert into applications values
      (1, 7, 'claude-opus-5-5-20260401', 'please', 'approved', 8, 'ok', '2026-02-22 10:11:12', '2026-02-23 10:11:12'),
      (2, 7, 'claude-fable-5', '', 'pending', 0, null, '2026-02-22 10:11:12', '2026-02-22 10:11:12');
    with recursive n(i) as (select 1 union all select i + 1 from n where i < 1200)
    insert into usage_logs select i, 7, 70, 'claude-opus-5-5', 'main', 100, 50, 150, 0.000101, 
      case when i % 10 = 0 then 500 else 200 end, 900, '2026-02-22 10:11:12.5 +0800 CST' from n;
    insert into usage_logs values (5000, 99, 1, 'm', 'b', 1, 1, 2, 0.1, 200, 1, '2026-02-22 10:11:12');
    insert into usage_logs values (5001, 7, null, 'm', 'b', 1, 1, 2, 0.1, 200, 1, 'yesterday');
    -- Bytes that are no text, at which the native driver would end the process.
    update usage_logs set model = cast(x'6deda08062' as text), backend = cast(x'80' as text) where id = 5000;
    update applications set reason = cast(x'c0ff' as text) where id = 2;
  `)
  old.close()
}

describe('the database of the original gateway', () => {
  let upstream: FakeUpstream
  let gateway: TestGateway
  const folder = temporaryFolder()
  const file = join(folder.path, 'old.db')
  beforeAll(async () => {
    upstream = await startUpstream()
    gateway = await startGateway({
      backends: [{ name: 'a', url: upstream.url }],
      models: { rules: [{ match: 'claude-opus-*', access: 'approval' }] },
    })
    await oldDatabase(file)
  })
  afterAll(async () => {
    await gateway.stop()
    await upstream.stop()
    folder.remove()
  })
  const run = () =>
    execFileSync(process.execPath, ['adapters/cli/start.mjs', 'import', file], {
      env: { PATH: process.env.PATH, CONFIG_PATH: gateway.configPath },
      encoding: 'utf8',
    })
  const dump = async () => {
    const { db } = gateway
    const tables = [
      await db.query.users.findMany(),
      await db.query.apiKeys.findMany(),
      await db.query.applications.findMany(),
      await db.query.grants.findMany(),
      await db.query.usageLogs.findMany(),
      await db.query.usageHourly.findMany(),
      await db.query.auditEvents.findMany(),
    ]
    return JSON.stringify(tables)
  }

  test('names who is over a limit from then on', async () => {
    const other = createInstallation({
      backends: [{ name: 'a', url: upstream.url }],
      limits: { period: 'total' },
    })
    const { code, stdout } = await other.cli('import', file)
    expect(code).toBe(0)
    expect(stdout).toMatch(
      /Over a limit already \(limits\.period: total\):\n {2}ann: 180,000 of 5,000 tokens\n$/,
    )
    await other.remove()
  })

  test('is taken over with its ids; what cannot be is named; a second run changes nothing', async () => {
    const before = readFileSync(file)
    const told = run()
    expect(told).toContain('users: 2 imported, 0 here already')
    expect(told).toContain('api_keys: 3 imported')
    expect(told).toContain('applications: 2 imported')
    expect(told).toContain('usage_logs: 1200 imported')
    expect(told.match(/skipped .*/g)).toEqual([
      'skipped users 10: role: Invalid option: expected one of "admin"|"user"',
      'skipped users 9: itcode: no account name',
      'skipped api_keys 73: its user 99 is not there',
      'skipped usage_logs 5001: created_at: a time is expected',
      'skipped usage_logs 5000: its user 99 is not there',
    ])
    expect(told).not.toContain(KEY)
    const { db } = gateway
    const people = await db.query.users.findMany({ where: (users, { gte }) => gte(users.id, 7) })
    expect(people).toMatchObject([
      {
        id: 7,
        itcode: 'ann',
        name: 'Ann A.',
        quotaTokens: 5000,
        createdAt: Date.UTC(2026, 1, 22, 2, 11, 12, 123),
      },
      { id: 8, itcode: 'root', name: 'root', role: 'admin', status: 'disabled' },
    ])
    const keys = await db.query.apiKeys.findMany({ where: (keys, { gte }) => gte(keys.id, 70) })
    expect(keys).toMatchObject([
      { id: 70, userId: 7, hash: sha256(KEY), status: 'active', expiresAt: null, disabledBy: null },
      { id: 71, status: 'disabled', disabledBy: 'admin', expiresAt: null },
      { id: 72, expiresAt: Date.UTC(2026, 2, 1) },
    ])
    expect(await db.query.grants.findMany()).toMatchObject([
      { userId: 7, model: 'claude-opus-5-5', applicationId: 1, grantedBy: 8 },
    ])
    const sums = await db.query.usageHourly.findMany({ where: (sums, { eq }) => eq(sums.apiKeyId, 70) })
    expect(sums).toMatchObject([
      {
        hour: Date.UTC(2026, 1, 22, 2),
        requests: 1200,
        errors: 120,
        inputTokens: 120_000,
        costMicros: 121_200,
      },
    ])
    expect(readFileSync(file).equals(before)).toBe(true)
    const first = await dump()
    expect(first).not.toContain(KEY)
    expect(run()).toContain('usage_logs: 0 imported, 1200 here already')
    expect(await dump()).toBe(first)
  })

  test('brings keys that go on working, with their state, and approvals that count', async () => {
    const status = async (key: string) => (await gateway.send(ASK, { key })).status
    await expect.poll(() => status(KEY)).toBe(200)
    expect([await status(OFF), await status(OVER)]).toEqual([401, 401])
  })

  test('is recognised as such, or refused', () => {
    const other = join(folder.path, 'other.db')
    execFileSync(process.execPath, ['-e', `require('fs').writeFileSync(${JSON.stringify(other)}, '')`])
    const failing = (path: string) => {
      try {
        return execFileSync(process.execPath, ['adapters/cli/start.mjs', 'import', path], {
          env: { PATH: process.env.PATH, CONFIG_PATH: gateway.configPath },
          stdio: 'pipe',
        }).toString()
      } catch (cause) {
        return String(Reflect.get(Object(cause), 'stderr'))
      }
    }
    expect(failing(other)).toContain('no database of the original gateway')
    expect(failing(join(folder.path, 'missing.db'))).toContain('There is no file')
  })
})

test.each([
  ['2026-02-22 10:11:12.123456789 +0800 CST m=+0.1', '2026-02-22T02:11:12.123Z'],
  ['2026-02-22 10:11:12.123456789 +0800 CST m=-0.000012', '2026-02-22T02:11:12.123Z'],
  ['2026-02-22 10:11:12 +0000 UTC', '2026-02-22T10:11:12.000Z'],
  ['2026-02-22 10:11:12.5 -0330 -0330', '2026-02-22T13:41:12.500Z'],
  ['2026-02-22 10:11:12', '2026-02-22T10:11:12.000Z'],
  ['2026-02-22 10:11:12.999999+08:00', '2026-02-22T02:11:12.999Z'],
  ['2026-02-22T10:11:12Z', '2026-02-22T10:11:12.000Z'],
  ['yesterday', undefined],
  ['2026-13-22 10:11:12', undefined],
  ['', undefined],
])('the time %j is read', (text, expected) => {
  const ms = parseTime(text)
  expect(ms === undefined ? undefined : new Date(ms).toISOString()).toBe(expected)
})

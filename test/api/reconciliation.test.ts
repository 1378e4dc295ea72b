/** The reports of upstream accounts beside the log. The simulated Claude keeps books of its own. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { type SimulatedClaude, startSimulatedClaude } from '../../adapters/demo/simulated-claude/index.ts'
import { createBooks } from '../../adapters/demo/simulated-claude/reports.ts'
import { createTaskRunner } from '../../core/tasks.ts'
import { DAY_MS, HOUR_MS } from '../../core/units.ts'
import { type App, startApp } from '../support/app.ts'
import type { Person } from '../support/people.ts'

const MODEL = 'claude-haiku-4-5'
/** Half of each of its rates is whole micro-dollars. */
const OPUS = 'claude-opus-5-5'
const OWN = 'sim-upstream-key'

let app: App
let claude: SimulatedClaude
let boss: Person
let key: string
/** What the account asks for a token beside our price list. */
let dearer: number
beforeEach(async () => {
  dearer = 1
  claude = await startSimulatedClaude({
    pace: 0,
    books: createBooks(
      () => app.clock.now(),
      (model) => {
        const rates = app.deps.prices.rates(model, app.clock.now())
        if (!rates) throw new Error(`${model} has no price`)
        const { input, output, cache_read: cacheRead, cache_write_5m, cache_write_1h } = rates
        return {
          input: input * dearer,
          output,
          cacheRead,
          cacheWrite5m: cache_write_5m,
          cacheWrite1h: cache_write_1h,
        }
      },
    ),
  })
  await open('sim-admin-key')
})
afterEach(async () => {
  await app.close()
  await claude.stop()
})

async function open(adminKey: string) {
  app = await startApp({
    backends: [{ name: 'claude', url: claude.url, api_key: OWN, admin_key: adminKey }],
  })
  boss = await app.signIn('boss', 'admin')
  key = (await boss.post('/api/keys', { name: 'x' })).body.key.key
  await app.deps.keyCache.refresh()
}

const body = (text: string, ttl?: '5m' | '1h', model = MODEL) => ({
  model,
  max_tokens: 200,
  messages: [{ role: 'user', content: text }],
  ...(ttl
    ? { system: [{ type: 'text', text: 'long '.repeat(300), cache_control: { type: 'ephemeral', ttl } }] }
    : {}),
})
const headers = { 'content-type': 'application/json', 'anthropic-version': '2023-06-01' }

async function call(...asked: Parameters<typeof body>) {
  const answer = await app.request('/v1/messages', {
    method: 'POST',
    headers: { ...headers, 'x-api-key': key },
    body: JSON.stringify(body(...asked)),
  })
  expect(answer.status).toBe(200)
  await app.settled()
}

/** A call that does not pass the gateway. */
async function callOutside(credential: string, text: string): Promise<{ input: number; output: number }> {
  const answer = await fetch(`${claude.url}/v1/messages`, {
    method: 'POST',
    headers: { ...headers, 'x-api-key': credential },
    body: JSON.stringify(body(text)),
  })
  const { usage }: { usage: { input_tokens: number; output_tokens: number } } = await answer.json()
  return { input: usage.input_tokens, output: usage.output_tokens }
}

async function compared() {
  await createTaskRunner(() => app.deps)()
  // A session does not live as long as a report takes.
  boss = await app.signIn('boss', 'admin')
  const { status, body: found } = await boss.get('/admin/api/reconciliation')
  expect(status).toBe(200)
  return found
}

const partOf = (rows: Record<string, unknown>[], measure: string) => {
  const { ours, theirs, outside, difference, explanation } = rows.find((row) => row.measure === measure) ?? {}
  return { ours, theirs, outside, difference, explanation }
}

describe('a day of an account', () => {
  test('agrees with the log to the token and the micro-dollar, in all classes of tokens', async () => {
    await call('one')
    await call('two', '5m')
    await call('two', '5m')
    await call('three', '1h')
    app.clock.set(DAY_MS)
    const { rows, totals } = await compared()
    expect(
      rows.map((row: Record<string, unknown>) => [row.measure, row.difference, row.explanation]),
    ).toEqual(
      ['cache_read', 'cache_write_1h', 'cache_write_5m', 'cost_micros', 'input', 'output'].map((measure) => [
        measure,
        0,
        'none',
      ]),
    )
    expect(rows.every((row: { ours: number; model: string }) => row.ours > 0 && row.model === MODEL)).toBe(
      true,
    )
    expect(totals).toMatchObject({ outside_usd: 0, unexplained_usd: 0 })
    expect(totals.ours_usd).toBe(totals.theirs_usd)
  })

  test('agrees with the log about batches, which cost half', async () => {
    await call('alone', undefined, OPUS)
    const ask = async (path: string, init: RequestInit = {}) =>
      app.request(`/v1/messages/batches${path}`, { ...init, headers: { ...headers, 'x-api-key': key } })
    const requests = ['a', 'b'].map((custom_id) => ({ custom_id, params: body(custom_id, undefined, OPUS) }))
    const made = await ask('', { method: 'POST', body: JSON.stringify({ requests }) })
    expect((await ask(`/${made.body.id}/results`)).status).toBe(200)
    const costs = (await app.rows()).map(({ costMicros }) => costMicros)
    expect(costs).toHaveLength(3)
    app.clock.set(DAY_MS)
    const { rows, totals } = await compared()
    const ours = costs.reduce((sum, cost) => sum + cost, 0)
    expect(partOf(rows, 'cost_micros')).toMatchObject({ ours, theirs: ours, explanation: 'none' })
    expect(partOf(rows, 'output')).toMatchObject({ difference: 0, explanation: 'none' })
    expect(totals.unexplained_usd).toBe(0)
  })

  test('tells calls by other keys of the account from ours', async () => {
    await call('ours')
    const { input } = await callOutside('sim-somebody-else', 'theirs')
    app.clock.set(DAY_MS)
    const { rows, totals } = await compared()
    expect(partOf(rows, 'input')).toMatchObject({ outside: input, difference: 0, explanation: 'outside' })
    expect(partOf(rows, 'cost_micros')).toMatchObject({ difference: 0, explanation: 'outside' })
    expect(totals.unexplained_usd).toBe(0)
  })

  test('shows calls that used our key past the gateway, exactly', async () => {
    await call('ours')
    const { input, output } = await callOutside(OWN, 'past the gateway')
    app.clock.set(DAY_MS)
    const { rows, totals } = await compared()
    expect(partOf(rows, 'input')).toMatchObject({ difference: input, explanation: 'unexplained' })
    expect(partOf(rows, 'output')).toMatchObject({ difference: output, explanation: 'unexplained' })
    expect(partOf(rows, 'cost_micros')).toMatchObject({ explanation: 'unexplained' })
    expect(totals.unexplained_usd).toBeCloseTo(totals.theirs_usd - totals.ours_usd, 9)
  })

  test('says that the account has another price where the tokens agree', async () => {
    dearer = 3
    await call('ours')
    app.clock.set(DAY_MS)
    const { rows } = await compared()
    expect(partOf(rows, 'input')).toMatchObject({ explanation: 'none' })
    expect(partOf(rows, 'cost_micros')).toMatchObject({ explanation: 'price' })
  })

  test('is asked for again while its report may be incomplete, and counted once', async () => {
    await call('ours')
    app.clock.set(DAY_MS)
    const before = await compared()
    await callOutside(OWN, 'reported late')
    app.clock.set(DAY_MS)
    const after = await compared()
    expect(after.rows.length).toBeGreaterThan(before.rows.length)
    const first = after.rows.filter(({ date }: { date: string }) => date === before.rows[0].date)
    expect(first).toEqual(before.rows)
  })
})

test('a month statement has a line of what the accounts say', async () => {
  await call('ours')
  app.clock.set(DAY_MS)
  await compared()
  const { body: found } = await boss.get('/admin/api/reports/statements?month=2026-11&tz=UTC')
  expect(found.reconciled).toMatchObject({ unexplained_usd: 0, ours_usd: found.totals.cost_usd })
})

test('an account that does not answer is said so without its key, and asked again an hour later', async () => {
  await app.close()
  await open('sim-wrong-key')
  const failed = await compared()
  expect(failed.days).toHaveLength(29)
  expect(failed.days[0]).toMatchObject({
    account: 'claude',
    compared_at: null,
    problem: '/v1/organizations/api_keys answered 404.',
  })
  expect(failed.totals).toBe(null)
  expect(JSON.stringify([failed, app.logs.lines])).not.toContain('sim-wrong-key')
  const days = app.logs.lines.filter(({ event }) => event === 'reconciliation.failed').length
  app.clock.advance(HOUR_MS)
  await compared()
  expect(app.logs.lines.filter(({ event }) => event === 'reconciliation.failed')).toHaveLength(days + 1)
})

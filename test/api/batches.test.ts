/** Batches of several people in two accounts. */
import { eq } from 'drizzle-orm'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { type SimulatedClaude, startSimulatedClaude } from '../../adapters/demo/simulated-claude/index.ts'
import { batches } from '../../core/db/batches.ts'
import { limitSpent } from '../../core/db/schema.ts'
import { repairSpent } from '../../core/reports/repair-groups.ts'
import { createTaskRunner } from '../../core/tasks.ts'
import { DAY_MS } from '../../core/units.ts'
import { type App, ORIGIN, startApp } from '../support/app.ts'
import { startUpstream } from '../support/upstream.ts'

let accounts: SimulatedClaude[]
let app: App
let ann: string
let ben: string
let runTasks: () => Promise<void>

const SCRAPER = 'a-scraper-of-the-test'
const JSON_TYPE = { 'content-type': 'application/json' }
const keyOf = async (itcode: string) =>
  (await (await app.signIn(itcode)).post('/api/keys', { name: 'x' })).body.key.key
const start = async (file: object = {}) => {
  accounts = await Promise.all(['a', 'b'].map(() => startSimulatedClaude({ pace: 0 })))
  app = await startApp({
    backends: accounts.map(({ url }, i) => ({ name: `account-${i}`, url, api_key: 'sim-account' })),
    ...file,
  })
  // The accounts know no other.
  app.clock.advance(Date.now() - app.clock.now())
  runTasks = createTaskRunner(() => app.deps)
  ann = await keyOf('ann')
  ben = await keyOf('ben')
}
const stop = async () => {
  await app.close()
  for (const account of accounts) await account.stop()
}
beforeEach(() => start())
afterEach(stop)

const ask = (key: string, method: string, path: string, body?: unknown) =>
  app.request(path, {
    method,
    headers: { 'x-api-key': key, ...JSON_TYPE },
    ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
  })
const one = (text: string, more: object = {}) => ({
  model: 'claude-opus-5-5',
  max_tokens: 100,
  messages: [{ role: 'user', content: text }],
  ...more,
})
const batchOf = (...params: object[]) => ({
  requests: params.map((params, i) => ({ custom_id: `r-${i}`, params })),
})
const PATH = '/v1/messages/batches'
const create = (body: unknown, key = ann) => ask(key, 'POST', PATH, body)
const run = (running: boolean) => {
  for (const { account } of accounts) account.batches.running = running
}
/** The tasks, once more. */
const later = async (ms = 600_000) => {
  app.clock.advance(ms)
  await runTasks()
}
const spent = async () => {
  const rows = await app.db.select().from(limitSpent)
  return rows.find(({ owner, period }) => owner === 'user:1' && period === 'total')?.micros ?? 0
}

describe('a batch', () => {
  test('is reserved until its results are booked, each request once, at half price', async () => {
    run(false)
    const { status, body } = await create(batchOf(one('a'), one('[errored]'), one('[expired]'), one('b')))
    expect([status, body.processing_status, body.results_url]).toEqual([200, 'in_progress', null])
    const reserved = await spent()
    expect(reserved).toBeGreaterThan(4 * 100 * 10)
    expect(await repairSpent(app.db, app.deps.periods, app.clock.now())).toBe(false)
    await later()
    expect(await app.rows()).toEqual([])
    run(true)
    await later()
    const rows = await app.rows()
    expect(rows.map(({ requestId }) => requestId)).toEqual([`${body.id}:r-0`, `${body.id}:r-3`])
    for (const row of rows) {
      const full = app.deps.prices.estimate(
        'claude-opus-5-5',
        { input: row.inputTokens, output: row.outputTokens },
        row.createdAt,
      )
      expect(row.costMicros).toBe(Math.round(full / 2))
      expect(row).toMatchObject({ userId: 1, outcome: 'ok', serviceTier: 'batch', model: 'claude-opus-5-5' })
    }
    expect(await spent()).toBe(rows.reduce((sum, { costMicros }) => sum + costMicros, 0))
    await later()
    expect((await app.rows()).length).toBe(2)
    expect(await repairSpent(app.db, app.deps.periods, app.clock.now())).toBe(false)
  })

  test('is counted for Prometheus once it is booked, apart from calls', async () => {
    await stop()
    await start({ metrics: { token: SCRAPER } })
    const counted = async () => {
      const { text } = await app.request('/metrics', { headers: { authorization: `Bearer ${SCRAPER}` } })
      return text.split('\n').filter((line) => /^claude_gateway_(batch|cost|calls_total)/.test(line))
    }
    run(false)
    await create(batchOf(one('a'), one('[errored]'), one('b')))
    const begun = await counted()
    expect([begun.length, begun.every((line) => line.endsWith('} 0'))]).toEqual([7, true])
    run(true)
    await later()
    await later()
    const rows = await app.rows()
    expect(rows).toHaveLength(2)
    const total = (of: (row: (typeof rows)[number]) => number) => rows.reduce((sum, row) => sum + of(row), 0)
    const labels = `model="claude-opus-5-5",backend="${rows[0]?.backend}"`
    const of = (name: string) => `claude_gateway_batch_tokens_total{${labels},class="${name}"}`
    expect(await counted()).toEqual([
      `claude_gateway_batch_requests_total{${labels}} 2`,
      `${of('input')} ${total((row) => row.inputTokens)}`,
      `${of('output')} ${total((row) => row.outputTokens)}`,
      `${of('cache_read')} 0`,
      `${of('cache_write_5m')} 0`,
      `${of('cache_write_1h')} 0`,
      `claude_gateway_batch_cost_usd_total{${labels}} ${total((row) => row.costMicros) / 1e6}`,
    ])
  })

  test('has its results at an address of ours', async () => {
    const { id } = (await create(batchOf(one('a')))).body
    const shown = (await ask(ann, 'GET', `${PATH}/${id}`)).body
    expect(shown.results_url).toBe(`${ORIGIN}${PATH}/${id}/results`)
    const results = await ask(ann, 'GET', `${PATH}/${id}/results`)
    expect(results.headers.get('content-disposition')).toBe('attachment')
    expect(JSON.parse(results.text)).toMatchObject({ custom_id: 'r-0', result: { type: 'succeeded' } })
    expect((await app.rows()).length).toBe(1)
    const [listed] = (await ask(ann, 'GET', PATH)).body.data
    expect(listed).toMatchObject({ id, results_url: shown.results_url })
  })

  test("of somebody else's is unknown", async () => {
    const { id } = (await create(batchOf(one('a')))).body
    for (const [method, path] of [
      ['GET', ''],
      ['GET', '/results'],
      ['POST', '/cancel'],
      ['DELETE', ''],
    ] as const) {
      expect([method, path, (await ask(ben, method, `${PATH}/${id}${path}`)).status]).toEqual([
        method,
        path,
        404,
      ])
    }
    expect((await ask(ben, 'GET', PATH)).body.data).toEqual([])
  })

  test('is booked before it is deleted, and stays while that is impossible', async () => {
    run(false)
    const { id } = (await create(batchOf(one('a')))).body
    const early = await ask(ann, 'DELETE', `${PATH}/${id}`)
    expect([early.status, early.headers.get('retry-after')]).toEqual([409, '10'])
    run(true)
    expect((await ask(ann, 'DELETE', `${PATH}/${id}`)).status).toBe(200)
    expect((await app.rows()).length).toBe(1)
    expect((await ask(ann, 'GET', `${PATH}/${id}`)).status).toBe(404)
  })

  test('that was cancelled frees what it reserved', async () => {
    run(false)
    const { id } = (await create(batchOf(one('a'), one('b')))).body
    expect((await ask(ann, 'POST', `${PATH}/${id}/cancel`)).body.processing_status).toBe('canceling')
    run(true)
    await later()
    expect([await app.rows(), await spent()]).toEqual([[], 0])
  })

  test('of which the answer was lost is found again by its custom ids', async () => {
    const { id } = (await create(batchOf(one('a'), one('b')))).body
    await app.db.update(batches).set({ id: null, state: 'sending' })
    await app.db.run('delete from upstream_objects')
    app.deps.objects.forget({ kind: 'batch', id })
    expect((await ask(ann, 'GET', `${PATH}/${id}`)).status).toBe(404)
    await later()
    expect((await app.rows()).map(({ requestId }) => requestId)).toEqual([`${id}:r-0`, `${id}:r-1`])
    expect((await ask(ann, 'GET', `${PATH}/${id}`)).status).toBe(200)
  })

  test('of which the answer was lost goes to nobody if it may be somebody else’s', async () => {
    const { id } = (await create(batchOf(one('a'), one('b')), ben)).body
    await app.db.update(batches).set({ id: null, state: 'sending' })
    await app.db.run('delete from upstream_objects')
    app.deps.objects.forget({ kind: 'batch', id })
    // The one of ann never came to the account.
    const [ofBen] = await app.db.select().from(batches)
    if (ofBen)
      await app.db.insert(batches).values({ ...ofBen, requestId: 'req_ann', userId: 1, micros: 0, tokens: 0 })
    for (const _ of [1, 2]) await later()
    for (const key of [ann, ben]) expect((await ask(key, 'GET', `${PATH}/${id}`)).status).toBe(404)
    expect([await app.rows(), await spent()]).toEqual([[], 0])
  })

  test('that no account ever had is freed after a while, and nobody else’s is taken for it', async () => {
    await create(batchOf(one('a'), one('b')), ben)
    run(false)
    await create(batchOf(one('a'), one('b')))
    run(true)
    await app.db.run("update batches set id = null, state = 'sending', ids_hash = 7 where user_id = 1")
    expect(await spent()).toBeGreaterThan(0)
    await later()
    await later()
    expect(await spent()).toBe(0)
    expect((await app.rows()).every(({ userId }) => userId === 2)).toBe(true)
  })
})

describe('a batch that can never be booked', () => {
  beforeEach(async () => {
    run(false)
    const ids = []
    for (const key of [ann, ben]) ids.push((await create(batchOf(one('a'), one('b')), key)).body.id)
    // Its results have fewer lines than it has requests.
    await app.db.update(batches).set({ requests: 3 }).where(eq(batches.id, ids[0]))
    run(true)
  })

  test('keeps no other one waiting', async () => {
    for (const _ of [1, 2, 3]) await later()
    const states = await app.db.select({ userId: batches.userId, state: batches.state }).from(batches)
    expect(states).toEqual([
      { userId: 1, state: 'open' },
      { userId: 2, state: 'booked' },
    ])
    expect((await app.rows()).filter(({ userId }) => userId === 2).length).toBe(2)
    expect(app.logs.lines.filter(({ event }) => event === 'batch.not_booked').length).toBe(3)
    expect(await repairSpent(app.db, app.deps.periods, app.clock.now())).toBe(false)
  })

  test('frees what it reserved when no account can have its results any more', async () => {
    await later()
    expect(await spent()).toBeGreaterThan(0)
    await later(29 * DAY_MS)
    expect(await spent()).toBeGreaterThan(0)
    await later(2 * DAY_MS)
    expect(await spent()).toBe(0)
    expect(await repairSpent(app.db, app.deps.periods, app.clock.now())).toBe(false)
  })
})

test('an account that is silent in the midst of results keeps nobody waiting for ever', async () => {
  await stop()
  const upstream = await startUpstream()
  await start({ backends: [{ name: 'a', url: upstream.url, api_key: 'key' }] })
  const json = (value: object) => ({ headers: JSON_TYPE, chunks: [JSON.stringify(value)] })
  const made = { id: 'msgbatch_1', processing_status: 'ended' }
  upstream.answerNext(json(made))
  expect((await create(batchOf(one('a'), one('b')))).status).toBe(200)
  const line = `${JSON.stringify({ custom_id: 'r-0', result: { type: 'expired' } })}\n`
  upstream.answerNext(json(made), { chunks: [line], end: 'hang' })
  const done = later()
  await expect.poll(() => upstream.requests.length).toBe(3)
  const ended = done.then(() => true)
  await expect
    .poll(() => {
      app.clock.advance(60_000)
      return Promise.race([ended, false])
    })
    .toBe(true)
  const lines = app.logs.lines.filter(({ event }) => event === 'batch.not_booked')
  // In which of the two ways depends on how fast this machine is.
  expect(lines).toMatchObject([
    { fields: { reason: expect.stringMatching(/broke off|did not answer in time/) } },
  ])
  await upstream.stop()
})

test('rows of batches go when nobody can have their results any more, and nothing is booked again', async () => {
  run(false)
  const { id } = (await create(batchOf(one('a')))).body
  await create(batchOf(one('b')), ben)
  const left = async () => (await app.db.select().from(batches)).map(({ state }) => state)
  await app.db.update(batches).set({ checkAt: Number.MAX_SAFE_INTEGER }).where(eq(batches.userId, 2))
  run(true)
  await later()
  await later(29 * DAY_MS)
  expect(await left()).toEqual(['booked', 'open'])
  await later(DAY_MS)
  expect(await left()).toEqual(['open'])
  expect((await ask(ann, 'GET', `${PATH}/${id}/results`)).status).toBe(200)
  expect((await ask(ann, 'DELETE', `${PATH}/${id}`)).status).toBe(200)
  expect((await app.rows()).length).toBe(1)
})

describe('what a batch may not have', () => {
  test.each<[string, unknown, string]>([
    ['no list', {}, 'requests: a list is expected.'],
    ['two lists', '{"requests":[{}],"requests":[]}', 'requests.0: custom_id'],
    ['an id with a slash', { requests: [{ custom_id: 'a/b', params: one('a') }] }, 'requests.0: custom_id'],
    ['no params', { requests: [{ custom_id: 'a' }] }, 'requests.0: params'],
    [
      'params twice',
      '{"requests":[{"custom_id":"a","params":{"model":"x"},"params":{}}]}',
      'requests.0: params: it is given twice',
    ],
    [
      'a file of others',
      batchOf(
        one('a'),
        one('b', {
          messages: [
            { role: 'user', content: [{ type: 'document', source: { type: 'file', file_id: 'file_x' } }] },
          ],
        }),
      ),
      'requests.1: messages.0.content.0.source.file_id',
    ],
    ['a broken end', JSON.stringify(batchOf(one('a'))).slice(0, -1), 'The body is not a JSON object.'],
  ])('%s', async (_, body, problem) => {
    const answer = await create(body)
    expect([answer.status, answer.body.error.message]).toEqual([400, expect.stringContaining(problem)])
    expect((await app.db.select().from(batches)).length).toBe(0)
    for (const key of [ann, ben]) expect((await ask(key, 'GET', PATH)).body.data).toEqual([])
  })

  test('a model that is closed, also a nested one and at its very end', async () => {
    await stop()
    await start({ models: { rules: [{ match: 'claude-fable-*', access: 'closed' }] } })
    const bodies = [
      one('a', { model: 'claude-fable-5-2' }),
      one('a', { fallbacks: [{ model: 'claude-fable-5-2' }] }),
    ]
    for (const last of bodies) {
      const answer = await create(batchOf(...Array.from({ length: 300 }, () => one('x'.repeat(1000))), last))
      expect([answer.status, answer.body.error.message]).toEqual([
        400,
        expect.stringMatching(/^requests\.300: .*claude-fable-5-2/),
      ])
    }
    expect(await spent()).toBe(0)
  })

  test('more than what is left', async () => {
    await stop()
    await start({ limits: { default_budget_usd: 0.001 } })
    run(false)
    expect((await create(batchOf(one('a', { max_tokens: 5000 })))).status).toBe(200)
    const second = await create(batchOf(one('a')))
    expect([second.status, second.body.error.type]).toEqual([429, 'billing_error'])
    const call = await ask(ann, 'POST', '/v1/messages', one('a'))
    expect(call.status).toBe(429)
    run(true)
    await later()
    expect((await ask(ann, 'POST', '/v1/messages', one('a'))).status).toBe(200)
  })
})

test('an alias is replaced in every request of a batch', async () => {
  await stop()
  await start({ model_replacements: { best: 'claude-opus-5-5' } })
  const { status, body } = await create(batchOf(one('a', { model: 'best' }), one('b')))
  expect(status).toBe(200)
  await ask(ann, 'GET', `${PATH}/${body.id}/results`)
  expect((await app.rows()).map(({ model }) => model)).toEqual(['claude-opus-5-5', 'claude-opus-5-5'])
})

/** Reports of Anthropic's Admin API tell the same as the log, to the micro-dollar: in every grouping, bucket and page. */
import { sql } from 'drizzle-orm'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { COMMAND_LINE } from '../../core/audit/record.ts'
import { apiKeys, usageLogs } from '../../core/db/schema.ts'
import { createGroup } from '../../core/organisation/groups.ts'
import { groupUp } from '../../core/reports/by-group.ts'
import { type BucketRow, usageInBuckets, usageInSomeBuckets } from '../../core/reports/for-programs.ts'
import { recordText } from '../../core/reports/stored-record.ts'
import { writeRecords } from '../../core/reports/write.ts'
import { DAY_MS, HOUR_MS, MINUTE_MS } from '../../core/units.ts'
import { createUser } from '../../core/users/manage.ts'
import { type App, startApp } from '../support/app.ts'
import { type Program, program } from '../support/program.ts'
import { callRecord } from '../support/records.ts'

type Row = typeof usageLogs.$inferSelect
const FIRST = Date.UTC(2026, 9, 29)
const DAYS = 5
const GROUPED_SINCE = FIRST + DAY_MS
const time = (ms: number) => new Date(ms).toISOString()

let app: App
let client: Program
let rows: Row[]

const amount = fc.integer({ min: 0, max: 100_000 })
const moment = fc.oneof(
  fc.integer({ min: FIRST, max: FIRST + DAYS * DAY_MS - 1 }),
  // In one hour, so that minutes have several.
  fc.integer({ min: FIRST + 3 * DAY_MS, max: FIRST + 3 * DAY_MS + HOUR_MS }),
  fc.integer({ min: 1, max: DAYS * 24 }).map((hour) => FIRST + hour * HOUR_MS - 1),
)
const call = fc.record({
  keyId: fc.integer({ min: 1, max: 4 }),
  model: fc.constantFrom('opus', 'sonnet', ''),
  client: fc.constantFrom('claude-code', 'codex'),
  billingGroupIds: fc.constantFrom<[number, ...number[]][]>([0], [1], [2, 1]),
  inputTokens: amount,
  outputTokens: amount,
  cacheReadTokens: amount,
  cacheWrite5mTokens: amount,
  cacheWrite1hTokens: amount,
  inputMicros: amount,
  outputMicros: amount,
  cacheReadMicros: amount,
  cacheWrite5mMicros: amount,
  cacheWrite1hMicros: amount,
  serverToolMicros: amount,
  webSearches: fc.integer({ min: 0, max: 3 }),
  serviceTier: fc.constantFrom('', 'standard', 'batch'),
  contextWindow: fc.constantFrom('', '0-200k', '200k-1M'),
  geo: fc.constantFrom('', 'us'),
  speed: fc.constantFrom('', 'fast'),
  outcome: fc.constantFrom('ok' as const, 'error' as const),
  createdAt: moment,
})
/** Key 4 is a service account's, which is user 4. */
const USER_OF_KEY = [0, 1, 1, 2, 4]
const records = (seed: number, count: number) =>
  fc.sample(call, { seed, numRuns: count }).map((given) => {
    const split = [given.inputMicros, given.outputMicros, given.cacheReadMicros, given.cacheWrite5mMicros]
    const costMicros = [...split, given.cacheWrite1hMicros, given.serverToolMicros].reduce((a, b) => a + b)
    return callRecord({ ...given, costMicros, userId: USER_OF_KEY[given.keyId] ?? 0 })
  })

/** Calls of the release before, some that are summed by group, and some that wait for it. */
beforeAll(async () => {
  app = await startApp()
  client = await program(app, ['usage'])
  const parts = { ...app.deps, actor: COMMAND_LINE }
  for (const name of ['ann', 'ben', 'cleo'])
    await createUser(parts, { itcode: name, role: 'user', quotaTokens: 0 })
  await createUser(parts, { itcode: 'robot', role: 'user', kind: 'service', quotaTokens: 0 })
  for (const name of ['sales', 'field']) await createGroup(parts, { name })
  const key = { name: '', prefix: '', last4: '', status: 'active' as const, createdAt: 1, updatedAt: 1 }
  for (const [id, userId] of USER_OF_KEY.entries()) {
    if (id > 0) await app.db.insert(apiKeys).values({ ...key, id, userId, name: `key ${id}`, hash: `${id}` })
  }
  const early = records(1, 300).filter(({ createdAt }) => createdAt < GROUPED_SINCE)
  const unbooked = {
    billingGroupIds: [0] as [number],
    client: '',
    webSearches: 0,
    inputMicros: 0,
    outputMicros: 0,
  }
  const unsplit = { cacheReadMicros: 0, cacheWrite5mMicros: 0, cacheWrite1hMicros: 0, serverToolMicros: 0 }
  await writeRecords(
    app.db,
    early.map((record) => recordText({ ...record, ...unbooked, ...unsplit })),
  )
  await app.db.run(
    sql`update usage_summed set grouped_id = log_id, ungrouped_id = log_id, grouped_since = ${GROUPED_SINCE}`,
  )
  const later = [...records(2, 300), ...records(3, 300)].filter(({ createdAt }) => createdAt >= GROUPED_SINCE)
  await writeRecords(app.db, later.slice(0, 350).map(recordText))
  await app.db.batch(groupUp(app.db))
  await writeRecords(app.db, later.slice(350).map(recordText))
  rows = await app.db.select().from(usageLogs)
})
afterAll(() => app.close())

const group = (id: number) => (id > 0 ? `wrkspc_${id}` : null)
const TOLD = {
  account_id: ({ userId }: Row) => (userId === 4 ? 'svac_4' : `user_${userId}`),
  api_key_id: ({ apiKeyId }: Row) => `apikey_${apiKeyId}`,
  model: ({ model }: Row) => model || null,
  workspace_id: ({ billingGroupId }: Row) => group(billingGroupId),
  service_tier: ({ serviceTier }: Row) => serviceTier || null,
  context_window: ({ contextWindow }: Row) => contextWindow || null,
  inference_geo: ({ geo }: Row) => geo || null,
  speed: ({ speed }: Row) => speed || null,
}
type Told = keyof typeof TOLD
const ALL_TOLD = Object.keys(TOLD) as Told[] // holds because TOLD is a constant
const WIDTHS = { '1d': DAY_MS, '1h': HOUR_MS, '1m': MINUTE_MS }
const usageOf = (row: Row) => [
  row.inputTokens,
  row.outputTokens,
  row.cacheReadTokens,
  row.cacheWrite5mTokens,
  row.cacheWrite1hTokens,
  row.webSearches,
]
const added = (a: readonly number[] | undefined, b: readonly number[]) =>
  b.map((each, at) => each + (a?.[at] ?? 0))

/** All buckets of all pages. */
async function buckets(path: string, limit: number) {
  const found = []
  for (let page = ''; ; ) {
    const { status, body, text } = await client.get(`${path}&limit=${limit}${page}`)
    if (status !== 200) throw new Error(text)
    expect(body.data.length).toBeLessThanOrEqual(limit)
    expect(body.has_more).toBe(body.next_page !== null)
    found.push(...body.data)
    if (!body.has_more) return found
    page = `&page=${body.next_page}`
  }
}

describe('usage_report/messages', () => {
  const check = async (
    told: readonly Told[],
    width: keyof typeof WIDTHS,
    limit: number,
    where: readonly Told[],
  ) => {
    const ms = WIDTHS[width]
    const from = width === '1m' ? FIRST + 3 * DAY_MS - HOUR_MS : FIRST
    const to = width === '1m' ? FIRST + 3 * DAY_MS + HOUR_MS : FIRST + DAYS * DAY_MS
    // Of each filter the first values that are there.
    const wanted = new Map<Told, readonly (string | null)[]>(
      where.map((name) => [
        name,
        [...new Set(rows.map(TOLD[name]))].filter((value) => value !== null).slice(0, 2),
      ]),
    )
    const plural = (name: Told) => (name === 'context_window' ? name : `${name}s`)
    const filters = [...wanted].flatMap(([name, values]) =>
      values.map((value) => `&${plural(name)}[]=${value}`),
    )
    const groupBy = told.map((name) => `&group_by[]=${name}`).join('')
    const span = `starting_at=${time(from + 1)}&ending_at=${time(to)}&bucket_width=${width}`
    const found = await buckets(`/usage_report/messages?${span}${groupBy}${filters.join('')}`, limit)
    const expected = new Map<string, number[]>()
    for (const row of rows) {
      const isWanted = [...wanted].every(([name, values]) => values.includes(TOLD[name](row)))
      if (row.createdAt < from || row.createdAt >= to || !isWanted) continue
      const start = time(Math.floor(row.createdAt / ms) * ms)
      const name = JSON.stringify([start, ...told.map((one) => TOLD[one](row))])
      expected.set(name, added(expected.get(name), usageOf(row)))
    }
    const answered = new Map<string, number[]>()
    for (const { starting_at: start, results } of found) {
      for (const result of results) {
        const { cache_creation: made, server_tool_use: tools } = result
        answered.set(JSON.stringify([start, ...told.map((one) => result[one])]), [
          result.uncached_input_tokens,
          result.output_tokens,
          result.cache_read_input_tokens,
          made.ephemeral_5m_input_tokens,
          made.ephemeral_1h_input_tokens,
          tools.web_search_requests,
        ])
        for (const name of ALL_TOLD) if (!told.includes(name)) expect(result[name]).toBeNull()
      }
    }
    expect([...answered].toSorted()).toEqual([...expected].toSorted())
    // Every bucket once, also those without calls.
    expect(found.map(({ starting_at }) => starting_at)).toEqual(
      Array.from({ length: (to - from) / ms }, (_, at) => time(from + at * ms)),
    )
  }

  test('without grouping has one row a bucket', () => check([], '1d', 7, []))
  test('is exact by everything at once', () => check(ALL_TOLD, '1h', 168, []))
  test('is exact in minutes', () => check(['model', 'account_id'], '1m', 50, []))
  test('is exact in every grouping, width, page and filter', async () => {
    const names = fc.subarray(ALL_TOLD, { maxLength: 3 })
    const question = fc.tuple(
      names,
      fc.constantFrom('1d' as const, '1h' as const, '1m' as const),
      fc.nat(30),
      names,
    )
    const asked = fc.sample(question, { seed: 7, numRuns: 40 })
    for (const [told, width, limit, where] of asked) await check(told, width, limit + 1, where)
  })

  test('has fewer buckets on a page, and all on all pages, where they have very many rows', async () => {
    const whole = { told: ['key', 'model'] as const, filter: {}, from: FIRST, ms: DAY_MS, count: DAYS }
    const all = await usageInBuckets(app.db, whole)
    for (const most of [1, 7, 20, all.length - 1, all.length]) {
      const found: BucketRow[] = []
      for (let at = 0; at < DAYS; ) {
        const left = { ...whole, from: FIRST + at * DAY_MS, count: DAYS - at }
        const { rows, count } = await usageInSomeBuckets(app.db, left, most)
        expect(count === 1 || rows.length <= most).toBe(true)
        found.push(...rows.map((row) => ({ ...row, place: row.place + at })))
        at += count
      }
      expect(found).toEqual(all)
    }
  })

  test('ends with the last day that can be written', async () => {
    const path = '/usage_report/messages?starting_at=9999-12-30T00:00:00Z&ending_at=9999-12-31T23:59:59Z'
    const { status, body } = await client.get(path)
    expect([status, body.data.map((one: { ending_at: string }) => one.ending_at)]).toEqual([
      200,
      ['9999-12-31T00:00:00.000Z'],
    ])
  })

  test('is refused for what only rows tell that are gone', async () => {
    await app.db.run(sql`update usage_summed set kept_since = ${FIRST + 2 * DAY_MS}`)
    const since = (ms: number, by: string) =>
      client.get(
        `/usage_report/messages?starting_at=${time(ms)}&ending_at=${time(ms + DAY_MS)}&group_by[]=${by}`,
      )
    expect((await since(FIRST, 'speed')).status).toBe(400)
    expect((await since(FIRST, 'model')).status).toBe(200)
    expect((await since(FIRST + 2 * DAY_MS, 'speed')).status).toBe(200)
    await app.db.run(sql`update usage_summed set kept_since = 0`)
  })

  test.each([
    'starting_at=2026-11-01',
    `starting_at=${time(FIRST)}&ending_at=${time(FIRST)}`,
    `starting_at=${time(FIRST)}&limit=32`,
    `starting_at=${time(FIRST)}&bucket_width=1h&limit=169`,
    `starting_at=${time(FIRST)}&group_by=cost`,
    'limit=1',
  ])('refuses %s with 400', async (query) => {
    expect((await client.get(`/usage_report/messages?${query}`)).status).toBe(400)
  })
})

describe('cost_report', () => {
  /** Cents as text, in micro-dollars. */
  const microsIn = (text: string) => {
    const [, whole = '', part = ''] = /^(\d+)(?:\.(\d{1,4}))?$/.exec(text) ?? []
    return Number(whole) * 10_000 + Number(part.padEnd(4, '0'))
  }
  const span = `starting_at=${time(FIRST)}&ending_at=${time(FIRST + DAYS * DAY_MS)}`

  test.each([[[]], [['workspace_id']], [['description']], [['workspace_id', 'description']]])(
    'grouped by %j adds up to the log',
    async (names) => {
      const found = await buckets(
        `/cost_report?${span}${names.map((name) => `&group_by[]=${name}`).join('')}`,
        2,
      )
      const nameOf = (start: string, workspace: string | null, model: string | null) =>
        JSON.stringify([
          start,
          names.includes('workspace_id') && workspace,
          names.includes('description') && model,
        ])
      const expected = new Map<string, number[]>()
      for (const row of rows) {
        const start = time(Math.floor(row.createdAt / DAY_MS) * DAY_MS)
        const name = nameOf(start, group(row.billingGroupId), row.model)
        // Searches name no model.
        const searches = names.includes('description') ? row.serverToolMicros : 0
        expected.set(name, added(expected.get(name), [row.costMicros - searches]))
        if (searches === 0) continue
        const ofSearches = nameOf(start, group(row.billingGroupId), null)
        expected.set(ofSearches, added(expected.get(ofSearches), [searches]))
      }
      const answered = new Map<string, number[]>()
      for (const { starting_at: start, results } of found) {
        for (const { workspace_id, model, amount, currency } of results) {
          expect(currency).toBe('USD')
          const name = nameOf(start, workspace_id, model)
          answered.set(name, added(answered.get(name), [microsIn(amount)]))
        }
      }
      expect([...answered].toSorted()).toEqual([...expected].toSorted())
    },
  )

  test('names what each part of the cost is', async () => {
    const [day] = await buckets(
      `/cost_report?starting_at=${time(FIRST + 2 * DAY_MS)}&ending_at=${time(FIRST + 3 * DAY_MS)}&group_by=description`,
      7,
    )
    const ofOpus = day.results.filter(({ model }: { model: string | null }) => model === 'opus')
    expect(ofOpus.map(({ token_type }: { token_type: string }) => token_type)).toEqual([
      'uncached_input_tokens',
      'output_tokens',
      'cache_read_input_tokens',
      'cache_creation.ephemeral_5m_input_tokens',
      'cache_creation.ephemeral_1h_input_tokens',
    ])
    expect(
      day.results.find(({ cost_type }: { cost_type: string }) => cost_type === 'web_search'),
    ).toMatchObject({
      description: 'Web Search Usage',
      model: null,
    })
  })
})

describe('usage_report/claude_code', () => {
  test('tells for one day what each person, and each key of a service account, used in Claude Code', async () => {
    const day = FIRST + 3 * DAY_MS
    const path = `/usage_report/claude_code?starting_at=${time(day).slice(0, 10)}`
    const found = await client.all(path)
    expect(await client.all(`${path}&limit=1`)).toEqual(found)
    expect(found.map(({ actor }) => actor)).toEqual([
      { type: 'user_actor', email_address: 'ann' },
      { type: 'user_actor', email_address: 'ben' },
      { type: 'api_actor', api_key_name: 'key 4' },
    ])
    expect(found[0]).toMatchObject({
      date: time(day).replace('.000', ''),
      customer_type: 'api',
      is_remote: false,
      core_metrics: { num_sessions: 0, lines_of_code: { added: 0, removed: 0 } },
    })
    const used = rows.filter(
      ({ createdAt, client }) => client === 'claude-code' && createdAt >= day && createdAt < day + DAY_MS,
    )
    const whoOf = ({ userId }: Row) => ['', 'ann', 'ben', '', 'key 4'][userId]
    const expected = new Map<string, number[]>()
    for (const row of used) {
      const name = `${whoOf(row)} ${row.model}`
      const created = row.cacheWrite5mTokens + row.cacheWrite1hTokens
      const tokens = [row.inputTokens, row.outputTokens, row.cacheReadTokens, created, row.costMicros]
      expected.set(name, added(expected.get(name), tokens))
    }
    const answered = found.flatMap(({ actor, model_breakdown }) =>
      model_breakdown.map(
        // biome-ignore lint/suspicious/noExplicitAny: what a test reads from an answer it also asserts
        ({ model, tokens, estimated_cost }: any) => [
          `${actor.email_address ?? actor.api_key_name} ${model}`,
          [
            tokens.input,
            tokens.output,
            tokens.cache_read,
            tokens.cache_creation,
            Math.round(estimated_cost.amount * 10_000),
          ],
        ],
      ),
    )
    expect(answered.toSorted()).toEqual([...expected].toSorted())
    expect((await client.get('/usage_report/claude_code?starting_at=2026-11-01T00:00:00Z')).status).toBe(400)
  })
})

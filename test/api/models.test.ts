/** The catalogue: what models are, by the upstream's list and our tables, and how they did here. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { timeText } from '../../core/units.ts'
import { type App, startApp } from '../support/app.ts'
import { type FakeUpstream, startUpstream } from '../support/upstream.ts'
import { type UsagePeople, usagePeople } from '../support/usage-people.ts'

const DAY_MS = 86_400_000
const OPUS = 'claude-opus-5-5'
const HAIKU = 'claude-haiku-4-5-20251001'

describe('the catalogue', () => {
  let upstream: FakeUpstream
  let app: App
  let people: UsagePeople
  beforeAll(async () => {
    upstream = await startUpstream()
    app = await startApp({
      backends: [{ name: 'a', url: upstream.url, api_key: 'k' }],
      models: { rules: [{ match: 'claude-opus-*', access: 'approval' }] },
    })
    people = await usagePeople(app.db, app.signIn)
  })
  afterAll(async () => {
    await app.close()
    await upstream.stop()
  })

  test('tells what models are, by the list of the upstream first, and nothing of one that nobody knows', async () => {
    const end = timeText(app.clock.now() + 40 * DAY_MS)
    const listed = [
      {
        id: OPUS,
        max_input_tokens: 500_000,
        max_tokens: 64_000,
        retires_at: end,
        capabilities: { image_input: { supported: true }, pdf_input: { supported: false }, batch: 'yes' },
      },
      { id: HAIKU, display_name: 'Haiku', retires_at: 'soon' },
      { id: 'of-somebody-else' },
    ]
    upstream.models({
      status: 200,
      headers: { 'content-type': 'application/json' },
      chunks: [JSON.stringify({ data: listed })],
    })
    const { body } = await people.ann.get('/api/models')
    expect(body.models).toMatchObject([
      {
        id: OPUS,
        access: 'approval',
        general_access: 'approval',
        retires_at: end,
        context_tokens: 500_000,
        max_output_tokens: 64_000,
        abilities: ['thinking', 'effort', 'structured_outputs', 'image_input', 'fast'],
      },
      {
        id: HAIKU,
        canonical: 'claude-haiku-4-5',
        display_name: 'Haiku',
        general_access: 'open',
        context_tokens: 200_000,
        max_output_tokens: 64_000,
        retires_at: null,
        abilities: ['thinking', 'structured_outputs'],
        thinking: ['enabled', 'disabled'],
      },
      {
        id: 'of-somebody-else',
        pricing: null,
        abilities: [],
        thinking: [],
        retires_at: null,
        context_tokens: null,
        max_output_tokens: null,
      },
    ])
  })

  test('medians of calls that went well: speeds of streams, and a cost of all only where three people called', async () => {
    const createdAt = app.clock.now() - DAY_MS
    const fast = { stream: true, ttftMs: 400, latencyMs: 1400, outputTokens: 100, createdAt }
    const { ofAnn, ofBob, ann, bob } = people
    const figures = async () => (await ann.get('/api/models/figures')).body.figures
    await people.write([
      ofAnn({ ...fast, costMicros: 100 }),
      ofAnn({ ...fast, costMicros: 300, ttftMs: 600, latencyMs: 1100 }),
      ofBob({ ...fast, costMicros: 900, stream: false, ttftMs: 9000, latencyMs: 9000 }),
      ofBob({ ...fast, costMicros: 5000, outcome: 'error', ttftMs: 1 }),
      ofBob({ ...fast, costMicros: 5000, createdAt: app.clock.now() - 31 * DAY_MS, ttftMs: 1 }),
      ofBob({ ...fast, model: HAIKU, costMicros: 7, outputTokens: 3 }),
    ])
    expect(await figures()).toEqual([
      { model: HAIKU, first_byte_ms: null, tokens_per_second: null, cost_usd: null, own_cost_usd: null },
      { model: OPUS, first_byte_ms: 500, tokens_per_second: 150, cost_usd: null, own_cost_usd: 0.0002 },
    ])
    await people.write([ofBob({ ...fast, userId: people.boss.id, costMicros: 900 })])
    expect((await figures())[1]).toMatchObject({ cost_usd: 0.0006, own_cost_usd: 0.0002 })
    expect((await bob.get('/api/models/figures')).body.figures[1]).toMatchObject({ own_cost_usd: 0.0009 })
  })
})

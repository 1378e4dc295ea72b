import { describe, expect, test } from 'vitest'
import pricing from '../../../config/pricing.json' with { type: 'json' }
import { billedUsage } from '../../../core/metering/billed-usage.ts'
import type { BilledUsage, TokenCounts } from '../../../core/metering/tokens.ts'
import { PriceList, type PriceOverride } from '../../../core/pricing/list.ts'
import { createPrices } from '../../../core/pricing/prices.ts'
import { billed, NONE } from '../../support/usage-streams.ts'

const NOW = Date.parse('2026-11-23T12:00:00Z')
const list = PriceList.parse(pricing)
const prices = createPrices(list)

const cost = (model: string, tokens: Partial<TokenCounts>, change?: Partial<BilledUsage>, at = NOW) =>
  prices.cost(billed(tokens, change), model, at).costMicros
const M = 1_000_000
const flat = (rate: number) => ({
  input: rate,
  output: rate,
  cache_read: rate,
  cache_write_5m: rate,
  cache_write_1h: rate,
})

describe('a call costs', () => {
  test.each<[string, string, Partial<TokenCounts>, Partial<BilledUsage>, number]>([
    [
      'each class at its rate',
      'claude-opus-5-5',
      { input: M, output: M, cacheRead: M, cacheWrite5m: M, cacheWrite1h: M },
      {},
      37.2 * M,
    ],
    ['nothing for nothing', 'claude-opus-5-5', {}, {}, 0],
    ['less for a cache of five minutes', 'claude-sonnet-5-5', { cacheWrite5m: 1000 }, {}, 2500],
    ['than for one of an hour', 'claude-sonnet-5-5', { cacheWrite1h: 1000 }, {}, 4000],
    ['the low band to 100,000 tokens', 'claude-haiku-5-5', { input: 100_000, output: 1000 }, {}, 10_500],
    ['the high band from 100,001', 'claude-haiku-5-5', { input: 100_001, output: 1000 }, {}, 52_501],
    [
      'the high band by caches too',
      'claude-haiku-5-5',
      { input: 50_000, cacheRead: 50_000, cacheWrite1h: 1 },
      {},
      27_501,
    ],
    [
      'the high band by short caches as well',
      'claude-haiku-5-5',
      { input: 100_000, cacheWrite5m: 1 },
      {},
      50_001,
    ],
    ['twice as much when fast', 'claude-opus-5-5', { input: M, output: M }, { fast: true }, 48 * M],
    ['twice as much when its name says fast', 'claude-opus-5.5-fast', { input: M, output: M }, {}, 48 * M],
    ['twice as much, not four times', 'claude-opus-5-5-fast', { input: M }, { fast: true }, 8 * M],
    ['no more for a name that says fast in vain', 'claude-sonnet-5-5-fast', { input: M }, {}, 2 * M],
    ['no more when fast is not priced', 'claude-sonnet-5-5', { input: M }, { fast: true }, 2 * M],
    ['a tenth more in the US', 'claude-opus-5-5', { cacheRead: M }, { geoUs: true }, 220_000],
    ['both when fast in the US', 'claude-opus-5-5', { input: M }, { geoUs: true, fast: true }, 8.8 * M],
    ['half in a batch, never fast', 'claude-opus-5-5', { input: M }, { batch: true, fast: true }, 2 * M],
    [
      'ten dollars for a thousand searches',
      'claude-opus-5-5',
      { input: 10 },
      { webSearches: 3, geoUs: true },
      30_044,
    ],
    ['a rounded half up', 'claude-haiku-5-5', { input: 5 }, {}, 1],
    ['a rounded less than half down', 'claude-haiku-5-5', { input: 4 }, {}, 0],
    ['no drift over many tokens', 'claude-haiku-5-5', { cacheRead: 33_333 }, { geoUs: true }, 367],
  ])('%s', (_, model, tokens, change, micros) => {
    expect(cost(model, tokens, change)).toBe(micros)
  })

  test('the sum of its parts, each at its own model and band, rounded once', () => {
    const part = (model: string | undefined, input: number) => ({ model, tokens: { ...NONE, input } })
    const parts = [part(undefined, 60_000), part('claude-haiku-5-5', 60_000), part('claude-opus-5-5', 10)]
    expect(cost('claude-haiku-5-5', {}, { parts })).toBe(12_040)
    expect(cost('claude-haiku-5-5', {}, { parts: [part(undefined, 4), part(undefined, 4)] })).toBe(1)
    expect(cost('claude-haiku-5-5', {}, { parts: [] })).toBe(0)
  })

  test('each iteration at its own band', () => {
    const iteration = { type: 'message', model: null, input_tokens: 60_000, output_tokens: 1_000 }
    const usage = { input_tokens: 180_000, output_tokens: 3_000, iterations: Array(3).fill(iteration) }
    const end = {
      final: true,
      estimatedOutput: 0,
      refusedUnserved: false,
      servedBy: undefined,
      failed: false,
    }
    const { parts } = billedUsage(usage, end)
    expect(cost('claude-haiku-5-5', {}, { parts })).toBe(3 * (6_000 + 500))
  })

  test('what held on its day', () => {
    const read = (at: string) => cost('claude-sonnet-5-5', { cacheRead: M, input: 1 }, {}, Date.parse(at))
    expect(read('2026-10-06T23:59:59.999Z')).toBe(200_002)
    expect(read('2026-10-07T00:00:00Z')).toBe(100_002)
  })

  test('the unknown tier for an unknown model, and says so', () => {
    expect(prices.cost(billed({ input: M, output: M }), 'gpt-9', NOW)).toMatchObject({
      costMicros: 30 * M,
      unpriced: true,
    })
    expect(prices.cost(billed({ input: 1 }), 'claude-opus-5-5', NOW).unpriced).toBe(false)
    expect(prices.rates('gpt-9', NOW)).toBeUndefined()
    expect(prices.estimate('gpt-9', { input: 1000, output: 0 }, NOW)).toBe(5000)
  })
})

test('an estimate knows band, searches, speed, place, batches and caches, and rounds up', () => {
  const haiku = (input: number, output: number) => prices.estimate('claude-haiku-5-5', { input, output }, NOW)
  expect([haiku(100_000, 1000), haiku(100_001, 1000), haiku(1, 0)]).toEqual([10_500, 52_501, 1])
  const opus = (given: object) => prices.estimate('claude-opus-5-5', { input: 10, output: 1, ...given }, NOW)
  expect(opus({})).toBe(60)
  expect(opus({ webSearches: 2 })).toBe(20_060)
  expect([opus({ fast: true }), opus({ geoUs: true })]).toEqual([120, 66])
  expect(opus({ fast: true, webSearches: 2, batch: true })).toBe(20_030)
  expect([opus({ cached: '5m' }), opus({ cached: '1h' })]).toEqual([70, 100])
  expect(prices.estimate('claude-opus-5-5-fast', { input: 10, output: 1 }, NOW)).toBe(opus({ fast: true }))
})

test.each([
  ['claude-opus-5-5', 'claude-opus-5-5'],
  ['Claude-Opus-5-5', 'claude-opus-5-5'],
  ['claude-opus-5-5-20260922', 'claude-opus-5-5'],
  ['claude-opus-4-5-20251101', 'claude-opus-4-5'],
  ['claude-opus-4-0', 'claude-opus-4'],
  ['claude-3-5-haiku-20241022', 'claude-haiku-3-5'],
  ['claude-3-5-haiku-latest', 'claude-haiku-3-5'],
  ['claude-sonnet-4-5@20250929', 'claude-sonnet-4-5'],
  ['anthropic/claude-sonnet-5', 'claude-sonnet-5'],
  ['openrouter/anthropic/claude-sonnet-5', 'claude-sonnet-5'],
  ['anthropic.claude-opus-4-6-v1', 'claude-opus-4-6'],
  ['us.anthropic.claude-sonnet-4-5-20250929-v1:0', 'claude-sonnet-4-5'],
  ['global.anthropic.claude-haiku-4-5-20251001-v1:0', 'claude-haiku-4-5'],
  ['My-Model-20260101', 'my-model'],
  ['\u00a0\uff23laude-opus-5-5 ', 'claude-opus-5-5'],
  ['a-v12', 'a'],
  ['a-v1:10', 'a'],
  ['a-v1:0:200k', 'a'],
  ['claude-opus-5-5[1m]', 'claude-opus-5-5'],
  ['us.anthropic.claude-sonnet-4-5-20250929-v1:0[1m]', 'claude-sonnet-4-5'],
  ['claude-opus-4.5', 'claude-opus-4-5'],
  ['anthropic/Claude-3.5-Haiku', 'claude-haiku-3-5'],
  ['claude-opus-5-5-fast', 'claude-opus-5-5'],
  ['claude-opus-4.6-fast[1m]', 'claude-opus-4-6'],
  ['claude-opus-5-5-20260922-fast', 'claude-opus-5-5'],
  // Of other vendors, dots and marks make other models.
  ['gpt-4.1', 'gpt-4.1'],
  ['grok-4-fast', 'grok-4-fast'],
  // What only looks like an affix is a part of the name.
  ['a-v1-b', 'a-v1-b'],
  ['a-latest-b', 'a-latest-b'],
  ['a-20260101-b', 'a-20260101-b'],
  ['us2.anthropic.a', 'us2.anthropic.a'],
  ['', ''],
])('%j is %j', (name, canonical) => {
  expect(prices.canonical(name)).toBe(canonical)
  expect(prices.canonical(name)).toBe(canonical)
})

describe('prices of the operator', () => {
  const override = (model: string, rate: number, effective_from?: string): PriceOverride => ({
    model,
    effective_from,
    ...flat(rate),
  })
  const own = createPrices(list, [
    override('claude-opus-5-5-20260922', 2, '2026-11-01'),
    override('claude-opus-5-5', 1, '2026-10-01'),
    override('claude-haiku-5-5', 0),
    override('House-Model', 7),
  ])
  const input = (model: string, at: string, change: Partial<BilledUsage> = {}) =>
    own.cost(billed({ input: M }, change), model, Date.parse(at)).costMicros

  test('hold from their day on', () => {
    expect(input('claude-opus-5-5', '2026-09-30T23:59:59Z')).toBe(4 * M)
    expect(input('claude-opus-5-5', '2026-10-01')).toBe(M)
    expect(input('claude-opus-5-5', '2026-11-01')).toBe(2 * M)
  })

  test('keep the modifiers, but have no band', () => {
    expect(input('claude-opus-5-5', '2026-11-01', { fast: true })).toBe(4 * M)
    expect(input('claude-haiku-5-5', '2026-11-01')).toBe(0)
    expect(own.rates('claude-haiku-5-5', NOW)).toEqual({
      ...flat(0),
      name: 'Claude Haiku 5.5',
      context: 1_000_000,
      maxOutput: 128_000,
      longPrompt: undefined,
      fastMultiplier: 1,
      regionalMultiplier: 1,
    })
  })

  test('for a name with a mark price that name alone, and once', () => {
    const marked = createPrices(list, [override('claude-opus-4.6-fast', 9), override('claude-opus-4.7', 3)])
    const price = (model: string) => marked.cost(billed({ input: M }), model, NOW).costMicros
    expect(price('claude-opus-4.6-fast')).toBe(9 * M)
    expect(price('claude-opus-4.6')).toBe(5 * M)
    // A dot is the same name in another spelling.
    expect([price('claude-opus-4-7'), price('claude-opus-4.7-fast')]).toEqual([3 * M, 3 * M])
  })

  test('price a model that is in no list', () => {
    expect(own.cost(billed({ output: 10 }), 'house-model', NOW)).toMatchObject({
      costMicros: 70,
      unpriced: false,
    })
  })
})

test('rates are shown with their band', () => {
  expect(prices.rates('claude-haiku-5-5-20261007', NOW)).toMatchObject({
    name: 'Claude Haiku 5.5',
    input: 0.1,
    longPrompt: { thresholdPromptTokens: 100_000, output: 2.5 },
    fastMultiplier: 1,
  })
})

test('older entries of a history say only what differed from the era after them', () => {
  const listed = { id: 'm', input: 1, output: 1, cache_read: 1, cache_write_5m: 1, cache_write_1h: 1 }
  const history = [
    { until: '2026-02-01', output: 5 },
    { until: '2026-03-01', cache_read: 3 },
  ]
  const { rates } = createPrices({ ...list, models: [{ ...listed, history }] })
  expect(rates('m', Date.parse('2026-01-31'))).toMatchObject({ input: 1, output: 5, cache_read: 3 })
  expect(rates('m', Date.parse('2026-02-01'))).toMatchObject({ output: 1, cache_read: 3 })
  expect(rates('m', Date.parse('2026-03-01'))).toMatchObject({ output: 1, cache_read: 1 })
})

test('a name that is listed with its date keeps it, and an alias is known without its own', () => {
  const rates = { input: 1, output: 1, cache_read: 1, cache_write_5m: 1, cache_write_1h: 1 }
  const models = [
    { ...rates, id: 'm-20260101' },
    { ...rates, id: 'n', aliases: ['old-20250101', 'older'] },
  ]
  const { canonical } = createPrices({ ...list, models })
  const names = ['m-20260101', 'm-20260202', 'n-20260101', 'old-20250101', 'old', 'old-20260101', 'older']
  expect(names.map(canonical)).toEqual(['m-20260101', 'm', 'n', 'n', 'n', 'n', 'n'])
})

test('a very long name is one of no model', () => {
  const name = 'x'.repeat(1_000)
  expect([prices.canonical(name), prices.rates(name, NOW)]).toEqual([name, undefined])
})

test('every field of a list and of the operator’s own prices counts', () => {
  const listed = {
    ...flat(1),
    id: 'm',
    name: 'M',
    context: 5,
    max_output: 6,
    fast_multiplier: 3,
    regional_multiplier: 1.2,
    long_prompt: { ...flat(9), threshold_prompt_tokens: 10 },
    history: [{ until: '2026-01-01', cache_write_5m: 4, cache_write_1h: 5 }],
  }
  const later = { model: 'm', ...flat(8), effective_from: '2026-12-02' }
  const sooner = { model: 'm', ...flat(7), effective_from: '2026-12-01' }
  const { rates } = createPrices({ ...list, models: [listed] }, [later, sooner])
  const sizes = { name: 'M', context: 5, maxOutput: 6, fastMultiplier: 3 }
  const known = { ...sizes, regionalMultiplier: 1.2 }
  const longPrompt = { ...flat(9), thresholdPromptTokens: 10 }
  expect(rates('m', NOW)).toEqual({ ...flat(1), ...known, longPrompt })
  const older = { ...flat(1), cache_write_5m: 4, cache_write_1h: 5 }
  expect(rates('m', Date.parse('2025-12-31'))).toEqual({ ...older, ...known, longPrompt })
  expect(rates('m', Date.parse('2026-12-01'))).toEqual({
    ...flat(7),
    ...sizes,
    regionalMultiplier: 1,
    longPrompt: undefined,
  })
  expect(rates('m', Date.parse('2026-12-02'))).toMatchObject(flat(8))
  expect(createPrices({ ...list, models: [{ ...flat(1), id: 'm' }] }).rates('m', NOW)).toEqual({
    ...flat(1),
    name: undefined,
    context: undefined,
    maxOutput: undefined,
    longPrompt: undefined,
    fastMultiplier: 1,
    regionalMultiplier: 1,
  })
})

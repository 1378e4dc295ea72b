import { describe, expect, test } from 'vitest'
import pricing from '../../../config/pricing.json' with { type: 'json' }
import { NO_TOKENS } from '../../../core/metering/tokens.ts'
import { PriceList } from '../../../core/pricing/list.ts'
import { createPrices } from '../../../core/pricing/prices.ts'

const NOW = Date.UTC(2026, 10, 26)
const list = PriceList.parse(pricing)
const KIMI = {
  model: 'kimi-k3',
  input: 0.6,
  output: 2.5,
  cache_read: 0.15,
  cache_write_5m: 0.6,
  cache_write_1h: 0.6,
}
const prices = createPrices(
  list,
  [],
  [
    { backend: 'discounted', multiplier: 0.85, overrides: [] },
    { backend: 'kimi', multiplier: 1, overrides: [KIMI] },
    { backend: 'dear', multiplier: 1.5, overrides: [] },
    {
      backend: 'regional',
      multiplier: 0.85,
      overrides: [KIMI],
      regional: ['us.anthropic.claude-opus-5-5', 'claude-opus-4-1', 'kimi-k3'],
    },
  ],
)
const call = (given: object = {}) => ({
  parts: [{ model: undefined, tokens: { ...NO_TOKENS, input: 1_000_003, output: 7, cacheRead: 11 } }],
  webSearches: 3,
  fast: false,
  geoUs: false,
  batch: false,
  serviceTier: '',
  speed: '',
  geo: '',
  estimated: false,
  inputUnknown: false,
  extra: null,
  promptLosses: [],
  ...given,
})
const MODEL = 'claude-haiku-4-5'

describe('a backend with a multiplier', () => {
  test('costs so much of the list, to the micro-dollar, and its parts add up', () => {
    const rates = prices.rates(MODEL, NOW)
    if (!rates) throw new Error('no rates')
    const { costMicros, inputMicros, outputMicros, cacheReadMicros, serverToolMicros } = prices
      .of('discounted')
      .cost(call(), MODEL, NOW)
    const exact = 0.85 * (1_000_003 * rates.input + 7 * rates.output + 11 * rates.cache_read + 30_000)
    expect(costMicros).toBe(Math.round(exact))
    expect(inputMicros + outputMicros + cacheReadMicros + serverToolMicros).toBe(costMicros)
  })

  test('of a batch has both: half of it', () => {
    const whole = prices.of('discounted').cost(call({ webSearches: 0 }), MODEL, NOW)
    const half = prices.of('discounted').cost(call({ webSearches: 0, batch: true }), MODEL, NOW)
    expect(half.costMicros).toBe(Math.round(whole.costMicros / 2))
  })
})

test('a backend of another family has the prices of its models, which no other backend has', () => {
  const { costMicros, unpriced } = prices.of('kimi').cost(call({ webSearches: 0 }), 'kimi-k3', NOW)
  expect({ costMicros, unpriced }).toEqual({
    costMicros: Math.round(1_000_003 * 0.6 + 7 * 2.5 + 11 * 0.15),
    unpriced: false,
  })
  expect(prices.of('claude').cost(call(), 'kimi-k3', NOW).unpriced).toBe(true)
})

test('a backend without prices of its own has the list', () => {
  expect(prices.of('claude').cost(call(), MODEL, NOW)).toEqual(prices.cost(call(), MODEL, NOW))
})

test('a model that is served from within a region costs a tenth more, from 4.5 on and unless its price is the operator’s own', () => {
  const input = (model: string) => {
    const parts = [{ model: undefined, tokens: { ...NO_TOKENS, input: 1_000_000 } }]
    return prices.of('regional').cost(call({ parts, webSearches: 0 }), model, NOW).costMicros
  }
  expect(input('claude-opus-5-5')).toBe(0.85 * 1.1 * 4_000_000)
  expect(input('claude-sonnet-5-5')).toBe(0.85 * 2_000_000)
  expect(input('claude-opus-4-1')).toBe(0.85 * 15_000_000)
  expect(input('kimi-k3')).toBe(0.85 * 600_000)
  const size = { input: 1_000, output: 1_000 }
  const listed = prices.of('claude').estimate('claude-opus-5-5', size, NOW)
  expect(prices.of('regional').estimate('claude-opus-5-5', size, NOW)).toBe(Math.ceil(0.85 * 1.1 * listed))
})

test('a reservation is enough for the dearest backend, because it is made before one is chosen', () => {
  const size = { input: 1_000, output: 1_000 }
  const listed = prices.of('claude').estimate(MODEL, size, NOW)
  expect(prices.estimate(MODEL, size, NOW)).toBe(Math.ceil(listed * 1.5))
  expect(prices.of('discounted').estimate(MODEL, size, NOW)).toBeLessThan(listed)
})
